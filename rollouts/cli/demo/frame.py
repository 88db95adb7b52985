"""From a picture to the rows that are shown. Pure; knows nothing of terminals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rollouts.cli.demo.sight import HASH, Sight
from rollouts.cli.demo.story import CANARY_SERVICE, STABLE_SERVICE
from rollouts.kube.objects import ReadOnly, labels_of, name_of

_LAST_VALUES = 6
_LAST_EVENTS = 40


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of the canary and whether it is done, running or still to come."""

    text: str
    state: Literal["done", "now", "next"]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version: what was asked for and what its pods measured. ``asked`` None: no share of its own."""

    version: str
    pod_hash: str
    role: str
    ready: int
    replicas: int
    asked: int | None
    share: float
    rate: float
    errors: float
    p99: float


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of one AnalysisRun: its last values beside the condition that they must meet."""

    version: str
    run: str
    metric: str
    phase: str
    values: Sequence[str]
    condition: str
    counts: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything that one refresh shows."""

    seconds: float
    chapter: str
    commit: str
    sync: str
    health: str
    phase: str
    message: str
    steps: Sequence[StepRow]
    versions: Sequence[VersionRow]
    metrics: Sequence[MetricRow]
    events: Sequence[str]


def frame(sight: Sight, *, seconds: float, chapter: str, commit: str) -> Frame:
    """Return what to show of a picture, ``seconds`` after the start."""
    application: ReadOnly = sight.application.get("status") or {}
    return Frame(
        seconds=seconds,
        chapter=chapter,
        commit=commit,
        sync=str((application.get("sync") or {}).get("status") or "-"),
        health=str((application.get("health") or {}).get("status") or "-"),
        phase=str(sight.status.get("phase") or "-"),
        message=str(sight.status.get("message") or ""),
        steps=step_rows(sight),
        versions=version_rows(sight),
        metrics=metric_rows(sight),
        events=[event_text(event) for event in sight.events[-_LAST_EVENTS:]],
    )


def step_rows(sight: Sight) -> list[StepRow]:
    """Return the canary's steps with their state."""
    strategy: ReadOnly = (sight.rollout.get("spec") or {}).get("strategy") or {}
    steps: Sequence[ReadOnly] = (strategy.get("canary") or {}).get("steps") or ()
    index = sight.status.get("currentStepIndex")
    at = len(steps) if index is None else int(index)
    return [
        StepRow(step_text(step), "done" if i < at else "now" if i == at else "next")
        for i, step in enumerate(steps)
    ]


def step_text(step: ReadOnly) -> str:
    """Return a step in a few words."""
    if "setWeight" in step:
        return f"setWeight {step['setWeight']}"
    if "pause" in step:
        duration = (step["pause"] or {}).get("duration")
        return f"pause {duration}" if duration else "pause"
    if "analysis" in step:
        names = [str(t.get("templateName")) for t in step["analysis"].get("templates") or ()]
        return f"analysis {', '.join(names)}"
    return next(iter(step), "?")


def version_rows(sight: Sight) -> list[VersionRow]:
    """Return a row for each version that has pods or takes traffic, the newest first."""
    rows = [_version_row(sight, replicaset) for replicaset in reversed(sight.replicasets)]
    return [row for row in rows if row.replicas or row.rate or row.role != "old"]


def _version_row(sight: Sight, replicaset: ReadOnly) -> VersionRow:
    pod_hash = labels_of(replicaset).get(HASH, "")
    status: ReadOnly = replicaset.get("status") or {}
    traffic = sight.traffic.get(pod_hash)
    role, asked = _role(sight, pod_hash)
    return VersionRow(
        version=sight.version_of(pod_hash),
        pod_hash=pod_hash,
        role=role,
        ready=int(status.get("readyReplicas") or 0),
        replicas=int((replicaset.get("spec") or {}).get("replicas") or 0),
        asked=asked,
        share=sight.share(sight.version_of(pod_hash)),
        rate=traffic.rate if traffic else 0.0,
        errors=traffic.errors if traffic else 0.0,
        p99=traffic.p99 if traffic else 0.0,
    )


def _role(sight: Sight, pod_hash: str) -> tuple[str, int | None]:
    weights = sight.asked()
    if pod_hash == sight.stable_hash:
        alone = sight.stable_hash == sight.current_hash
        return "stable", 100 if alone else weights.get(STABLE_SERVICE)
    if pod_hash == sight.current_hash:
        return "canary", weights.get(CANARY_SERVICE)
    return "old", None


def metric_rows(sight: Sight) -> list[MetricRow]:
    """Return the metrics of the newest version's AnalysisRuns."""
    return [
        _metric_row(sight, run, result)
        for run in sight.runs_of(sight.current_hash)
        for result in (run.get("status") or {}).get("metricResults") or ()
    ]


def _metric_row(sight: Sight, run: ReadOnly, result: ReadOnly) -> MetricRow:
    metrics: Sequence[ReadOnly] = (run.get("spec") or {}).get("metrics") or ()
    spec = next((m for m in metrics if m.get("name") == result.get("name")), {})
    measurements: Sequence[ReadOnly] = result.get("measurements") or ()
    counted = ("successful", "failed", "inconclusive", "error")
    return MetricRow(
        version=sight.version_of(sight.current_hash),
        run=name_of(run),
        metric=str(result.get("name", "")),
        phase=str(result.get("phase") or "Pending"),
        values=[value_text(m) for m in measurements[-_LAST_VALUES:]],
        condition=str(spec.get("successCondition") or spec.get("failureCondition") or ""),
        counts=", ".join(f"{result[name]} {name}" for name in counted if result.get(name)),
    )


def value_text(measurement: ReadOnly) -> str:
    """Return a measured value with at most four significant digits; without one, its phase and message."""
    raw = str(measurement.get("value") or "").strip("[]")
    try:
        return f"{float(raw):.4g}"
    except ValueError:
        return raw or str(measurement.get("message") or measurement.get("phase") or "")


def milliseconds(seconds: float) -> str:
    """Return a latency in whole milliseconds, "-" when nothing was measured."""
    return f"{seconds * 1000:.0f} ms" if seconds > 0 else "-"


def event_text(event: ReadOnly) -> str:
    """Return an event in one line."""
    involved: ReadOnly = event.get("involvedObject") or event.get("regarding") or {}
    message = str(event.get("message") or event.get("note") or "")
    return f"{involved.get('kind', '')} {involved.get('name', '')}: {event.get('reason', '')}: {message}"
