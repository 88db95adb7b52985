"""The decision about one AnalysisRun: one step of the state machine, put into a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.providers.job import JOB_NAME
from analysis.run.machine import NextState, Transition, next_state, rejected
from analysis.run.plan import RunRejected, prepare
from analysis.run.ttl import delete_at
from analysis.spec.status import AnalysisRunStatus, Phase, is_completed
from rollouts.controllers.analysisrun.actions import (
    Action,
    Cancel,
    Decision,
    DeleteRun,
    DropJob,
    Forget,
    Start,
    Tell,
    WriteStatus,
)
from rollouts.controllers.analysisrun.snapshot import RunSnapshot
from rollouts.kube.mergepatch import merge_patch


def decide(snapshot: RunSnapshot) -> Decision:
    """Return the plan: commit the status, tell people, then start what is due.

    Measurements start after the status that asked for them is committed, so a foreign edit of the run (a
    termination) that came first stops them.
    """
    if is_completed(snapshot.status.phase):
        return _ended(snapshot)
    state = _advanced(snapshot)
    actions: list[Action] = []
    patch = merge_patch(snapshot.manifest.get("status") or {}, state.status.manifest())
    if patch and not _says_nothing_new(snapshot, state):
        actions.append(WriteStatus({"status": patch}, snapshot.finished))
    elif snapshot.finished:
        actions.append(Forget(snapshot.finished))
    actions += [_told(transition) for transition in state.transitions]
    actions += [Cancel(metric) for metric in sorted(state.cancel)]
    actions += [Start(due) for due in state.due]
    actions += [DropJob(name) for name in sorted(_jobs(snapshot.status) - _jobs(state.status))]
    return Decision(tuple(actions), state.requeue_at or delete_at(snapshot.spec, state.status))


def _advanced(snapshot: RunSnapshot) -> NextState:
    problem = snapshot.spec_error or snapshot.rejection
    if problem:
        return rejected(snapshot.status, problem, snapshot.now)
    try:
        plan = prepare(snapshot.spec)
    except RunRejected as error:
        return rejected(snapshot.status, str(error), snapshot.now)
    return next_state(
        plan,
        snapshot.status,
        snapshot.finished,
        snapshot.now,
        in_flight=snapshot.in_flight,
        ready=snapshot.ready,
    )


def _says_nothing_new(snapshot: RunSnapshot, state: NextState) -> bool:
    """Tell whether the patch would only drop zeros that another controller had written out."""
    return state.status.manifest() == snapshot.status.manifest()


def _ended(snapshot: RunSnapshot) -> Decision:
    """Return what is left to do for a finished run: let go of late answers, delete it in time."""
    actions: list[Action] = [Cancel(metric) for metric in sorted(snapshot.in_flight)]
    if snapshot.finished:
        actions.append(Forget(snapshot.finished))
    moment = delete_at(snapshot.spec, snapshot.status)
    if moment is not None and moment <= snapshot.now:
        return Decision((*actions, DeleteRun()))
    return Decision(tuple(actions), moment)


def _told(transition: Transition) -> Tell:
    """Return upstream's event for a decided metric or run."""
    bad = transition.phase in (Phase.FAILED, Phase.ERROR)
    if transition.metric:
        text = f"Metric '{transition.metric}' Completed. Result: {transition.phase}"
        return Tell("Warning" if bad else "Normal", f"Metric{transition.phase}", text)
    text = f"Analysis Completed. Result: {transition.phase}"
    return Tell("Warning" if bad else "Normal", f"AnalysisRun{transition.phase}", text)


def _jobs(status: AnalysisRunStatus) -> frozenset[str]:
    return frozenset(_job_names(status))


def _job_names(status: AnalysisRunStatus) -> Iterator[str]:
    for result in status.metric_results:
        for measurement in result.measurements:
            name = (measurement.metadata or {}).get(JOB_NAME)
            if name:
                yield name
