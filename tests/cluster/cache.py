"""The per-user cache of built parts: one folder per digest, written whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_root() -> Path:
    """Return ``$XDG_CACHE_HOME/rollouts`` (``~/.cache/rollouts``)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rollouts"


def digest(paths: Iterable[Path], *facts: str) -> str:
    """Return twelve hex digits that change whenever a file's bytes or a fact change."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    for fact in facts:
        total.update(fact.encode() + b"\0")
    return total.hexdigest()[:12]


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time build ``name``; the others wait and then find it built."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def built_once(target: Path, build: Callable[[Path], None]) -> Path:
    """Return ``target``, made by ``build(temporary path)`` when it is not there yet."""
    with locked(target.parent.name):
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as scratch:
                made = Path(scratch) / target.name
                build(made)
                made.rename(target)
    return target
