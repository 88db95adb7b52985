"""What proves who a request comes from: headers, basic authentication, OAuth2 client credentials."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.http import GuardedHttp, HttpRequest
from analysis.spec.providers import Authentication, Header, OAuth2

_EARLY = timedelta(seconds=30)
_MOST_TOKENS = 256
_UNTOLD = timedelta(minutes=5)


def plain_headers(headers: Sequence[Header]) -> dict[str, str]:
    """Return configured headers. Raises ConfigurationError for one that would break the request apart."""
    found: dict[str, str] = {}
    for header in headers:
        if not header.key or any(mark in header.key + header.value for mark in "\r\n\0"):
            raise ConfigurationError(f"header {header.key!r} has no name or a line break in it")
        found[header.key] = header.value
    return found


class Credentials:
    """Adds the Authorization header; keeps OAuth2 tokens until shortly before they end."""

    def __init__(self, http: GuardedHttp, now: Callable[[], datetime]) -> None:
        self._http = http
        self._now = now
        self._tokens: dict[tuple[str, ...], tuple[str, datetime]] = {}

    async def headers(
        self, authentication: Authentication | None, *, insecure: bool, timeout: float
    ) -> dict[str, str]:
        """Return the headers for a metric's ``authentication``. Raises ProviderError."""
        if authentication is None:
            return {}
        if authentication.sigv4 is not None and authentication.sigv4.region:
            raise ConfigurationError(
                "authentication.sigv4 is not supported yet; use headers, basicAuth or oauth2"
            )
        basic, oauth2 = authentication.basic_auth, authentication.oauth2
        if basic is not None and (basic.username or basic.password):
            pair = base64.b64encode(f"{basic.username}:{basic.password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        if oauth2 is not None and oauth2.token_url:
            return {"Authorization": f"Bearer {await self._token(oauth2, insecure, timeout)}"}
        return {}

    async def _token(self, oauth2: OAuth2, insecure: bool, timeout: float) -> str:
        key = (oauth2.token_url, oauth2.client_id, oauth2.client_secret, *oauth2.scopes)
        known = self._tokens.get(key)
        if known is not None and known[1] > self._now():
            return known[0]
        form = {"grant_type": "client_credentials"}
        if oauth2.scopes:
            form["scope"] = " ".join(oauth2.scopes)
        pair = base64.b64encode(f"{oauth2.client_id}:{oauth2.client_secret}".encode()).decode()
        answer = await self._http.send(
            HttpRequest(
                method="POST",
                url=oauth2.token_url,
                headers={
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Authorization": f"Basic {pair}",
                    "Accept": "application/json",
                },
                body=urlencode(form).encode(),
                timeout=timeout,
                insecure=insecure,
                repeatable=True,
            )
        )
        if answer.status != 200:
            raise BackendError(f"the OAuth2 token endpoint answered {answer.status}, not 200")
        token, lifetime = _read_token(answer.body)
        while len(self._tokens) >= _MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[key] = (token, self._now() + lifetime - _EARLY)
        return token


def _read_token(body: bytes) -> tuple[str, timedelta]:
    try:
        read = json.loads(body)
        token, seconds = str(read["access_token"]), read.get("expires_in")
        return token, timedelta(seconds=float(seconds)) if seconds is not None else _UNTOLD
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BackendError("the OAuth2 token endpoint answered without an access_token") from None
