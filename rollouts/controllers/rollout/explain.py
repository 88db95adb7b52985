"""A decision in words: where the Rollout is, what it waits for, what comes next and when. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_never

from rollouts.api.argoproj import rollout as api
from rollouts.api.scalars import ScalarError, format_duration, parse_duration
from rollouts.controllers.rollout import actions as act
from rollouts.controllers.rollout.decide.canary import step_text
from rollouts.controllers.rollout.snapshot import RolloutSnapshot
from rollouts.kube.objects import format_time


def explain(s: RolloutSnapshot, decision: act.Decision) -> dict[str, Any]:
    """Return plain data with the lists ``position``, ``waits``, ``actions`` and ``next``."""
    following = _next_steps(s)
    if decision.requeue_at is not None:
        following.insert(0, f"the controller looks again at {format_time(decision.requeue_at)} at the latest")
    return {
        "name": f"{s.namespace}/{s.name}",
        "phase": decision.status.get("phase", ""),
        "message": decision.status.get("message") or "",
        "position": _position(s),
        "waits": list(decision.waits),
        "actions": [describe(action) for action in decision.actions],
        "next": following,
    }


def _position(s: RolloutSnapshot) -> list[str]:
    lines = []
    for title, rs in (("new version", s.new), ("stable version", s.stable)):
        if rs is not None and not (title == "stable version" and s.new and rs.name == s.new.name):
            lines.append(
                f"{title}: revision {rs.revision} ({rs.hash}), {rs.available} of {rs.desired} pods ready"
            )
    if s.fully_promoted:
        lines.append("the new version is the stable one: no update is under way")
    elif s.step is not None:
        lines.append(f"step {(s.step_index or 0) + 1} of {len(s.steps)}: {step_text(s.step)}")
    elif s.steps:
        lines.append(f"all {len(s.steps)} steps are done")
    weights = s.status.canary.weights
    if weights is not None:
        verified = {True: ", in force", False: ", not seen in force yet", None: ""}[weights.verified]
        lines.append(f"traffic: {weights.canary.weight} to the new version{verified}")
    if s.aborted:
        lines.append("the update is aborted; retry it, or change the spec")
    return lines


def _next_steps(s: RolloutSnapshot) -> list[str]:
    if s.fully_promoted or s.step_index is None or s.aborted:
        return []
    lines = []
    for index, step in enumerate(s.steps[s.step_index :], start=s.step_index):
        lines.append(f"step {index + 1}: {step_text(step)}{_takes(step)}")
    return [*lines, "full promotion"]


def _takes(step: api.CanaryStep) -> str:
    if step.pause is None:
        return ""
    if step.pause.duration is None:
        return " (until a person promotes)"
    try:
        length = parse_duration(step.pause.duration)
    except ScalarError:
        return ""
    return f" ({format_duration(length)})" if length >= timedelta(minutes=1) else ""


def describe(action: act.Action) -> str:  # noqa: C901 - one line per action
    """Return one action in a few words."""
    match action:
        case act.CreateReplicaSet():
            return f"create ReplicaSet {action.body['metadata']['name']}"
        case act.PatchReplicaSet():
            if action.replicas is None:
                return f"annotate ReplicaSet {action.name}: {', '.join(sorted(action.annotations))}"
            return f"scale ReplicaSet {action.name} from {action.before} to {action.replicas}"
        case act.DecoratePods():
            return f"change labels and annotations of the pods of {action.name}"
        case act.DeleteReplicaSet():
            return f"delete ReplicaSet {action.name}, beyond the history limit"
        case act.SwitchService():
            return f"point Service {action.name} at {action.hash}"
        case act.EditRoute():
            return action.edit.summary or f"{action.edit.verb} {action.edit.kind} {action.edit.name}"
        case act.CreateAnalysisRun():
            return f"start AnalysisRun {action.body['metadata']['name']}"
        case act.TerminateAnalysisRun():
            return f"stop AnalysisRun {action.name}"
        case act.DeleteAnalysisRun():
            return f"delete AnalysisRun {action.name}, beyond the history limit"
        case act.PatchRollout():
            return "write spec.replicas: 1" if action.replicas is not None else "write the Rollout's revision"
        case _:
            assert_never(action)
