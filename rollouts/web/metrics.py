"""``/metrics`` in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from rollouts.clock import Clock
from rollouts.runtime.gauges import ObjectMetric

LINES_AT_ONCE = 2000
"""Lines about objects that are written before the event loop gets its turn: a few milliseconds."""


class _One(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        yield self._family


def metrics_app(registry: CollectorRegistry, clock: Clock) -> web.Application:
    """Return the application. It gives way to the event loop between families, and within large ones."""

    async def metrics(_: web.Request) -> web.Response:
        parts: list[bytes] = []
        for family in registry.collect():
            for part in _parts(family):
                parts.append(part)
                await clock.sleep(0)
        return web.Response(body=b"".join(parts), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app


def _parts(family: Metric) -> Iterator[bytes]:
    """Yield a family's text, piece by piece when it is about objects."""
    if not isinstance(family, ObjectMetric):
        yield _text(family)
        return
    yield _text(Metric(family.name, family.documentation, family.type))
    lines = family.lines()
    while piece := "".join(islice(lines, LINES_AT_ONCE)):
        yield piece.encode()


def _text(family: Metric) -> bytes:
    one: CollectorRegistry = _One(family)  # type: ignore[assignment]
    return generate_latest(one)
