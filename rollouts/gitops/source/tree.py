"""The files of one commit: immutable, named by the commit, read without a checkout. Pure."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from rollouts.gitops.source.errors import TreeRefused

MAX_FILES = 500_000

_LINK, _SUBMODULE = "120000", "160000"


@dataclass(frozen=True, slots=True, order=True)
class File:
    """A file: its path in the repository, its blob and its size in bytes (-1 for a submodule)."""

    path: str
    blob: str
    size: int
    mode: str = "100644"

    @property
    def is_link(self) -> bool:
        """Tell whether it is a symbolic link."""
        return self.mode == _LINK

    @property
    def is_submodule(self) -> bool:
        """Tell whether it is another repository's commit."""
        return self.mode == _SUBMODULE


class Tree:
    """Every file of a commit, ordered by path."""

    def __init__(self, commit: str, files: Iterable[File]) -> None:
        self.commit = commit
        self.files: Sequence[File] = sorted(files)
        self._paths = [file.path for file in self.files]

    def __repr__(self) -> str:
        return f"Tree({self.commit[:12]}, {len(self.files)} files)"

    def get(self, path: str) -> File | None:
        """Return one file."""
        index = bisect_left(self._paths, path)
        found = index < len(self._paths) and self._paths[index] == path
        return self.files[index] if found else None

    def under(self, folder: str) -> Sequence[File]:
        """Return the files below a folder ("" is the whole tree)."""
        if not folder:
            return self.files
        start = bisect_left(self._paths, f"{folder}/")
        end = bisect_left(self._paths, f"{folder}0")  # "0" follows "/" in the order of characters
        return self.files[start:end]

    def fingerprint(self, folder: str) -> str:
        """Return a digest of everything below a folder: equal digests render alike."""
        digest = hashlib.sha256()
        for file in self.under(folder):
            digest.update(f"{file.mode} {file.blob} {file.path}\0".encode())
        return digest.hexdigest()


def folder_path(path: str) -> str:
    """Return a source's path in normal form: "" for the root.

    Raises TreeRefused when it is absolute or leaves the repository.
    """
    pure = PurePosixPath(path.strip() or ".")
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise TreeRefused(f"path {path!r} leaves the repository; wanted a path below its root, without ..")
    return "" if str(pure) == "." else str(pure)


def parse_ls_tree(commit: str, output: bytes) -> Tree:
    """Return the tree that ``git ls-tree -r -z -l`` printed. Raises TreeRefused for unsafe names."""
    files = []
    for row in output.split(b"\0"):
        if not row:
            continue
        head, _, raw = row.partition(b"\t")
        mode, _, blob, size = head.decode("ascii").split()
        path = raw.decode("utf-8", "surrogateescape")
        if ".." in path.split("/") or path.startswith("/"):
            raise TreeRefused(f"commit {commit[:12]} holds a file named {path!r}, which leaves the tree")
        files.append(File(path, blob, -1 if size == "-" else int(size), mode))
    if len(files) > MAX_FILES:
        raise TreeRefused(f"commit {commit[:12]} has {len(files)} files, more than the limit of {MAX_FILES}")
    return Tree(commit, files)
