"""Forwards requests by the routing table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from rollouts.embedded.gateway.balance import Balancer
from rollouts.embedded.gateway.table import Backend, Entry, HeaderEdit, Rule, Seen, find

Endpoints = Mapping[tuple[str, str, int], Sequence[tuple[str, int]]]
"""Ready addresses (ip, port) by namespace, Service and Service port."""

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "content-length",
    }
)


Reach = Callable[[tuple[str, int]], tuple[str, int]]
"""Where an endpoint really listens: a real API server takes no loopback addresses into an EndpointSlice."""


@dataclass(slots=True)
class Routing:
    """What the proxy follows at present; replaced as a whole."""

    table: Sequence[Entry] = ()
    endpoints: Endpoints = field(default_factory=dict)


class Proxy:
    """One listener. 404: no rule; 500: invalid backend; 503: no endpoints; 502, 504: it failed."""

    def __init__(self, *, timeout: float = 10.0, reach: Reach | None = None) -> None:
        self.routing = Routing()
        self._reach = reach
        self.address = ""
        self._balancer = Balancer()
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._group: asyncio.TaskGroup | None = None

    async def run(self, stop: asyncio.Event, *, port: int = 0, started: asyncio.Event | None = None) -> None:
        """Serve on loopback until ``stop`` is set; ``address`` is the base URL once ``started`` is set."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, auto_decompress=False, trust_env=False
            ) as self._session,
            asyncio.TaskGroup() as self._group,
        ):
            await web.TCPSite(runner, "127.0.0.1", port).start()
            self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
            if started is not None:
                started.set()
            try:
                await stop.wait()
            finally:
                await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        rule = find(self.routing.table, see(request))
        if rule is None:
            return web.Response(status=404, text="no route matches\n")
        if rule.unsupported:
            return web.Response(status=500, text=f"not supported here: {rule.unsupported}\n")
        body = await request.read()
        headers = edit(_forwarded(request), rule.request_headers)
        self._mirror(rule, request, headers, body)
        backend = self._choose(rule)
        if backend is None or backend.problem:
            return web.Response(status=500, text="no valid backend\n")
        endpoint = self._endpoint(backend)
        if endpoint is None:
            return web.Response(status=503, text=f"service {backend.service} has no endpoints\n")
        return await self._forward(rule, request, endpoint, headers, body)

    def _choose(self, rule: Rule) -> Backend | None:
        index = self._balancer.weighted(rule.identity, [backend.weight for backend in rule.backends])
        return None if index is None else rule.backends[index]

    def _endpoint(self, backend: Backend) -> tuple[str, int] | None:
        key = (backend.namespace, backend.service, backend.port)
        ready = self.routing.endpoints.get(key, ())
        if not ready:
            return None
        chosen = ready[self._balancer.turn(key, len(ready))]
        return self._reach(chosen) if self._reach else chosen

    async def _forward(
        self,
        rule: Rule,
        request: web.Request,
        endpoint: tuple[str, int],
        headers: CIMultiDict[str],
        body: bytes,
    ) -> web.Response:
        try:
            status, answered, content = await self._send(request, endpoint, headers, body)
        except TimeoutError:
            return web.Response(status=504, text="the backend did not answer in time\n")
        except aiohttp.ClientError:
            return web.Response(status=502, text="the backend could not be reached\n")
        return web.Response(status=status, body=content, headers=edit(answered, rule.response_headers))

    async def _send(
        self, request: web.Request, endpoint: tuple[str, int], headers: CIMultiDict[str], body: bytes
    ) -> tuple[int, CIMultiDict[str], bytes]:
        if self._session is None:
            raise RuntimeError("the proxy is not running")
        url = f"http://{endpoint[0]}:{endpoint[1]}{request.path_qs}"
        async with self._session.request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        ) as response:
            kept = (item for item in response.headers.items() if item[0].lower() not in _HOP_BY_HOP)
            return response.status, CIMultiDict(kept), await response.read()

    def _mirror(self, rule: Rule, request: web.Request, headers: CIMultiDict[str], body: bytes) -> None:
        for place, mirror in enumerate(rule.mirrors):
            identity = (rule.identity, "mirror", place)
            if mirror.backend.problem or not self._balancer.take(
                identity, mirror.numerator, mirror.denominator
            ):
                continue
            endpoint = self._endpoint(mirror.backend)
            if endpoint is not None and self._group is not None:
                self._group.create_task(self._send_copy(request, endpoint, headers, body))

    async def _send_copy(
        self, request: web.Request, endpoint: tuple[str, int], headers: CIMultiDict[str], body: bytes
    ) -> None:
        try:
            await self._send(request, endpoint, headers, body)
        except (TimeoutError, aiohttp.ClientError):
            return


def see(request: web.Request) -> Seen:
    """Return what routing needs of a request."""
    return Seen(
        method=request.method,
        host=request.host.partition(":")[0],
        path=request.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=dict(request.query),
    )


def _forwarded(request: web.Request) -> CIMultiDict[str]:
    return CIMultiDict(item for item in request.headers.items() if item[0].lower() not in _HOP_BY_HOP)


def edit(headers: CIMultiDict[str], edits: Iterable[HeaderEdit]) -> CIMultiDict[str]:
    """Return the headers after the modifiers: set, add, remove, in this order."""
    result = CIMultiDict(headers)
    for change in edits:
        for name, value in change.set.items():
            result[name] = value
        for name, value in change.add.items():
            result.add(name, value)
        for name in change.remove:
            result.popall(name, None)
    return result
