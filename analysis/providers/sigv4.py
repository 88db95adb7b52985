"""AWS Signature Version 4 for a request's headers. Pure.

Source: AWS General Reference, "Signing AWS API requests"; the tests hold vectors of its published suite.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """What a request is signed with; ``session_token`` is "" for lasting keys. Its repr tells no secret."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """With which keys a request is signed, for whom and when. ``at`` is aware."""

    keys: AwsKeys
    region: str
    service: str
    at: datetime

    @property
    def stamp(self) -> str:
        """Return the time as AWS writes it: ``20150830T123600Z``."""
        return self.at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")

    @property
    def scope(self) -> str:
        """Return the credential scope."""
        return f"{self.stamp[:8]}/{self.region}/{self.service}/aws4_request"


def signed_headers(
    method: str, url: str, headers: Mapping[str, str], body: bytes, signing: Signing
) -> dict[str, str]:
    """Return the headers with ``Host``, ``X-Amz-Date`` and ``Authorization`` put in; all of them are signed.

    ``url`` is as it goes over the wire: percent-encoded, blanks of the query as ``%20``.
    """
    complete = {**headers, "Host": _host(url), "X-Amz-Date": signing.stamp}
    if signing.keys.session_token:
        complete["X-Amz-Security-Token"] = signing.keys.session_token
    canonical, names = canonical_request(method, url, complete, body)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join((ALGORITHM, signing.stamp, signing.scope, digest))
    signature = hmac.new(signing_key(signing), to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"{signing.keys.access_key}/{signing.scope}"
    complete["Authorization"] = (
        f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    return complete


def canonical_request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    """Return the canonical request, and the names of its signed headers."""
    parts = urlsplit(url)
    lines = sorted((name.lower().strip(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in lines)
    written = "".join(f"{name}:{value}\n" for name, value in lines)
    digest = hashlib.sha256(body).hexdigest()
    path = quote(_normal_path(parts.path), safe="/" + _UNRESERVED)
    return "\n".join((method, path, _query(parts.query), written, names, digest)), names


def signing_key(signing: Signing) -> bytes:
    """Return the key that is derived for a day, region and service."""
    key = b"AWS4" + signing.keys.secret_key.encode()
    for part in signing.scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _host(url: str) -> str:
    """Return the Host header: without the scheme's own port."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port and parts.port != _PORTS.get(parts.scheme) else host


def _normal_path(path: str) -> str:
    """Return a path without ``.``, ``..`` and doubled slashes, as services other than S3 want it."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    folder = bool(kept) and path.endswith(("/", "/.", "/.."))
    return "/" + "/".join(kept) + ("/" if folder else "")


def _query(query: str) -> str:
    pairs = (pair.partition("=")[::2] for pair in query.split("&") if pair)
    encoded = sorted((_encoded(key), _encoded(value)) for key, value in pairs)
    return "&".join("=".join(pair) for pair in encoded)


def _encoded(text: str) -> str:
    return quote(unquote(text), safe=_UNRESERVED)
