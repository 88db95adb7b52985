"""What can go wrong between a repository's address and its files.

::

    SourceError
    ├── Unreachable            try again later
    ├── LocalCopyFailed        the copy on disk cannot be written or read; try again, look at the disk
    ├── AuthenticationFailed   a person must mend the credentials
    ├── RepositoryNotFound     a person must correct the address (or the credentials hide it)
    ├── RevisionNotFound       a person must correct the revision, or push it
    ├── AddressRefused         the address is malformed, or its protocol is not allowed here
    └── TreeRefused            the tree holds what is never read: links, too much, unsafe names
"""

from __future__ import annotations


class SourceError(Exception):
    """Root. The message is for people and holds no secret."""

    retry = False
    """Whether time alone can help."""


class Unreachable(SourceError):
    """The server did not answer, or broke off."""

    retry = True


class LocalCopyFailed(SourceError):
    """The local disk or the git command failed."""

    retry = True


class AuthenticationFailed(SourceError):
    """The server wants other credentials."""


class RepositoryNotFound(SourceError):
    """There is no repository at the address, or not for these credentials."""


class RevisionNotFound(SourceError):
    """The repository has no such branch, tag or commit."""


class AddressRefused(SourceError):
    """The address cannot be used."""


class TreeRefused(SourceError):
    """The tree holds something that is never read."""


_AUTHENTICATION = (
    "authentication failed",
    "could not read username",
    "could not read password",
    "terminal prompts disabled",
    "permission denied",
    "returned error: 401",
    "returned error: 403",
    "invalid credentials",
    "host key verification failed",
)
_NO_REPOSITORY = (
    "repository not found",
    "does not appear to be a git repository",
    "no such file or directory",
    "returned error: 404",
    "access denied or repository not exported",
    "' not found",
    "' does not exist",
)
_NO_REVISION = ("couldn't find remote ref", "not our ref", "unadvertised object", "bad object")
_REFUSED = ("' not allowed", "is not allowed", "unable to find remote helper")


def classify(stderr: str, address: str) -> SourceError:
    """Return the error that git's words mean. ``stderr`` and ``address`` must be free of secrets."""
    lower = stderr.lower()
    said = " ".join(line.strip() for line in stderr.splitlines() if line.strip())[:500]
    if any(words in lower for words in _AUTHENTICATION):
        return AuthenticationFailed(
            f"{address}: the server refused the credentials ({said}); correct the repository Secret"
        )
    if any(words in lower for words in _REFUSED):
        return AddressRefused(f"{address}: this protocol is not allowed here ({said})")
    if any(words in lower for words in _NO_REVISION):
        return RevisionNotFound(f"{address}: {said}; push the revision, or correct targetRevision")
    if any(words in lower for words in _NO_REPOSITORY):
        return RepositoryNotFound(
            f"{address}: no repository is there ({said}); correct repoURL or the credentials"
        )
    return Unreachable(f"{address}: {said or 'git gave no reason'}; it is tried again")
