"""What a template or an objective rests on: queries, and what is wanted of the series in them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.providers.canary.config import NAME as CANARY
from analysis.providers.canary.config import CanaryConfig
from analysis.providers.canary.config import read_config as read_canary
from analysis.providers.slo.config import NAME as SLO
from analysis.providers.slo.config import read_config as read_slo
from analysis.slo.indicator import Measured, read_indicator, threshold_of
from analysis.slo.model import ServiceLevelObjectiveSpec
from analysis.slo.queries import read_selector
from analysis.spec.objects import Metric

USUAL_WINDOW = "5m"


@dataclass(frozen=True, slots=True)
class Subject:
    """One query and what it is for.

    ``result`` says that its own answer is judged. ``labels`` must be on every series. ``edges`` are bucket
    edges, in seconds, that must be there. ``optional`` series, such as errors, may never have been born.
    ``series`` is False where another subject looks at them. ``traffic`` says that it counts all requests,
    ``objective`` is what they are held against. ``lag`` is how old the newest asked sample is, in seconds.
    """

    title: str
    query: str
    result: bool = False
    labels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    optional: bool = False
    series: bool = True
    traffic: bool = False
    objective: float | None = None
    lag: float | None = None


def subjects_of_metric(metric: Metric) -> Iterator[Subject]:
    """Return what a metric with its arguments in rests on. Raises ConfigurationError."""
    title = f"metric {metric.name}"
    prometheus = metric.provider.prometheus
    plugin = metric.provider.plugin or {}
    if prometheus is not None and prometheus.query:
        yield Subject(title, prometheus.query, result=prometheus.range_query is None)
    elif CANARY in plugin:
        yield from _canary(title, read_canary(metric))
    elif SLO in plugin:
        config = read_slo(metric)
        burn = config.burn
        labels = (burn.hash_label or burn.pod_label,) if burn is not None else ()
        yield from subjects_of_objective(title, config.objective(), labels, config.lag)


def _canary(title: str, config: CanaryConfig) -> Iterator[Subject]:
    labels = tuple(filter(None, (config.pod_label, config.hash_label)))
    edges = config.latency.edges if config.latency is not None else ()
    objective = config.slo.objective if config.slo is not None else None
    for index, query in enumerate(config.queries()):
        yield Subject(
            title,
            query,
            labels=labels,
            edges=edges,
            optional=index > 0,
            traffic=index == 0,
            objective=objective if index == 0 else None,
            lag=config.lag,
        )


def subjects_of_objective(
    title: str,
    spec: ServiceLevelObjectiveSpec,
    labels: tuple[str, ...] = (),
    lag: float | None = None,
) -> Iterator[Subject]:
    """Return what an objective rests on. Raises SpecError."""
    measured = read_indicator(spec.indicator)
    yield Subject(title, measured.error_ratio(USUAL_WINDOW), result=True, series=not measured.counts)
    for query, traffic in _parts(measured):
        yield Subject(
            title,
            query,
            labels=labels,
            optional=not traffic,
            traffic=traffic,
            objective=spec.objective if traffic else None,
            lag=lag,
        )
    if spec.indicator.latency is not None and spec.indicator.latency.buckets:
        seconds = _threshold(spec)
        buckets = read_selector(spec.indicator.latency.buckets, "spec.indicator.latency.buckets")
        yield Subject(title, buckets.fill(USUAL_WINDOW), edges=(seconds,))


def _parts(measured: Measured) -> Iterator[tuple[str, bool]]:
    if measured.total is not None:
        yield measured.total_rate(USUAL_WINDOW), True
    if measured.bad is not None:
        yield measured.bad.fill(USUAL_WINDOW), False


def _threshold(spec: ServiceLevelObjectiveSpec) -> float:
    assert spec.indicator.latency is not None  # noqa: S101 - asked for only then
    return threshold_of(spec.indicator.latency).total_seconds()
