"""A real HTTP server on loopback that answers as a test tells it, and remembers what it was asked."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from analysis.providers.authentication import Credentials
from analysis.providers.http import GuardedHttp
from analysis.providers.protocol import Question
from analysis.spec.objects import Metric

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str


@dataclass
class Backend:
    """A running server."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)


Respond = Callable[[Asked], "web.Response | Awaitable[web.Response]"]


@asynccontextmanager
async def serving(respond: Respond, tls: ssl.SSLContext | None = None) -> AsyncIterator[Backend]:
    backend = Backend()

    async def handle(request: web.Request) -> web.Response:
        seen = Asked(
            request.method, request.path, dict(request.query), dict(request.headers), (await request.text())
        )
        backend.asked.append(seen)
        answer = respond(seen)
        return await answer if isinstance(answer, Awaitable) else answer

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    backend.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield backend
    finally:
        await runner.cleanup()


async def never(_: Asked) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


def question(**provider: Any) -> Question:
    metric = Metric.model_validate({"name": "m", "provider": provider})
    return Question(metric=metric, now=NOW)


def credentials(http: GuardedHttp) -> Credentials:
    return Credentials(http, lambda: NOW)
