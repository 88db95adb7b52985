"""An AnalysisRun as people look at it: each metric's last value, its condition, what its limits leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from analysis.run.plan import MetricPlan, RunRejected, prepare
from analysis.run.schedule import next_measurement
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.status import MetricResult
from rollouts.kube import objects
from rollouts.kube.objects import ReadOnly
from rollouts.workloads import labels


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric: its last measurement against its conditions, counters and limits.

    ``wanted`` is how many measurements there will be (None: without end), ``measured`` how many there were;
    those that ended in an error do not count. A limit of None is switched off.
    ``next_at`` is when it is measured next, "" when never or not known.
    """

    metric: str
    phase: str
    value: str
    condition: str
    message: str
    measured: int
    wanted: int | None
    successful: int
    failed: int
    inconclusive: int
    errors: int
    consecutive_errors: int
    failure_limit: int | None
    inconclusive_limit: int
    consecutive_error_limit: int
    dry_run: bool
    next_at: str

    def standing(self) -> str:
        """Return the last measurement and what is left of the limits, in one line."""
        words = [self.last(), self.progress()]
        if self.failed or (self.failure_limit and self.phase == "Running"):
            words.append(_left("failed", self.failed, self.failure_limit))
        if self.inconclusive:
            words.append(_left("inconclusive", self.inconclusive, self.inconclusive_limit))
        if self.consecutive_errors:
            words.append(_left("errors in a row", self.consecutive_errors, self.consecutive_error_limit))
        if self.dry_run:
            words.append("dry run: it decides nothing")
        return "; ".join(word for word in words if word)

    def last(self) -> str:
        """Return the last value against the condition, or what went wrong."""
        if self.value:
            return f"{self.value} against {self.condition}" if self.condition else self.value
        return self.message or ("" if self.measured else "no measurement yet")

    def progress(self) -> str:
        """Return how many measurements there are of how many."""
        return f"measurement {self.measured} of {self.wanted}" if self.wanted and self.measured else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One AnalysisRun. ``kind`` is Step, Background, PrePromotion or PostPromotion, "" when nobody's."""

    namespace: str
    name: str
    kind: str
    phase: str
    message: str
    age_seconds: int
    metrics: tuple[MetricRow, ...]

    def data(self) -> dict[str, Any]:
        """Return the row as plain data for JSON and YAML."""
        return asdict(self)


def run_row(run: ReadOnly, now: datetime) -> RunRow:
    """Return the row of an AnalysisRun manifest."""
    status = run.get("status") or {}
    created = objects.parse_time(objects.metadata(run).get("creationTimestamp"))
    started = objects.parse_time(status.get("startedAt")) or created or now
    plans = _plans(run)
    results = {str(r.get("name", "")): r for r in status.get("metricResults") or ()}
    return RunRow(
        namespace=objects.namespace_of(run),
        name=objects.name_of(run),
        kind=objects.labels_of(run).get(labels.ROLLOUT_TYPE, ""),
        phase=str(status.get("phase") or "Pending"),
        message=str(status.get("message") or ""),
        age_seconds=int((now - created).total_seconds()) if created else 0,
        metrics=tuple(
            _metric(name, results.get(name) or {}, plans.get(name), started)
            for name in dict.fromkeys((*plans, *results))
        ),
    )


def _plans(run: ReadOnly) -> Mapping[str, MetricPlan]:
    """Return the run's metrics as they are judged; none when the spec cannot be read."""
    try:
        plan = prepare(AnalysisRunSpec.model_validate(run.get("spec") or {}))
    except (ValidationError, RunRejected):
        return {}
    return {metric.name: metric for metric in plan.metrics}


def _metric(name: str, result: ReadOnly, plan: MetricPlan | None, started: datetime) -> MetricRow:
    measurements = result.get("measurements") or ()
    last = measurements[-1] if measurements else {}
    counts = {field: int(result.get(field) or 0) for field in _COUNTERS}
    return MetricRow(
        metric=name,
        phase=str(result.get("phase") or "Pending"),
        value=str(last.get("value") or ""),
        condition=_condition(plan),
        message=str(last.get("message") or result.get("message") or ""),
        measured=sum(counts[field] for field in ("successful", "failed", "inconclusive")),
        wanted=plan.count if plan else None,
        successful=counts["successful"],
        failed=counts["failed"],
        inconclusive=counts["inconclusive"],
        errors=counts["error"],
        consecutive_errors=counts["consecutiveError"],
        failure_limit=plan.failure_limit if plan else 0,
        inconclusive_limit=plan.inconclusive_limit if plan else 0,
        consecutive_error_limit=plan.consecutive_error_limit if plan else 0,
        dry_run=plan.dry_run if plan else bool(result.get("dryRun")),
        next_at=_next(plan, result, started),
    )


_COUNTERS = ("successful", "failed", "inconclusive", "error", "consecutiveError")


def _condition(plan: MetricPlan | None) -> str:
    if plan is None:
        return ""
    success, failure = plan.metric.success_condition, plan.metric.failure_condition
    return " and ".join(text for text in (success, f"not ({failure})" if failure else "") if text)


def _next(plan: MetricPlan | None, result: ReadOnly, started: datetime) -> str:
    if plan is None:
        return ""
    try:
        read = MetricResult.model_validate(result) if result else None
    except ValidationError:
        return ""
    at = next_measurement(plan, read, started)
    return objects.format_time(at) if at else ""


def _left(what: str, used: int, limit: int | None) -> str:
    if limit is None:
        return f"{used} {what}, no limit"
    left = limit - used
    return f"{used} {what}, {limit} tolerated" + (f", {left} left" if left >= 0 else "")
