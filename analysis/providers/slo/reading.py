"""Asks a Prometheus for the numbers: one query, one number, or none where there is no data."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from datetime import datetime

from analysis.conditions.values import FloatVector
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.protocol import Question
from analysis.providers.slo.config import PATH, SloConfig
from analysis.spec.objects import Metric
from analysis.spec.providers import MetricProvider, PrometheusMetric


async def read_numbers(
    prometheus: PrometheusProvider, config: SloConfig, queries: Mapping[str, str], now: datetime
) -> dict[str, float | None]:
    """Return the value of each query at ``now``; None where it gives nothing. Raises ProviderError."""
    found = await asyncio.gather(*(_number(prometheus, config, query, now) for query in queries.values()))
    return dict(zip(queries, found, strict=True))


async def _number(
    prometheus: PrometheusProvider, config: SloConfig, query: str, now: datetime
) -> float | None:
    asked = PrometheusMetric(
        address=config.address,
        query=query,
        authentication=config.authentication,
        timeout=math.ceil(config.timeout),
        insecure=config.insecure,
        headers=config.headers,
    )
    metric = Metric(name="slo", provider=MetricProvider(prometheus=asked))
    try:
        reading = await prometheus.measure(Question(metric=metric, now=now))
    except (BackendError, ConfigurationError) as error:
        raise type(error)(str(error).replace("provider.prometheus", PATH)) from error
    warnings = reading.metadata.get("warnings", "")
    if warnings and not all("PromQL info" in part for part in warnings.split('", "')):
        raise BackendError(f"the answer is incomplete, prometheus warned: {warnings}")
    return _single(reading.result, query)


def _single(result: object, query: str) -> float | None:
    values = list(result) if isinstance(result, FloatVector) else [result]
    if len(values) > 1:
        raise ConfigurationError(
            f"a query of the objective gives {len(values)} series where one number is wanted;"
            f" aggregate it with sum(): {query[:300]}"
        )
    value = values[0] if values else None
    return value if isinstance(value, float) and math.isfinite(value) else None
