"""One request to the API server: authentication, time-outs, 429, and what a broken connection means.

Reads that get no answer are ``Unreachable``. A write is ``Unreachable`` only when it never left, else
``OutcomeUnknown``. A write is never sent twice unless the server said that it was not carried out.
"""

from __future__ import annotations

import asyncio
import socket
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from rollouts import __version__
from rollouts.clock import Clock
from rollouts.kube import errors, wire
from rollouts.kube.objects import Manifest, Resource

Observer = Callable[[str, Resource | None, int], None]
"""Called as ``observer(verb, resource, status)`` after each request; status 0 means no answer."""

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
WRITE_TIMEOUT = 10.0
WATCH_GRACE = 15
"""Seconds beyond its time-out after which a silent watch is taken for dead."""

_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Transport:
    """A session on a configured connector (``connection`` is a kubernetes_asyncio ApiClient).

    There is no fixed rate limit: a 429 makes every request of this client wait as long as the server asked
    for, and no longer. ``before_write`` is called with the seconds that remain right before a write is handed
    to the socket; what it raises stops the write.
    """

    def __init__(
        self,
        host: str,
        connection: Any,
        clock: Clock,
        *,
        refresh: Callable[[], Awaitable[None]] | None = None,
        observer: Observer | None = None,
        before_write: Callable[[float], None] | None = None,
        write_timeout: float = WRITE_TIMEOUT,
    ) -> None:
        self._host = host.rstrip("/")
        self._connection = connection
        self._clock = clock
        self._refresh = refresh
        self._refreshing = asyncio.Lock()
        self.observer = observer
        self.before_write = before_write
        self.write_timeout = write_timeout
        self._not_before = 0.0
        self._session = aiohttp.ClientSession(
            connector=connection.rest_client.pool_manager.connector,
            connector_owner=False,
            trust_env=False,
            read_bufsize=2**21,
            headers={"User-Agent": f"rollouts/{__version__}", "Accept": "application/json"},
        )
        # aiohttp would send a PUT or DELETE twice on a broken connection; whether to is ours to decide.
        self._session._retry_connection = False

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await self._connection.close()

    async def lines(
        self, resource: Resource, path: str, params: Mapping[str, str], timeout_seconds: int
    ) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a watch. Raises Unreachable when the connection breaks, or what a 4xx says."""
        timeout = aiohttp.ClientTimeout(
            total=None, connect=CONNECT_TIMEOUT, sock_read=timeout_seconds + WATCH_GRACE
        )
        splitter = wire.LineSplitter()
        await self._pause(READ_TIMEOUT)
        options = await self._auth({})
        try:
            async with self._session.get(
                self._host + path, params=params, timeout=timeout, allow_redirects=False, **options
            ) as answer:
                self._observe("watch", resource, answer.status)
                if answer.status >= 400:
                    raise self._failure(answer.status, await answer.read(), answer.headers)
                _keep_alive(answer)
                async for chunk in answer.content.iter_any():
                    for line in splitter.feed(chunk):
                        yield line
        except (aiohttp.ClientError, TimeoutError) as error:
            raise errors.Unreachable(f"watch of {resource} broke: {_words(error)}") from error

    async def read(
        self, verb: str, resource: Resource | None, path: str, params: Mapping[str, str] | None = None
    ) -> Manifest:
        """GET, once more at once when a kept-alive connection turned out to be dead."""
        for last in (False, True):
            try:
                return await self._attempts(verb, "GET", resource, path, params or {}, None, "", READ_TIMEOUT)
            except aiohttp.ServerDisconnectedError as error:
                if last:
                    raise errors.Unreachable(f"GET {path}: {_words(error)}") from error
            except (aiohttp.ClientError, TimeoutError) as error:
                raise errors.Unreachable(f"GET {path}: {_words(error)}") from error
        raise AssertionError("unreachable")

    async def write(
        self,
        verb: str,
        method: str,
        resource: Resource,
        path: str,
        params: Mapping[str, str],
        body: Any,
        content_type: str = "application/json",
    ) -> Manifest:
        """Send a write. Raises Unreachable when it never left, OutcomeUnknown when its answer is lost."""
        try:
            return await self._attempts(
                verb, method, resource, path, params, body, content_type, self.write_timeout
            )
        except _NEVER_SENT as error:
            raise errors.Unreachable(f"{method} {path} was not sent: {_words(error)}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise errors.OutcomeUnknown(
                f"{method} {path} was sent and its answer lost: {_words(error)}"
            ) from error
        except errors.ServerFailure as error:
            if error.status != 504:
                raise
            raise errors.OutcomeUnknown(
                f"{method} {path}: {error.message}", status=error.status, reason=error.reason, body=error.body
            ) from error

    async def _attempts(
        self,
        verb: str,
        method: str,
        resource: Resource | None,
        path: str,
        params: Mapping[str, str],
        body: Any,
        content_type: str,
        timeout: float,
    ) -> Manifest:
        """Send, and again after a 429 (it was not carried out) or once after a 401 with a fresh token."""
        deadline = self._clock.monotonic() + timeout
        data = None if body is None else orjson.dumps(body)
        renewed = self._refresh is None
        while True:
            await self._pause(deadline - self._clock.monotonic())
            headers = {"Content-Type": content_type} if data is not None else {}
            options = await self._auth(headers)
            remaining = deadline - self._clock.monotonic()
            if remaining <= 0:
                raise errors.Unreachable(
                    f"{method} {path} was not sent: no credentials within {timeout:.0f} s"
                )
            if data is not None and self.before_write is not None:
                self.before_write(remaining)
            status, raw, answer_headers = await self._send(
                verb, method, resource, path, params=params, data=data, remaining=remaining, options=options
            )
            if status < 400:
                return wire.decode(raw)
            error = self._failure(status, raw, answer_headers)
            if isinstance(error, errors.Unauthorized) and not renewed:
                renewed = True
                await self._renew_token()
            elif not isinstance(error, errors.TooManyRequests):
                raise error

    async def _send(
        self,
        verb: str,
        method: str,
        resource: Resource | None,
        path: str,
        *,
        params: Mapping[str, str],
        data: bytes | None,
        remaining: float,
        options: Mapping[str, Any],
    ) -> tuple[int, bytes, Mapping[str, str]]:
        status = 0
        try:
            async with self._session.request(
                method,
                self._host + path,
                params=params,
                data=data,
                timeout=aiohttp.ClientTimeout(total=remaining, connect=min(CONNECT_TIMEOUT, remaining)),
                allow_redirects=False,
                **options,
            ) as answer:
                raw = await answer.read()
                status = answer.status
                return status, raw, answer.headers
        finally:
            self._observe(verb, resource, status)

    def _failure(self, status: int, raw: bytes, headers: Mapping[str, str]) -> errors.KubeError:
        error = wire.failure(status, raw, headers)
        if isinstance(error, errors.TooManyRequests):
            self._not_before = max(self._not_before, self._clock.monotonic() + error.retry_after)
        return error

    async def _pause(self, budget: float) -> None:
        """Wait while the server wants quiet. Raises TooManyRequests when that is longer than ``budget``."""
        wait = self._not_before - self._clock.monotonic()
        if wait <= 0:
            return
        if wait >= budget:
            error = errors.TooManyRequests(
                f"the API server asked for {wait:.1f} s without requests", status=429
            )
            error.retry_after = wait
            raise error
        await self._clock.sleep(wait)

    async def _auth(self, headers: dict[str, str]) -> dict[str, Any]:
        await self._connection.update_params_for_auth(headers, [], ["BearerToken"])
        options: dict[str, Any] = {"headers": headers}
        rest = self._connection.rest_client
        if rest.proxy:
            options |= {"proxy": rest.proxy, "proxy_headers": rest.proxy_headers}
        if rest.server_hostname:
            options["server_hostname"] = rest.server_hostname
        return options

    async def _renew_token(self) -> None:
        if self._refresh is not None:
            async with self._refreshing:
                await self._refresh()

    def _observe(self, verb: str, resource: Resource | None, status: int) -> None:
        if self.observer is not None:
            self.observer(verb, resource, status)


def _keep_alive(answer: aiohttp.ClientResponse) -> None:
    """Have the kernel probe a watch's connection: a server that vanished is noticed in 30 s."""
    transport = answer.connection.transport if answer.connection else None
    connected = transport.get_extra_info("socket") if transport else None
    if connected is None:
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def environment_proxy(host: str) -> str | None:
    """Return the proxy of HTTPS_PROXY or HTTP_PROXY for a URL, unless NO_PROXY excepts it."""
    parts = urlsplit(host)
    if not parts.hostname or urllib.request.proxy_bypass(parts.hostname):
        return None
    return urllib.request.getproxies().get(parts.scheme)
