"""The operator's addresses of data planes: each is every replica behind its name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import orjson

from analysis.providers.answers import check
from analysis.providers.egress import EgressPolicy
from analysis.providers.errors import BackendError
from analysis.providers.http import GuardedHttp, HttpRequest

TIMEOUT_SECONDS = 3.0

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""``resolve(host, port)`` returns the addresses behind a name. Raises OSError."""


class Replicas:
    """Gets the same path from every replica.

    A name without TLS, such as that of a headless Service, is resolved for each question and every address
    behind it is asked, since each replica has a configuration of its own. With TLS the name is part of the
    server's proof, so it is asked as it is.
    """

    def __init__(self, urls: tuple[str, ...], policy: EgressPolicy, resolve: Resolve | None = None) -> None:
        self._urls = urls
        self._policy = policy
        self._resolve = resolve or _resolved
        self._named = GuardedHttp(policy)
        # For addresses which the guard has let pass under their name: there is nothing left to resolve.
        self._passed = GuardedHttp(EgressPolicy(refused=()))

    async def close(self) -> None:
        """Close all connections."""
        await self._named.close()
        await self._passed.close()

    async def get(self, path: str) -> list[tuple[str, Any]]:
        """Return each replica's address with the JSON it answered. Raises ProviderError unless all answer."""
        return [await self._ask(*place, path) for url in self._urls for place in await self._places(url)]

    async def _places(self, url: str) -> list[tuple[str, str]]:
        """Return the addresses to ask, each with the Host that it is asked for ("" for its own)."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        self._policy.check_host(host)
        if parts.scheme == "https":
            return [(url, "")]
        port = parts.port or 80
        try:
            found = sorted(set(await self._resolve(host, port)))
        except OSError as error:
            raise BackendError(f"{host} cannot be resolved: {error.strerror}") from None
        if not found:
            raise BackendError(f"{host} has no address")
        for address in found:
            self._policy.check_address(host, address)
        return [(f"http://{_literal(address)}:{port}{parts.path}", parts.netloc) for address in found]

    async def _ask(self, base: str, host: str, path: str) -> tuple[str, Any]:
        http = self._passed if host else self._named
        headers = {"Accept": "application/json"} | ({"Host": host} if host else {})
        url = base.rstrip("/") + path
        answer = await http.send(
            HttpRequest(method="GET", url=url, headers=headers, timeout=TIMEOUT_SECONDS, repeatable=True)
        )
        check(answer, base)
        try:
            return base, orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            raise BackendError(f"{base} answered {answer.status} with something that is not JSON") from None


async def _resolved(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def addresses(text: str) -> tuple[str, ...]:
    """Read an operator's list. Raises ValueError for an entry that is no http:// or https:// address."""
    found = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    for entry in found:
        parts = urlsplit(entry)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise ValueError(f"{entry[:100]!r} is not the http:// or https:// address of a server")
    return found
