"""The next status of a ServiceLevelObjective, and whether it is worth a write. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from analysis.slo.budget import OFTEN, burning, policy_of, reading_of
from analysis.slo.burn import windows_of
from analysis.slo.gate import GateDecision, GateState, decide_gate
from analysis.slo.model import ServiceLevelObjectiveSpec
from analysis.slo.periods import format_period
from rollouts.api.conditions import Status, get_condition
from rollouts.controllers.objective.snapshot import ObjectiveSnapshot
from rollouts.kube.objects import Manifest, format_time, generation, parse_time

READY, DATA_AVAILABLE = "Ready", "DataAvailable"
HEARTBEAT = timedelta(minutes=15)
"""A status that says nothing new is written again after this, so that its reader knows it is looked after."""
NOTICEABLE = 0.005
"""Of the budget: a smaller step is not written."""
NOTICEABLE_RATE = 0.1
"""Of a burn rate, or a tenth of it."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell people, on the objective."""

    reason: str
    message: str
    type: Literal["Normal", "Warning"] = "Normal"


@dataclass(frozen=True, slots=True)
class Decision:
    """``status`` is the whole next one, None when nobody would see a difference."""

    status: Manifest | None
    events: tuple[Event, ...] = ()
    requeue_at: datetime | None = None


class _Verdict(NamedTuple):
    """A condition's status, reason and message."""

    status: Status
    reason: str
    message: str


def decide(s: ObjectiveSnapshot) -> Decision:
    """Return the status that follows from what was read, and when to look again."""
    if s.spec is None:
        ready = _Verdict("False", "InvalidSpec", s.invalid)
        status = _status(
            s, GateState.UNKNOWN, s.invalid, ready, _Verdict("Unknown", "InvalidSpec", s.invalid)
        )
        return _decision(s, status, None)
    status = _unread(s) if s.failure else _read(s, s.spec)
    return _decision(s, status, s.now + OFTEN)


def _unread(s: ObjectiveSnapshot) -> Manifest:
    missing = _Verdict("False", s.failed_by, s.failure)
    return _status(s, GateState.UNKNOWN, f"the error budget is unknown: {s.failure}", missing, missing)


def _read(s: ObjectiveSnapshot, spec: ServiceLevelObjectiveSpec) -> Manifest:
    reading = reading_of(spec, s.numbers, "its queries find no data")
    found = decide_gate(policy_of(spec), reading, s.now)
    ready, data = _verdicts(found, reading.remaining)
    status = _status(s, found.state, found.reason, ready, data)
    if reading.remaining is not None:
        status["remaining"] = f"{reading.remaining:.3f}"
    status["windows"] = list(_windows(spec, s))
    rates = [window["longBurnRate"] for window in status["windows"] if window["longBurnRate"]]
    if rates:
        status["burnRate"] = rates[0]
    return status


def _verdicts(found: GateDecision, remaining: float | None) -> tuple[_Verdict, _Verdict]:
    if remaining is None:
        data = _Verdict("False", "NoData", "the queries find no data over the objective's window")
    else:
        data = _Verdict("True", "DataFound", "the queries find data")
    if found.state is GateState.UNKNOWN:
        return _Verdict("False", "NoData", data.message), data
    return _Verdict("True", "BudgetKnown", "the budget is known"), data


def _windows(spec: ServiceLevelObjectiveSpec, s: ObjectiveSnapshot) -> Iterator[Manifest]:
    for pair in windows_of(spec):
        seen = burning(spec, pair, s.numbers)
        yield {
            "severity": pair.severity,
            "long": format_period(pair.long),
            "short": format_period(pair.short),
            "factor": _rate(float(pair.factor)),
            "longBurnRate": _rate(seen.long),
            "shortBurnRate": _rate(seen.short),
            "firing": seen.fires,
        }


def _rate(rate: float | None) -> str:
    if rate is None:
        return ""
    return f"{rate:.2f}" if rate < 1 else f"{rate:.1f}" if rate < 100 else f"{rate:.0f}"


def _status(
    s: ObjectiveSnapshot, state: GateState, message: str, ready: _Verdict, data: _Verdict
) -> Manifest:
    now = format_time(s.now)
    return {
        "state": state.value,
        "message": message,
        "checkedAt": now,
        "observedGeneration": generation(s.manifest),
        "conditions": [_condition(s, READY, ready, now), _condition(s, DATA_AVAILABLE, data, now)],
    }


def _condition(s: ObjectiveSnapshot, kind: str, verdict: _Verdict, now: str) -> Manifest:
    before = get_condition(s.status.get("conditions"), kind) or {}
    kept = before.get("status") == verdict.status and before.get("lastTransitionTime")
    return {
        "type": kind,
        "status": verdict.status,
        "reason": verdict.reason,
        "message": verdict.message,
        "observedGeneration": generation(s.manifest),
        "lastTransitionTime": kept or now,
    }


def _decision(s: ObjectiveSnapshot, status: Manifest, again: datetime | None) -> Decision:
    if not _differs(s.status, status, s.now, beats=again is not None):
        return Decision(None, requeue_at=again)
    return Decision(status, tuple(_events(s, status)), again)


def _events(s: ObjectiveSnapshot, status: Manifest) -> Iterator[Event]:
    """Tell once that a spec is invalid, and that the gate says something else than before."""
    if s.spec is None:
        before = get_condition(s.status.get("conditions"), READY) or {}
        if before.get("message") != s.invalid:
            yield Event("InvalidSpec", s.invalid, "Warning")
        return
    old, new = str(s.status.get("state") or ""), str(status["state"])
    if old != new and (old or new != GateState.OK):
        well = new == GateState.OK
        yield Event(f"Budget{new.capitalize()}", str(status["message"]), "Normal" if well else "Warning")


def _differs(old: Mapping[str, Any], new: Mapping[str, Any], now: datetime, *, beats: bool) -> bool:
    """Tell whether somebody who reads the status would see a difference worth a write."""
    if any(old.get(name) != new.get(name) for name in ("state", "observedGeneration")):
        return True
    if _signature(old) != _signature(new):
        return True
    if _moved(old.get("remaining"), new.get("remaining"), NOTICEABLE, 0.0):
        return True
    pairs = zip(_rates(old), _rates(new), strict=True)
    if any(_moved(one, other, NOTICEABLE_RATE, NOTICEABLE_RATE) for one, other in pairs):
        return True
    written = parse_time(old.get("checkedAt"))
    return beats and (written is None or now - written >= HEARTBEAT)


def _signature(status: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what is compared exactly: conditions, and which windows there are and fire."""
    conditions = [
        tuple(condition.get(name) for name in ("type", "status", "reason", "message"))
        for condition in status.get("conditions") or ()
    ]
    windows = [
        tuple(window.get(name) for name in ("severity", "long", "short", "factor", "firing"))
        for window in status.get("windows") or ()
    ]
    return conditions, windows


def _rates(status: Mapping[str, Any]) -> Sequence[str]:
    windows = status.get("windows") or ()
    return [str(w.get(name) or "") for w in windows for name in ("longBurnRate", "shortBurnRate")]


def _moved(old: str | None, new: str | None, least: float, share: float) -> bool:
    if not old or not new:
        return bool(old) != bool(new)
    try:
        before, after = float(old), float(new)
    except ValueError:
        return True
    return abs(after - before) > max(least, share * max(abs(before), abs(after)))
