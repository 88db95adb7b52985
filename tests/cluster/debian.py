"""Programs out of Debian's packages: unpacked into the cache instead of installed.

That needs no root and starts no service.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.cache import built_once, cache_root
from tests.cluster.golang import BuildFailed, say


def unpacked_programs(package: str) -> Path:
    """Return the folder with the package's programs, whether it was unpacked or not."""
    return _root(package) / "usr" / "bin"


def unpack_package(package: str) -> Path:
    """Return the folder with the package's programs, fetching it when needed. Raises BuildFailed."""
    built_once(_root(package), lambda target: _unpack(package, target))
    return unpacked_programs(package)


def _root(package: str) -> Path:
    return cache_root() / f"{package}-debian" / "root"


def _unpack(package: str, target: Path) -> None:
    for command in ("apt-get", "dpkg-deb"):
        if shutil.which(command) is None:
            raise BuildFailed(f"no {command} here")
    folder = target.parent
    say(f"fetching Debian's package {package}")
    if _quiet(["apt-get", "download", package], folder):
        # A bare image has no package lists yet; only root can fetch them.
        _quiet(["apt-get", "update", "-qq"], folder)
        problem = _quiet(["apt-get", "download", package], folder)
        if problem:
            raise BuildFailed(f"apt-get cannot fetch the package {package} ({problem.splitlines()[-1]})")
    archive = next(folder.glob(f"{package}_*.deb"))
    problem = _quiet(["dpkg-deb", "-x", str(archive), str(target)], folder)
    if problem:
        raise BuildFailed(f"{archive.name} cannot be unpacked ({problem})")


def _quiet(command: Sequence[str], folder: Path) -> str:
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return (answer.stderr.strip() or f"exit code {answer.returncode}") if answer.returncode else ""
