"""The controller's actions in a few words each. Pure."""

from __future__ import annotations

from typing import assert_never

from rollouts.controllers.rollout import actions as act


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
        case act.AdoptReplicaSet():
            return f"adopt ReplicaSet {action.name}, which no owner controls"
        case act.CopyConfig():
            return f"copy ConfigMap {action.source} to {action.name}"
        case act.OwnConfigCopy():
            return f"keep ConfigMap {action.name} for one more version"
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
        case act.CreateExperiment():
            return f"start Experiment {action.body['metadata']['name']}"
        case act.TerminateExperiment():
            return f"stop Experiment {action.name}"
        case act.DeleteExperiment():
            return f"delete Experiment {action.name}, beyond the history limit"
        case act.PatchRollout():
            return "write spec.replicas: 1" if action.replicas is not None else "write the Rollout's revision"
        case act.EvictPod():
            return f"evict pod {action.name}, which is older than restartAt"
        case act.ScaleWorkload():
            return f"scale Deployment {action.name} from {action.before} to {action.replicas}"
        case _:
            assert_never(action)
