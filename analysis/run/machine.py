"""One step of a run: fold in what was measured, assess, and say what to do next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from analysis.run.assessment import BAD, Verdict, assess_metric, dry_run_message, is_worse, run_message
from analysis.run.plan import MetricPlan, RunPlan
from analysis.run.schedule import next_measurement, open_measurement, read_time, resume_time, write_time
from analysis.spec.status import AnalysisRunStatus, Measurement, MetricResult, Phase, RunSummary, is_completed

TERMINATED = "Run Terminated"
METRIC_TERMINATED = "Metric Terminated"


class Step(Enum):
    """What to do with a metric."""

    MEASURE = "measure"
    RESUME = "resume"
    TERMINATE = "terminate"


@dataclass(frozen=True, slots=True)
class Due:
    """Something to do now. ``measurement`` is the open one, for RESUME and TERMINATE.

    ``sequence`` counts the measurements taken before; a Finished that answers carries it back. ``state`` is
    the metadata of the metric's result.
    """

    metric: MetricPlan
    step: Step
    sequence: int
    measurement: Measurement | None = None
    state: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of a Due. The measurement may still be open (Running, with ``resume_at``)."""

    metric: str
    step: Step
    sequence: int
    measurement: Measurement
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Goes into the metric's metadata at its first measurement."""
    state: Mapping[str, str] = field(default_factory=dict)
    """Goes over the metric's metadata each time; an empty value removes its key."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A metric (or the run, when ``metric`` is "") that has just been decided."""

    phase: Phase
    metric: str = ""


@dataclass(frozen=True, slots=True)
class NextState:
    """The answer of ``next_state``.

    ``cancel`` names metrics whose measurement in flight is not wanted any more. ``requeue_at`` is the
    earliest moment at which something becomes due by itself.
    """

    status: AnalysisRunStatus
    due: tuple[Due, ...] = ()
    cancel: frozenset[str] = frozenset()
    requeue_at: datetime | None = None
    transitions: tuple[Transition, ...] = ()


def next_state(
    plan: RunPlan,
    status: AnalysisRunStatus,
    finished: Sequence[Finished],
    now: datetime,
    *,
    in_flight: Collection[str] = (),
    ready: Collection[str] = (),
) -> NextState:
    """Return the next status and what to do, from what has been measured since the last call.

    ``in_flight`` names metrics that are being measured at this moment, ``ready`` those whose open
    measurement is known to have ended in the backend, whatever its ``resumeAt`` says. A Finished that was
    not asked for any more (its sequence is old, or its metric is decided) is dropped.
    """
    if is_completed(status.phase):
        return NextState(status, cancel=frozenset(in_flight))
    results = {result.name: result for result in status.metric_results}
    for item in finished:
        metric = plan.metric(item.metric)
        folded = _folded(metric, results.get(item.metric), item, now) if metric is not None else None
        if folded is not None:
            results[item.metric] = folded
    started = read_time(status.started_at) or now
    results, transitions = _assessed(plan, results)
    terminating = _terminating(plan, results)
    due = () if terminating else _to_measure(plan, results, started, now, in_flight)
    due += _to_continue(plan, results, now, in_flight, frozenset(ready), terminating=terminating)
    changed = _with_run_phase(
        plan, status, results, started, now, waiting=bool(terminating and _open(results))
    )
    if is_completed(changed.phase):
        transitions += (Transition(Phase(changed.phase)),)
    still_needed = frozenset(d.metric.name for d in due) | _open(results)
    cancel = (
        frozenset(in_flight) - still_needed
        if terminating
        else frozenset(in_flight) - _undecided(plan, results)
    )
    return NextState(
        changed, due, cancel, _requeue_at(plan, results, started, now, in_flight, terminating), transitions
    )


def rejected(status: AnalysisRunStatus, message: str, now: datetime) -> NextState:
    """Return the end of a run that cannot be measured: phase Error, with the message."""
    if is_completed(status.phase):
        return NextState(status)
    changed = {
        "phase": Phase.ERROR.value,
        "message": message,
        "started_at": status.started_at or write_time(now),
        "completed_at": write_time(now),
    }
    return NextState(status.model_copy(update=changed), transitions=(Transition(Phase.ERROR),))


def sequence_of(result: MetricResult | None) -> int:
    """Return how many measurements of a metric were completed."""
    return 0 if result is None else result.count + result.error


def _folded(
    metric: MetricPlan, result: MetricResult | None, item: Finished, now: datetime
) -> MetricResult | None:
    """Return the metric's result with one more (or one continued) measurement; None for a stale answer."""
    current = result or MetricResult(name=metric.name, phase=Phase.RUNNING.value)
    opened = open_measurement(current)
    stale = item.sequence != sequence_of(current) or is_completed(current.phase)
    if stale or (item.step is Step.MEASURE) != (opened is None):
        return None
    if result is None:
        update = {"dry_run": metric.dry_run, "metadata": dict(item.metadata) or None}
        current = current.model_copy(update={k: v for k, v in update.items() if v})
    if item.state:
        metadata = {**(current.metadata or {}), **item.state}
        current = current.model_copy(update={"metadata": {k: v for k, v in metadata.items() if v} or None})
    measurement = _closed(item, now)
    kept = current.measurements if opened is None else current.measurements[:-1]
    measurements = (*kept, measurement)[-metric.retention :]
    return current.model_copy(update={"measurements": measurements, **_counters(current, measurement.phase)})


def _closed(item: Finished, now: datetime) -> Measurement:
    measurement = item.measurement
    update: dict[str, object] = {}
    if not measurement.started_at:
        update["started_at"] = write_time(now)
    if is_completed(measurement.phase):
        update["resume_at"] = None
        if not measurement.finished_at:
            update["finished_at"] = write_time(now)
        if item.step is Step.TERMINATE and measurement.phase == Phase.SUCCESSFUL:
            update["message"] = METRIC_TERMINATED
    return measurement.model_copy(update=update)


def _counters(result: MetricResult, phase: str) -> dict[str, int]:
    if phase == Phase.ERROR:
        return {
            "error": result.error + 1,
            "consecutive_error": result.consecutive_error + 1,
            "consecutive_success": 0,
        }
    if phase == Phase.SUCCESSFUL:
        return {
            "count": result.count + 1,
            "successful": result.successful + 1,
            "consecutive_error": 0,
            "consecutive_success": result.consecutive_success + 1,
        }
    counted = {Phase.FAILED.value: "failed", Phase.INCONCLUSIVE.value: "inconclusive"}.get(phase)
    if counted is None:
        return {}
    return {
        "count": result.count + 1,
        counted: getattr(result, counted) + 1,
        "consecutive_error": 0,
        "consecutive_success": 0,
    }


Results = dict[str, MetricResult]


def _assessed(plan: RunPlan, results: Results) -> tuple[Results, tuple[Transition, ...]]:
    """Assess all metrics, and once more when that made the run terminate."""
    transitions: list[Transition] = []
    for _ in range(2):
        terminating = _terminating(plan, results)
        for metric in plan.metrics:
            result = results.get(metric.name)
            if result is None:
                continue
            verdict = assess_metric(metric, result, terminating=terminating)
            if result.phase != verdict.phase:
                results[metric.name] = _with_phase(metric, result, verdict)
                if verdict.phase.completed:
                    transitions.append(Transition(verdict.phase, metric.name))
        if terminating == _terminating(plan, results):
            break
    return results, tuple(transitions)


def _with_phase(metric: MetricPlan, result: MetricResult, verdict: Verdict) -> MetricResult:
    message = result.measurements[-1].message if result.measurements else result.message
    if metric.dry_run and verdict.reason:
        message = dry_run_message(verdict)
    return result.model_copy(update={"phase": verdict.phase.value, "message": message})


def _terminating(plan: RunPlan, results: Results) -> bool:
    """Tell whether somebody asked the run to stop, or a metric that counts has ended badly."""
    return plan.terminate or any(
        results[metric.name].phase in BAD
        for metric in plan.metrics
        if metric.name in results and not metric.dry_run
    )


def _open(results: Results) -> frozenset[str]:
    return frozenset(name for name, result in results.items() if open_measurement(result) is not None)


def _undecided(plan: RunPlan, results: Results) -> frozenset[str]:
    return frozenset(
        metric.name
        for metric in plan.metrics
        if metric.name not in results or not is_completed(results[metric.name].phase)
    )


def _to_measure(
    plan: RunPlan, results: Results, started: datetime, now: datetime, in_flight: Collection[str]
) -> tuple[Due, ...]:
    due = []
    for metric in plan.metrics:
        result = results.get(metric.name)
        if metric.name in in_flight or open_measurement(result) is not None:
            continue
        moment = next_measurement(metric, result, started)
        if moment is not None and moment <= now:
            due.append(Due(metric, Step.MEASURE, sequence_of(result), state=_state(result)))
    return tuple(due)


def _state(result: MetricResult | None) -> Mapping[str, str]:
    return (result.metadata or {}) if result is not None else {}


def _to_continue(
    plan: RunPlan,
    results: Results,
    now: datetime,
    in_flight: Collection[str],
    ready: frozenset[str],
    *,
    terminating: bool,
) -> tuple[Due, ...]:
    due = []
    for metric in plan.metrics:
        result = results.get(metric.name)
        opened = open_measurement(result)
        if opened is None or metric.name in in_flight:
            continue
        if terminating or metric.name in ready or resume_time(opened, now) <= now:
            # One that has ended by itself has something to say.
            step = Step.TERMINATE if terminating and metric.name not in ready else Step.RESUME
            due.append(Due(metric, step, sequence_of(result), opened, _state(result)))
    return tuple(due)


def _requeue_at(
    plan: RunPlan,
    results: Results,
    started: datetime,
    now: datetime,
    in_flight: Collection[str],
    terminating: bool,
) -> datetime | None:
    """Return the earliest later moment; metrics that are due now or in flight come back by themselves."""
    if terminating:
        return None
    moments = []
    for metric in plan.metrics:
        result = results.get(metric.name)
        opened = open_measurement(result)
        moment = resume_time(opened, now) if opened else next_measurement(metric, result, started)
        if metric.name not in in_flight and moment is not None and moment > now:
            moments.append(moment)
    return min(moments, default=None)


def _with_run_phase(
    plan: RunPlan,
    status: AnalysisRunStatus,
    results: Results,
    started: datetime,
    now: datetime,
    *,
    waiting: bool,
) -> AnalysisRunStatus:
    phase, message = (Phase.RUNNING.value, "") if waiting else _run_phase(plan, results)
    update: dict[str, object] = {
        "started_at": status.started_at or write_time(started),
        "metric_results": tuple(results[m.name] for m in plan.metrics if m.name in results),
        "run_summary": _summary(plan, results, dry_run=False),
        "dry_run_summary": _summary(plan, results, dry_run=True),
    }
    if phase != status.phase:
        update |= {"phase": phase, "message": message}
        if is_completed(phase):
            update["completed_at"] = write_time(now)
    return status.model_copy(update=update)


def _run_phase(plan: RunPlan, results: Results) -> tuple[str, str]:
    """Return the worst phase of the decided metrics, or Running while one is not decided."""
    worst, message, complete = "", TERMINATED if plan.terminate else "", True
    terminating = _terminating(plan, results)
    for metric in plan.metrics:
        result = results.get(metric.name)
        verdict = None if result is None else assess_metric(metric, result, terminating=terminating)
        if result is None or verdict is None or not verdict.phase.completed:
            complete = False
        elif metric.dry_run:
            worst = worst or Phase.SUCCESSFUL.value
        elif not worst or is_worse(worst, verdict.phase.value):
            worst = verdict.phase.value
            message = run_message(metric.name, verdict, result.message) or message
    if terminating:
        return worst or Phase.SUCCESSFUL.value, message
    return (worst, message) if complete and worst else (Phase.RUNNING.value, "")


def _summary(plan: RunPlan, results: Results, *, dry_run: bool) -> RunSummary | None:
    metrics = [metric for metric in plan.metrics if metric.dry_run is dry_run]
    phases = [results[metric.name].phase for metric in metrics if metric.name in results]
    return RunSummary(
        count=len(metrics),
        successful=phases.count(Phase.SUCCESSFUL),
        failed=phases.count(Phase.FAILED),
        inconclusive=phases.count(Phase.INCONCLUSIVE),
        error=phases.count(Phase.ERROR),
    )
