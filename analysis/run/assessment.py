"""From counters to phases: when a metric is decided, and how the run says so."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.run.plan import MetricPlan
from analysis.spec.status import MetricResult, Phase, is_completed

_SEVERITY = {
    Phase.SUCCESSFUL.value: 0,
    Phase.RUNNING.value: 1,
    Phase.PENDING.value: 2,
    Phase.INCONCLUSIVE.value: 3,
    Phase.ERROR.value: 4,
    Phase.FAILED.value: 5,
}
BAD = frozenset((Phase.FAILED.value, Phase.ERROR.value, Phase.INCONCLUSIVE.value))
"""Phases of a metric that end the whole run (unless it is a dry run)."""


def is_worse(current: str, other: str) -> bool:
    """Tell whether ``other`` is worse: Successful < Running < Pending < Inconclusive < Error < Failed."""
    return _SEVERITY.get(other, 0) > _SEVERITY.get(current, 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A phase, and why ("" when nothing was exceeded)."""

    phase: Phase
    reason: str = ""


def exceeded(metric: MetricPlan, result: MetricResult) -> Verdict | None:
    """Return what the counters have exceeded; of several the last one counts, as upstream."""
    verdict: Verdict | None = None
    if metric.failure_limit is not None and result.failed > metric.failure_limit:
        verdict = Verdict(Phase.FAILED, f"failed ({result.failed}) > failureLimit ({metric.failure_limit})")
    if result.inconclusive > metric.inconclusive_limit:
        verdict = Verdict(
            Phase.INCONCLUSIVE,
            f"inconclusive ({result.inconclusive}) > inconclusiveLimit ({metric.inconclusive_limit})",
        )
    if result.consecutive_error > metric.consecutive_error_limit:
        verdict = Verdict(
            Phase.ERROR,
            f"consecutiveErrors ({result.consecutive_error}) >"
            f" consecutiveErrorLimit ({metric.consecutive_error_limit})",
        )
    return verdict


def assess_metric(metric: MetricPlan, result: MetricResult, *, terminating: bool) -> Verdict:
    """Return the phase of a metric that has a result; a completed phase never changes."""
    if is_completed(result.phase):
        return Verdict(Phase(result.phase), _reason(metric, result))
    if not result.measurements:
        return Verdict(Phase.SUCCESSFUL if terminating else Phase.PENDING)
    if not is_completed(result.measurements[-1].phase):
        return Verdict(Phase.RUNNING)
    verdict = exceeded(metric, result) or _limit_reached(metric, result)
    if verdict is not None:
        return verdict
    return Verdict(Phase.SUCCESSFUL if terminating else Phase.RUNNING)


def _limit_reached(metric: MetricPlan, result: MetricResult) -> Verdict | None:
    wanted = metric.consecutive_success_limit
    if wanted is not None and result.consecutive_success >= wanted:
        return Verdict(Phase.SUCCESSFUL)
    if metric.count is None or result.count < metric.count:
        return None
    if wanted is None:
        return Verdict(Phase.SUCCESSFUL)
    reason = (
        f"consecutiveSuccess ({result.consecutive_success}) < consecutiveSuccessLimit ({wanted})"
        f" after count ({metric.count})"
    )
    return Verdict(Phase.FAILED if metric.failure_limit is None else Phase.INCONCLUSIVE, reason)


def _reason(metric: MetricPlan, result: MetricResult) -> str:
    """Return why a completed metric is what it is, from its counters."""
    verdict = exceeded(metric, result) or _limit_reached(metric, result)
    return verdict.reason if verdict is not None and verdict.phase == result.phase else ""


def run_message(name: str, verdict: Verdict, measured: str) -> str:
    """Return the run's message for its worst metric; ``measured`` is what the last measurement said."""
    if not verdict.reason:
        return ""
    message = f'Metric "{name}" assessed {verdict.phase} due to {verdict.reason}'
    return f'{message}: "Error Message: {measured}"' if measured else message


def dry_run_message(verdict: Verdict) -> str:
    """Return the message of a dry-run metric that would have ended the run."""
    return f"Metric assessed {verdict.phase} due to {verdict.reason}"
