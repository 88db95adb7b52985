"""Repository addresses: what is allowed, how two are the same, and how one is shown. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from rollouts.gitops.source.errors import AddressRefused

PROTOCOLS = ("https", "http", "ssh", "git")
"""Allowed unless settings say otherwise; ``file`` must be allowed on purpose, since it reads the disk."""

_SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9._-]*:(?![/:]/?[/:])\S+")
_USERINFO = re.compile(r"(?<=://)[^/@\s]*@")


def redact(text: str) -> str:
    """Return the text with the user part of every URL hidden: it may hold a password or a token."""
    return _USERINFO.sub("***@", text)


def canonical(url: str) -> str:
    """Return the form under which two addresses of one repository are equal.

    As in Argo CD: case of the host, a trailing slash and ``.git`` do not count.
    """
    text = url.strip().rstrip("/").removesuffix(".git")
    if "://" not in text:
        return text
    scheme, _, rest = text.partition("://")
    host, slash, path = rest.rpartition("@")[2].partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}"


def protocol(url: str, allowed: frozenset[str] | tuple[str, ...] = PROTOCOLS) -> str:
    """Return the protocol of an address.

    Raises AddressRefused when it is malformed, holds a password, or its protocol is not allowed.
    """
    shown = redact(url)
    if not url or url.startswith("-") or "::" in url or any(ord(char) < 33 for char in url):
        raise AddressRefused(f"repoURL {shown!r} is no address: wanted such as https://host/team/repo.git")
    if "://" not in url:
        scheme = "ssh" if _SCP.fullmatch(url) else "file"
    else:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        if (parts.hostname or "").startswith("-"):
            raise AddressRefused(f"repoURL {shown}: a host's name does not begin with '-'")
        if parts.password:
            raise AddressRefused(
                f"repoURL {shown} holds a password, which everybody can read who may see the Application; "
                "put it into a Secret labelled argocd.argoproj.io/secret-type: repository"
            )
    if scheme not in allowed:
        raise AddressRefused(
            f"repoURL {shown}: protocol {scheme!r} is not allowed here; wanted one of {', '.join(allowed)}"
        )
    return scheme
