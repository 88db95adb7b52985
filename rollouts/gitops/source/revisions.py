"""From ``targetRevision`` to a ref or a commit. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rollouts.gitops.source.errors import RevisionNotFound

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_RANGE = re.compile(r"[\^~<>=*|]|\.[xX](?:\.|$)")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A commit, and the ref to fetch it by ("" for a commit that was named itself)."""

    commit: str
    ref: str


def parse_ls_remote(output: bytes) -> Mapping[str, str]:
    """Return the refs that ``git ls-remote`` printed, with the commits of annotated tags in place of tags."""
    refs: dict[str, str] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        commit, _, ref = line.partition("\t")
        refs[ref] = commit
    for ref in [ref for ref in refs if ref.endswith("^{}")]:
        refs[ref.removesuffix("^{}")] = refs.pop(ref)
    return refs


def resolve(refs: Mapping[str, str], revision: str) -> Resolved:
    """Return what a revision means: HEAD, a full ref, a branch, a tag or a commit, in this order.

    Raises RevisionNotFound when the repository has nothing of that name.
    """
    wanted = revision.strip() or "HEAD"
    for ref in (wanted, f"refs/heads/{wanted}", f"refs/tags/{wanted}"):
        if ref in refs:
            return Resolved(refs[ref], ref)
    if _COMMIT.fullmatch(wanted):
        return Resolved(wanted, "")
    if _RANGE.search(wanted):
        raise RevisionNotFound(
            f"targetRevision {wanted!r} looks like a range of versions, which this controller does not "
            "support yet; name a branch, a tag or a commit"
        )
    if not refs:
        raise RevisionNotFound(f"unable to resolve {wanted!r}: the repository has no commit yet; push one")
    branches = sorted(ref.removeprefix("refs/heads/") for ref in refs if ref.startswith("refs/heads/"))
    raise RevisionNotFound(
        f"unable to resolve {wanted!r} to a commit SHA: revision not found; the repository has branches "
        f"{', '.join(branches[:10])}. Correct targetRevision, or push it (a commit is named by its full SHA)"
    )
