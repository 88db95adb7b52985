"""Step plugins as data: which call is due, and what came of it. Pure.

A plugin's work is an effect of the committed step, so it is called before the decision and its answer is part
of the snapshot, like a live read. Calls may be repeated after a crash: plugins must bear that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from rollouts.api.argoproj.rollout import StepPluginStatus
from rollouts.api.scalars import ScalarError, parse_duration
from rollouts.controllers.rollout.snapshot import RolloutSnapshot
from rollouts.kube.objects import parse_time

Operation = Literal["Run", "Abort", "Terminate"]
Phase = Literal["Running", "Successful", "Failed", "Error"]
EXTRA_BACKOFF = timedelta(seconds=5)
"""Added to the back-off that a plugin asks for, as the peer adds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginCall:
    """One call that is due. ``state`` is what the plugin returned last for this step."""

    index: int
    name: str
    operation: Operation
    config: Any
    state: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginAnswer:
    """What a call returned. ``problem`` is set when there was no plugin to ask: a person must act."""

    call: PluginCall
    phase: Phase = "Successful"
    message: str = ""
    state: Any = None
    requeue_after: timedelta | None = None
    disabled: bool = False
    problem: str = ""


def calls_due(s: RolloutSnapshot) -> tuple[PluginCall, ...]:
    """Return the calls to make before deciding, in order."""
    if s.invalid or s.canary is None or s.new is None or s.status.current_pod_hash != s.new.hash:
        return ()
    if not s.status.stable_rs:
        return ()  # the first version has no steps
    if s.aborted and not s.fully_promoted:
        return tuple(_aborts(s))
    if s.fully_promoted or s.status.promote_full:
        return tuple(_terminations(s))
    return tuple(_runs(s))


def status_of(s: RolloutSnapshot, index: int, operation: Operation) -> StepPluginStatus | None:
    """Return the recorded status of one operation of a step."""
    found = (
        st for st in s.status.canary.step_plugin_statuses if st.index == index and st.operation == operation
    )
    return next(found, None)


def _runs(s: RolloutSnapshot) -> Iterator[PluginCall]:
    step, index = s.step, s.step_index
    if step is None or step.plugin is None or index is None or s.spec.paused or s.status.pause_conditions:
        return
    before = status_of(s, index, "Run")
    if before is not None and before.phase in ("Successful", "Failed"):
        return
    if before is not None and not _due(s, before):
        return
    state = before.status if before else None
    yield PluginCall(
        index=index, name=step.plugin.name, operation="Run", config=step.plugin.config, state=state
    )


def _due(s: RolloutSnapshot, before: StepPluginStatus) -> bool:
    at = due_at(before)
    return at is None or s.now >= at


def due_at(before: StepPluginStatus) -> Any:
    """Return when an unfinished operation is to be called again, None for at once."""
    since = parse_time(before.updated_at)
    if since is None:
        return None
    try:
        backoff = parse_duration(before.backoff) if before.backoff else timedelta()
    except ScalarError:
        backoff = timedelta()
    return since + backoff


def to_undo(operation: str, phase: str, disabled: bool) -> bool:
    """Tell whether an abort has to be told of: a run that has failed has undone its own work, as upstream."""
    return operation == "Run" and phase != "Failed" and not disabled


def _aborts(s: RolloutSnapshot) -> Iterator[PluginCall]:
    ran = [st for st in s.status.canary.step_plugin_statuses if to_undo(st.operation, st.phase, st.disabled)]
    for run in sorted(ran, key=lambda st: -st.index):
        done = status_of(s, run.index, "Abort")
        if done is None or (done.phase == "Error" and _due(s, done)):
            yield _ending(s, run, "Abort")


def _terminations(s: RolloutSnapshot) -> Iterator[PluginCall]:
    running = [
        st
        for st in s.status.canary.step_plugin_statuses
        if st.operation == "Run" and st.phase in ("Running", "Error")
    ]
    if running:
        last = max(running, key=lambda st: st.index)
        if status_of(s, last.index, "Terminate") is None:
            yield _ending(s, last, "Terminate")


def _ending(s: RolloutSnapshot, run: StepPluginStatus, operation: Operation) -> PluginCall:
    step = s.steps[run.index] if run.index < len(s.steps) else None
    config = step.plugin.config if step is not None and step.plugin is not None else None
    return PluginCall(index=run.index, name=run.name, operation=operation, config=config, state=run.status)


def record(statuses: list[Mapping[str, Any]], answer: PluginAnswer, now_text: str) -> list[dict[str, Any]]:
    """Return the list of statuses with an answer written into it."""
    call = answer.call
    kept = [dict(st) for st in statuses]
    old = next(
        (st for st in kept if st.get("index") == call.index and st.get("operation") == call.operation), None
    )
    entry: dict[str, Any] = old if old is not None else {"startedAt": now_text, "executions": 0}
    entry |= {
        "index": call.index,
        "name": call.name,
        "operation": call.operation,
        "phase": answer.phase,
        "updatedAt": now_text,
        "executions": int(entry.get("executions") or 0) + 1,
    }
    for field, value in (
        ("message", answer.message),
        ("status", answer.state),
        ("disabled", answer.disabled),
        ("backoff", _backoff(answer)),
        ("finishedAt", now_text if answer.phase in ("Successful", "Failed") else None),
    ):
        entry.pop(field, None)
        if value:
            entry[field] = value
    return kept if old is not None else [*kept, entry]


def _backoff(answer: PluginAnswer) -> str | None:
    if answer.phase not in ("Running", "Error"):
        return None
    wait = (answer.requeue_after or timedelta()) + EXTRA_BACKOFF
    return f"{wait.total_seconds():g}s"
