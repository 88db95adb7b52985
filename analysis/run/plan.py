"""A run's spec with every argument put in and every number read: what the state machine works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from analysis.spec.arguments import integer, resolve_metrics, values_without_secrets
from analysis.spec.duration import parse_duration
from analysis.spec.errors import SpecError
from analysis.spec.objects import (
    DEFAULT_CONSECUTIVE_ERROR_LIMIT,
    DEFAULT_FAILURE_LIMIT,
    DEFAULT_INCONCLUSIVE_LIMIT,
    DEFAULT_RETENTION,
    AnalysisRunSpec,
    Metric,
)
from analysis.spec.validation import OFF, matching, validate


class RunRejected(Exception):
    """The run can never be measured as it is written; ``str()`` is the run's message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlan:
    """One metric, ready to be scheduled and assessed.

    ``count`` is None when it goes on without end. ``failure_limit`` and ``consecutive_success_limit`` are
    None when they are switched off. ``metric`` has its arguments in, with placeholders for secrets.
    """

    name: str
    metric: Metric
    interval: timedelta | None
    initial_delay: timedelta | None
    count: int | None
    failure_limit: int | None
    inconclusive_limit: int
    consecutive_error_limit: int
    consecutive_success_limit: int | None
    dry_run: bool = False
    retention: int = DEFAULT_RETENTION


@dataclass(frozen=True, slots=True)
class RunPlan:
    """All metrics of a run, in the order of the spec, and whether somebody asked it to stop."""

    metrics: tuple[MetricPlan, ...]
    terminate: bool = False

    def metric(self, name: str) -> MetricPlan | None:
        """Return one metric by name."""
        return next((metric for metric in self.metrics if metric.name == name), None)


def prepare(spec: AnalysisRunSpec) -> RunPlan:
    """Return the plan of a run. Raises RunRejected with the message that belongs into its status."""
    try:
        resolved = resolve_metrics(spec.metrics, values_without_secrets(spec.args))
    except SpecError as error:
        raise RunRejected(f"Unable to resolve metric arguments: {error}") from error
    try:
        validate(spec.model_copy(update={"metrics": resolved}))
        names = [metric.name for metric in resolved]
        dry = [name for rule in spec.dry_run for name in matching(rule.metric_name, names)]
        kept = _retention(spec, names)
        metrics = tuple(_metric_plan(m, i, m.name in dry, kept) for i, m in enumerate(resolved))
    except SpecError as error:
        raise RunRejected(f"Analysis spec invalid: {error}") from error
    return RunPlan(metrics, spec.terminate)


def _retention(spec: AnalysisRunSpec, names: Sequence[str]) -> Mapping[str, int]:
    kept: dict[str, int] = {}
    for rule in spec.measurement_retention:
        if rule.limit > 0:
            kept.update(dict.fromkeys(matching(rule.metric_name, names), rule.limit))
    return kept


def _metric_plan(metric: Metric, index: int, dry_run: bool, retention: Mapping[str, int]) -> MetricPlan:
    path = f"spec.metrics[{index}]"
    failure_limit = integer(metric.failure_limit, DEFAULT_FAILURE_LIMIT, f"{path}.failureLimit")
    success_limit = integer(metric.consecutive_success_limit, 0, f"{path}.consecutiveSuccessLimit")
    return MetricPlan(
        name=metric.name,
        metric=metric,
        interval=_duration(metric.interval),
        initial_delay=_duration(metric.initial_delay),
        count=_effective_count(metric, f"{path}.count"),
        failure_limit=None if failure_limit == OFF else failure_limit,
        inconclusive_limit=integer(
            metric.inconclusive_limit, DEFAULT_INCONCLUSIVE_LIMIT, f"{path}.inconclusiveLimit"
        ),
        consecutive_error_limit=integer(
            metric.consecutive_error_limit, DEFAULT_CONSECUTIVE_ERROR_LIMIT, f"{path}.consecutiveErrorLimit"
        ),
        consecutive_success_limit=success_limit or None,
        dry_run=dry_run,
        retention=retention.get(metric.name, DEFAULT_RETENTION),
    )


def _duration(text: str) -> timedelta | None:
    return parse_duration(text) if text else None


def _effective_count(metric: Metric, path: str) -> int | None:
    """One without interval, endless with an interval alone or with count 0."""
    count = integer(metric.count, 0, path)
    if count > 0:
        return count
    return None if metric.interval else 1
