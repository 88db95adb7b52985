"""The end of every decision: conditions, and the events of what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from rollouts.api import conditions as c
from rollouts.controllers.experiment.actions import Decision, EventType
from rollouts.controllers.experiment.decide.draft import Draft

RUNNING: Literal["Running"] = "Running"
_BAD = frozenset(("Failed", "Error", "Inconclusive"))


def refuse_invalid_spec(d: Draft) -> bool:
    """Do nothing for a spec that cannot be carried out, and say why."""
    known = c.get_condition(d.status.get("conditions"), c.INVALID_SPEC)
    if not d.s.invalid:
        if known is not None:
            d.set("conditions", c.remove_condition(d.status.get("conditions"), c.INVALID_SPEC) or None)
        return False
    if known is None or known.get("message") != d.s.invalid:
        new = c.new_condition(c.INVALID_SPEC, "True", c.INVALID_SPEC, d.s.invalid, d.now_text)
        d.set("conditions", c.set_condition(d.status.get("conditions"), new, refresh=True))
        d.tell(c.INVALID_SPEC, d.s.invalid, "Warning")
    d.wait(f"a person: {d.s.invalid}")
    return True


def conclude(d: Draft) -> Decision:
    """Fill in the conditions, tell of transitions, and return the decision."""
    if not d.s.invalid:
        _follow_progress(d)
        _follow_running(d)
        _follow_failures(d)
        for entry in d.status.get("templateStatuses") or ():
            entry.setdefault("status", "Progressing")
    _tell_transitions(d)
    return Decision(
        actions=tuple(d.actions),
        status=d.status,
        events=tuple(d.events),
        requeue_at=d.requeue_at,
        waits=tuple(d.waits),
    )


def _set(d: Draft, kind: str, status: c.Status, reason: str, message: str) -> None:
    new = c.new_condition(kind, status, reason, message, d.now_text)
    d.set("conditions", c.set_condition(d.status.get("conditions"), new))


def _follow_progress(d: Draft) -> None:
    name = d.s.name
    if d.ended:
        _set(d, c.PROGRESSING, "False", "ExperimentCompleted", f'Experiment "{name}" has completed.')
    elif d.status.get("availableAt"):
        text = f'Experiment "{name}" has successfully progressed.'
        _set(d, c.PROGRESSING, "True", "NewReplicaSetAvailable", text)
    else:
        _set(d, c.PROGRESSING, "True", "ReplicaSetUpdated", f'Experiment "{name}" is progressing.')


def _follow_running(d: Draft) -> None:
    name = d.s.name
    if d.phase == RUNNING:
        _set(d, RUNNING, "True", "ExperimentRunning", f'Experiment "{name}" is running.')
    elif c.get_condition(d.status.get("conditions"), RUNNING) is not None:
        _set(d, RUNNING, "False", "ExperimentRunning", f'Experiment "{name}" is not running.')
    if d.ended:
        text = f'Experiment "{name}" has completed: {d.phase}.'
        _set(d, c.COMPLETED, "True", "ExperimentCompleted", text)
    elif c.get_condition(d.status.get("conditions"), c.COMPLETED) is not None:
        _set(d, c.COMPLETED, "False", "ExperimentCompleted", f'Experiment "{name}" is not completed.')


def _follow_failures(d: Draft) -> None:
    failure = next((rs.failure for rs in d.s.replica_sets.values() if rs.failure), None)
    if failure is not None:
        reason, message = str(failure.get("reason", "")), str(failure.get("message", ""))
        _set(d, c.REPLICA_FAILURE, "True", reason, message)
    else:
        d.set("conditions", c.remove_condition(d.status.get("conditions"), c.REPLICA_FAILURE))


def _tell_transitions(d: Draft) -> None:
    before = d.s.status
    known = {t.name: t.status for t in before.template_statuses}
    for entry in d.status.get("templateStatuses") or ():
        _tell(d, "Template", f"Template '{entry['name']}'", known.get(entry["name"], ""), entry, "status")
    known = {run.name: run.phase for run in before.analysis_runs}
    for entry in d.status.get("analysisRuns") or ():
        _tell(
            d, "AnalysisRun", f"AnalysisRun '{entry['name']}'", known.get(entry["name"], ""), entry, "phase"
        )
    _tell(d, "Experiment", "Experiment", before.phase, d.status, "phase")


def _tell(d: Draft, kind: str, subject: str, before: str, now: Mapping[str, Any], field: str) -> None:
    state = str(now.get(field) or "")
    if not state or state == before:
        return
    why = f": {now['message']}" if state in _BAD and now.get("message") else ""
    level: EventType = "Warning" if state in _BAD else "Normal"
    d.tell(f"{kind}{state}", f"{subject} transitioned from {before} -> {state}{why}", level)
