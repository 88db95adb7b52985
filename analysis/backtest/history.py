"""The Prometheus provider of a backtest: points of the past, read many at a time through the client library.

A range query whose step is the metric's interval gives, at each step, exactly what an instant query gives at
that moment; so a backtest of a day asks a few times and not a thousand.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Protocol

from analysis.conditions.values import FloatVector
from analysis.providers.authentication import plain_headers
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.prometheus import QUERY_KEY, PrometheusProvider
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.providers.texts import shown
from analysis.spec.duration import parse_duration
from analysis.spec.objects import Metric
from analysis.spec.providers import PrometheusMetric

POINTS = 500
"""Read at once; a server gives at most 11 000 for each series."""
SINGLE = timedelta(minutes=1)
"""Step for a metric that has no interval."""
Points = dict[float, tuple[float, ...]]
"""Values of all series by Unix second."""


class Ranges(Protocol):
    """Reads a range."""

    async def read(
        self, metric: PrometheusMetric, address: str, start: datetime, end: datetime, step: timedelta
    ) -> Points:
        """Return the values at every step that has any. Raises BackendError."""
        ...


class ClientRanges:
    """Reads ranges with prometheus-api-client, in a thread."""

    async def read(
        self, metric: PrometheusMetric, address: str, start: datetime, end: datetime, step: timedelta
    ) -> Points:
        """Return the values at every step that has any. Raises BackendError."""
        return await asyncio.to_thread(_read, metric, address, start, end, step)


def _read(metric: PrometheusMetric, address: str, start: datetime, end: datetime, step: timedelta) -> Points:
    library = _library()
    client = library.PrometheusConnect(
        url=address,
        headers=dict(plain_headers(metric.headers)),
        disable_ssl=metric.insecure,
        timeout=metric.timeout or 30,
        method="POST",
    )
    try:
        series = client.custom_query_range(
            query=metric.query, start_time=start, end_time=end, step=f"{step.total_seconds():g}"
        )
    except library.PrometheusApiClientException as error:
        raise BackendError(f"prometheus refused the range: {str(error)[:300]}") from error
    except OSError as error:  # what the library's HTTP client raises
        raise BackendError(f"cannot reach {address}: {type(error).__name__}") from error
    points: dict[float, list[float]] = {}
    for one in series:
        for moment, value in one["values"]:
            points.setdefault(float(moment), []).append(float(value))
    return {moment: tuple(values) for moment, values in points.items()}


def _library() -> Any:
    try:
        return importlib.import_module("prometheus_api_client")
    except ImportError:
        raise ConfigurationError(
            "a backtest reads ranges with prometheus-api-client, which is not installed:"
            " pip install 'rollouts[report]'"
        ) from None


class HistoryProvider(Immediate):
    """Answers from ranges that were read; asks ``live`` for what has no grid of its own."""

    name: ClassVar[str] = "prometheus"

    def __init__(self, live: PrometheusProvider, ranges: Ranges, address: str, until: datetime) -> None:
        self._live = live
        self._ranges = ranges
        self._address = address
        self._until = until
        self._known: dict[tuple[str, ...], Points] = {}
        self._grid: dict[tuple[str, ...], tuple[float, float]] = {}

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Return the resolved query."""
        prometheus = metric.provider.prometheus
        return {QUERY_KEY: prometheus.query} if prometheus is not None and prometheus.query else {}

    async def measure(self, question: Question) -> Reading:
        """Return what the query gave at ``question.now``. Raises ProviderError."""
        prometheus = question.metric.provider.prometheus
        address = (prometheus.address if prometheus is not None else "") or self._address
        if prometheus is None or not prometheus.query or not address:
            return await self._live.measure(question)
        if prometheus.range_query is not None or prometheus.authentication is not None:
            return await self._live.measure(question)
        step = _step(question.metric)
        key = (address, prometheus.query, str(step))
        moment = question.now.timestamp()
        if not self._covered(key, moment, step):
            end = max(question.now, min(self._until, question.now + step * POINTS))
            self._known[key] = await self._ranges.read(prometheus, address, question.now, end, step)
            self._grid[key] = (moment, end.timestamp())
        values = FloatVector(self._known[key].get(moment, ()))
        return Reading(values, shown(values), {"resultType": "vector"})

    def _covered(self, key: tuple[str, ...], moment: float, step: timedelta) -> bool:
        """Tell whether a moment lies on the grid that was read; what is not there had no value."""
        start, end = self._grid.get(key, (0.0, -1.0))
        return start <= moment <= end and (moment - start) % step.total_seconds() == 0


def _step(metric: Metric) -> timedelta:
    return parse_duration(metric.interval) if metric.interval else SINGLE


def whole_second(moment: datetime) -> datetime:
    """Return the moment without its fraction, since ranges are read by whole seconds."""
    return datetime.fromtimestamp(int(moment.timestamp()), UTC)
