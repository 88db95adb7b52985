"""Repository credentials from Secrets, as Argo CD lays them out. Pure.

Secrets labelled ``argocd.argoproj.io/secret-type: repository`` are for one address, ``repo-creds`` for all
addresses that begin with theirs; the longest wins.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field

from rollouts.gitops.source.address import canonical
from rollouts.kube.objects import ReadOnly, labels_of

SECRET_TYPE = "argocd.argoproj.io/secret-type"  # noqa: S105 - a label's name
REPOSITORY = "repository"
TEMPLATE = "repo-creds"


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to log in. The repr shows no secret."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    ssh_private_key: str = field(default="", repr=False)
    insecure: bool = False

    def secrets(self) -> tuple[str, ...]:
        """Return what must never be shown."""
        return tuple(value for value in (self.password, self.ssh_private_key) if value)


NO_CREDENTIALS = Credentials()


def credentials_for(url: str, secrets: Iterable[ReadOnly]) -> Credentials:
    """Return what the Secrets say about an address; no credentials when none does."""
    wanted = canonical(url)
    best: tuple[int, ReadOnly] | None = None
    for secret in secrets:
        kind = labels_of(secret).get(SECRET_TYPE)
        address = canonical(_text(secret, "url"))
        if not address:
            continue
        exact = kind == REPOSITORY and address == wanted
        prefix = kind == TEMPLATE and (wanted == address or wanted.startswith(f"{address}/"))
        rank = 10_000 if exact else len(address) if prefix else -1
        if rank >= 0 and (best is None or rank > best[0]):
            best = rank, secret
    return _read(best[1]) if best else NO_CREDENTIALS


def _read(secret: ReadOnly) -> Credentials:
    return Credentials(
        username=_text(secret, "username"),
        password=_text(secret, "password") or _text(secret, "bearerToken"),
        ssh_private_key=_text(secret, "sshPrivateKey"),
        insecure=_text(secret, "insecure").lower() == "true",
    )


def _text(secret: ReadOnly, key: str) -> str:
    plain = (secret.get("stringData") or {}).get(key)
    if plain is not None:
        return str(plain)
    try:
        return base64.b64decode((secret.get("data") or {}).get(key) or "").decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
