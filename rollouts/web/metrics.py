"""``/metrics`` in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from rollouts.clock import Clock


class _One(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        yield self._family


def metrics_app(registry: CollectorRegistry, clock: Clock) -> web.Application:
    """Return the application. It gives way to the event loop between metric families."""

    async def metrics(_: web.Request) -> web.Response:
        parts: list[bytes] = []
        for family in registry.collect():
            one: CollectorRegistry = _One(family)  # type: ignore[assignment]
            parts.append(generate_latest(one))
            await clock.sleep(0)
        return web.Response(body=b"".join(parts), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app
