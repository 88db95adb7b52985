"""HTTP for providers: one request in, one bounded answer out, through the egress guard."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import aiohttp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
)

from analysis.providers.egress import EgressPolicy, guarded_socket
from analysis.providers.errors import BackendError, ConfigurationError, EgressRefused

LARGEST_ANSWER = 8 * 1024 * 1024
MOST_HOSTS = 128
"""Hosts to which connections are kept; beyond that the one unused for longest is let go."""
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PORTS = {"http": 80, "https": 443}
_ATTEMPTS = 2
_RECONNECT_SECONDS = 0.2
_BUSY = frozenset((429, 503))
LONGEST_WAIT_SECONDS = 2.0
"""A server that asks to wait longer is not asked again within the same measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request. ``repeatable`` says that sending it twice does no harm (a query).

    ``timeout`` is in seconds, for each attempt. ``tls`` replaces the client's own trust for this request.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    timeout: float
    body: bytes | None = None
    insecure: bool = False
    repeatable: bool = False
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, content type and the whole body. ``retry_after``: the seconds that the server asks to wait."""

    status: int
    content_type: str
    body: bytes
    retry_after: float | None = None


class _Unreachable(BackendError):
    """No connection was made, so nothing was sent."""


@dataclass(slots=True)
class _Host:
    """The connections to one host, and how many requests use them now."""

    session: aiohttp.ClientSession
    users: int = 0


class GuardedHttp:
    """A small HTTP client: guarded, bounded in time and size, no proxies, redirects stay on their host.

    Connections are kept per host, since the guard has to know for which host an address was resolved.
    Close it with ``close`` (or use it as an async context manager).
    """

    def __init__(self, policy: EgressPolicy | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._policy = policy or EgressPolicy()
        self._tls = tls
        self._hosts: dict[str, _Host] = {}

    async def __aenter__(self) -> GuardedHttp:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        hosts = tuple(self._hosts.values())
        self._hosts.clear()
        for host in hosts:
            await host.session.close()

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Send one request. Raises BackendError, ConfigurationError or EgressRefused.

        A repeatable request is sent once more when no connection could be made, or when the server is busy
        (429, 503) and says that a short while is enough.
        """
        if not request.repeatable:
            return await self._within_timeout(request)
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=_pause,
            retry=retry_if_exception_type(_Unreachable) | retry_if_result(_soon_free),
            retry_error_callback=_last,
        )
        return await retrying(self._within_timeout, request)

    async def _within_timeout(self, request: HttpRequest) -> HttpAnswer:
        shown = _shown(request.url)
        try:
            async with asyncio.timeout(request.timeout):
                return await self._follow(request)
        except TimeoutError:
            raise BackendError(f"{request.method} {shown}: no answer within {request.timeout:g} s") from None
        except EgressRefused:
            raise
        except aiohttp.ClientConnectorError as error:
            refused = _refusal(error)
            if refused is not None:
                raise refused from None
            raise _Unreachable(f"{request.method} {shown}: {_reason(error)}") from None
        except (aiohttp.InvalidURL, ValueError) as error:
            raise ConfigurationError(f"{shown!r} is not a URL that can be requested") from error
        except (aiohttp.ClientError, OSError) as error:
            raise BackendError(f"{request.method} {shown}: {_reason(error)}") from None

    async def _follow(self, request: HttpRequest) -> HttpAnswer:
        url = request.url
        for _ in range(_MOST_REDIRECTS):
            status, target, answer = await self._once(request, url)
            if status not in _REDIRECTS or target is None:
                return answer
            following = urljoin(url, target)
            if origin(following) != origin(url):
                raise EgressRefused(
                    f"{_shown(url)} redirects to another host ({_shown(following)}), which is not followed;"
                    " use that address itself if it is wanted"
                )
            if request.method not in ("GET", "HEAD"):
                raise BackendError(f"{request.method} {_shown(url)}: answered with a redirect")
            url = following
        raise BackendError(f"{request.method} {_shown(url)}: too many redirects")

    async def _once(self, request: HttpRequest, url: str) -> tuple[int, str | None, HttpAnswer]:
        host = _host(url)
        self._policy.check_host(host)
        async with (
            self._connected(host) as session,
            session.request(
                request.method,
                url,
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
                ssl=False if request.insecure else (request.tls or self._tls or True),
            ) as response,
        ):
            body = await response.content.read(LARGEST_ANSWER + 1)
            while len(body) <= LARGEST_ANSWER and (more := await response.content.read(LARGEST_ANSWER)):
                body += more
            if len(body) > LARGEST_ANSWER:
                raise BackendError(f"{_shown(url)}: the answer is larger than {LARGEST_ANSWER} bytes")
            wait = _seconds(response.headers.get("Retry-After", ""))
            answer = HttpAnswer(response.status, response.content_type, body, wait)
            return response.status, response.headers.get("Location"), answer

    @asynccontextmanager
    async def _connected(self, name: str) -> AsyncIterator[aiohttp.ClientSession]:
        """Lend the connections to a host, and let go of hosts that are not used any more."""
        host = self._hosts.pop(name, None) or _Host(self._session(name))
        self._hosts[name] = host
        host.users += 1
        try:
            yield host.session
        finally:
            host.users -= 1
            idle = [known for known, other in self._hosts.items() if not other.users]
            for known in idle[: max(0, len(self._hosts) - MOST_HOSTS)]:
                await self._hosts.pop(known).session.close()

    def _session(self, host: str) -> aiohttp.ClientSession:
        policy = self._policy

        def open_socket(info: Any) -> Any:
            return guarded_socket(policy, host, cast("tuple[Any, ...]", info))

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=open_socket, limit=20, ttl_dns_cache=10),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )


def _soon_free(answer: HttpAnswer) -> bool:
    wait = answer.retry_after
    return answer.status in _BUSY and wait is not None and wait <= LONGEST_WAIT_SECONDS


def _pause(state: RetryCallState) -> float:
    """Return the seconds before the next attempt: what a busy server asked for, else a moment."""
    outcome = state.outcome
    if outcome is None or outcome.failed:
        return _RECONNECT_SECONDS
    return float(outcome.result().retry_after)


def _last(state: RetryCallState) -> HttpAnswer:
    """Return the last answer, or raise the last error."""
    return cast("HttpAnswer", cast("Any", state.outcome).result())


def _seconds(text: str) -> float | None:
    """Return a Retry-After in seconds; a date there is taken as "unknown"."""
    return float(text) if text.isdecimal() and len(text) < 8 else None


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{_shown(url)!r} is not an http:// or https:// address")
    return parts.hostname


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port (the scheme's own when none is written). Raises ValueError."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def _shown(url: str) -> str:
    """Return a URL without user, password and query, any of which can hold a secret."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the address"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}" if parts.scheme else url[:100]


def _refusal(error: BaseException) -> EgressRefused | None:
    """Return the guard's refusal behind a connection error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, EgressRefused):
            return seen
        if "is refused: " in str(seen) and "egress to " in str(seen):
            return EgressRefused(str(seen))
        inner = getattr(seen, "os_error", None)
        seen = inner if inner is not None and inner is not seen else seen.__cause__
    return None


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
