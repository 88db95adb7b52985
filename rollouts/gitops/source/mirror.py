"""A bare, shallow copy of one repository on the local disk."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path

from rollouts.gitops.source.address import canonical, redact
from rollouts.gitops.source.credentials import NO_CREDENTIALS, Credentials
from rollouts.gitops.source.errors import (
    LocalCopyFailed,
    RevisionNotFound,
    TreeRefused,
    Unreachable,
    classify,
)
from rollouts.gitops.source.process import Failed, Git
from rollouts.gitops.source.revisions import Resolved, parse_ls_remote
from rollouts.gitops.source.tree import File, Tree, parse_ls_tree

NETWORK_SECONDS = 60.0
LOCAL_SECONDS = 30.0
MAX_READ_BYTES = 256 * 1024 * 1024
TREES_KEPT = 8

_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Mirror:
    """What is held of a repository. Fetches are one at a time; reads never touch the network."""

    def __init__(self, git: Git, cache: Path, url: str, *, network_seconds: float = NETWORK_SECONDS) -> None:
        self.url = url
        self.shown = redact(url)
        self._git = git
        self._seconds = network_seconds
        self._directory = cache / hashlib.sha256(canonical(url).encode()).hexdigest()[:32]
        self._trees: OrderedDict[str, Tree] = OrderedDict()
        self._lock = asyncio.Lock()
        self._ready = False

    async def refs(self, credentials: Credentials = NO_CREDENTIALS) -> Mapping[str, str]:
        """Ask the server for its refs: the poll. Raises SourceError."""
        await self._prepare()
        out = await self._network("ls-remote", "--quiet", "--", self.url, credentials=credentials)
        return parse_ls_remote(out)

    async def tree(self, wanted: Resolved, credentials: Credentials = NO_CREDENTIALS) -> Tree:
        """Return the files of a commit, fetched when they are not here yet. Raises SourceError.

        When the ref has moved on since it was resolved, the tree is that of the commit it is at now.
        """
        if not _OBJECT.fullmatch(wanted.commit):
            raise RevisionNotFound(f"{self.shown}: {wanted.commit!r} is not the name of a commit")
        async with self._lock:
            held = self._trees.get(wanted.commit)
            if held is not None:
                self._trees.move_to_end(wanted.commit)
                return held
            await self._prepare()
            commit = await self._fetched(wanted, credentials)
            out = await self._local("ls-tree", "-r", "-z", "-l", "--full-tree", "--end-of-options", commit)
            tree = self._trees[commit] = parse_ls_tree(commit, out)
            while len(self._trees) > TREES_KEPT:
                self._trees.popitem(last=False)
            return tree

    async def read(self, files: Iterable[File]) -> Mapping[str, bytes]:
        """Return the content of blobs by their name, in one call. Raises SourceError."""
        wanted = {file.blob: file for file in files}
        if not wanted:
            return {}
        size = sum(file.size for file in wanted.values())
        if size > MAX_READ_BYTES:
            raise TreeRefused(f"{self.shown}: {size} bytes of manifests, the limit is {MAX_READ_BYTES}")
        names = "".join(f"{blob}\n" for blob in wanted).encode("ascii")
        out = await self._local("cat-file", "--batch", "--buffer", stdin=names)
        return _blobs(out)

    async def _fetched(self, wanted: Resolved, credentials: Credentials) -> str:
        if not await self._has(wanted.commit):
            name = wanted.ref or wanted.commit
            ours = f"refs/rollouts/{hashlib.sha256(name.encode()).hexdigest()[:20]}"
            await self._network(
                *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--force"),
                *("--end-of-options", self.url, f"{name}:{ours}"),
                credentials=credentials,
            )
            if not await self._has(wanted.commit):
                out = await self._local("rev-parse", "--verify", "--end-of-options", f"{ours}^{{commit}}")
                return out.decode("ascii").strip()
        return wanted.commit

    async def _has(self, commit: str) -> bool:
        try:
            await self._run("cat-file", "-e", f"{commit}^{{commit}}")
        except Failed:
            return False
        return True

    async def _prepare(self) -> None:
        if self._ready:
            return
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise LocalCopyFailed(f"{self.shown}: no folder for the local copy: {error}") from None
        await self._local("init", "--quiet", "--bare", ".")
        self._ready = True

    async def _network(self, *arguments: str, credentials: Credentials) -> bytes:
        try:
            return await self._git.run(
                *arguments, directory=self._directory, timeout=self._seconds, credentials=credentials
            )
        except Failed as failed:
            if failed.timed_out:
                raise Unreachable(f"{self.shown}: {failed.stderr}; it is tried again") from None
            raise classify(failed.stderr, self.shown) from None

    async def _local(self, *arguments: str, stdin: bytes = b"") -> bytes:
        try:
            return await self._run(*arguments, stdin=stdin)
        except Failed as failed:
            raise LocalCopyFailed(f"{self.shown}: the local copy cannot be read: {failed}") from None

    async def _run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return await self._git.run(*arguments, directory=self._directory, timeout=LOCAL_SECONDS, stdin=stdin)


def _blobs(out: bytes) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    position = 0
    while position < len(out):
        end = out.index(b"\n", position)
        head = out[position:end].decode("ascii").split()
        if len(head) != 3:
            raise LocalCopyFailed(f"git does not have the object {head[0] if head else ''}")
        size = int(head[2])
        found[head[0]] = out[end + 1 : end + 1 + size]
        position = end + 1 + size + 1
    return found
