"""The HTTP side of the store: the part of Prometheus' API that analysis and dashboards use."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import web

from rollouts import __version__
from rollouts.clock import Clock, Randomness
from rollouts.embedded.metrics.answers import Answer, answer_query, answer_query_range, success
from rollouts.embedded.metrics.samples import SampleStore
from rollouts.embedded.metrics.scraper import Scraper
from rollouts.kube.api import KubeApi


class MetricsStore:
    """Scrapes the pods of ``api`` and answers queries on loopback."""

    def __init__(self, api: KubeApi, clock: Clock, randomness: Randomness, *, interval: float = 1.0) -> None:
        self.samples = SampleStore()
        self.address = ""
        self._clock = clock
        self._scraper = Scraper(api, self.samples, clock, randomness, interval=interval)

    async def run(self, stop: asyncio.Event, *, port: int = 0, started: asyncio.Event | None = None) -> None:
        """Serve and scrape until ``stop`` is set; ``address`` is the base URL once ``started`` is set."""
        runner = web.AppRunner(self._application(), access_log=None, handle_signals=False)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
            if started is not None:
                started.set()
            await self._scraper.run(stop)
        finally:
            await runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application()
        for path in ("/api/v1/query", "/api/v1/query_range"):
            application.router.add_get(path, self._query)
            application.router.add_post(path, self._query)
        application.router.add_get("/api/v1/status/buildinfo", self._build)
        application.router.add_get("/-/ready", self._ready)
        application.router.add_get("/-/healthy", self._ready)
        return application

    async def _query(self, request: web.Request) -> web.Response:
        form: dict[str, str] = dict(request.query)
        if request.method == "POST":
            form |= {name: str(value) for name, value in (await request.post()).items()}
        if request.path.endswith("query_range"):
            return _respond(answer_query_range(form, self.samples))
        now = int(self._clock.now().timestamp() * 1000)
        return _respond(answer_query(form, self.samples, now))

    async def _build(self, request: web.Request) -> web.Response:
        return _respond(success({"version": "3.0.0", "revision": f"rollouts-{__version__}"}))

    async def _ready(self, request: web.Request) -> web.Response:
        return web.Response(text="Prometheus-compatible store is Ready.\n")


def _respond(answer: Answer) -> web.Response:
    body: Any = orjson.dumps(answer.body)
    return web.Response(status=answer.status, body=body, content_type="application/json")
