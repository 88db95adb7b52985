"""Health of live objects on Argo CD's scale."""

from typing import Any

import pytest

from rollouts.gitops.health.kinds import health_of, images_of
from rollouts.gitops.health.model import Health, Level, worst


def obj(api: str, kind: str, spec: Any = None, status: Any = None, **meta: Any) -> dict[str, Any]:
    metadata = {"name": "x", "generation": 2, **meta}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec or {}, "status": status or {}}


def deployment(spec: Any = None, **status: Any) -> dict[str, Any]:
    full = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, **status}
    return obj("apps/v1", "Deployment", {"replicas": 2, **(spec or {})}, full)


def rollout(spec: Any = None, **status: Any) -> dict[str, Any]:
    return obj("argoproj.io/v1alpha1", "Rollout", spec, {"observedGeneration": "2", **status})


def run(phase: str) -> dict[str, Any]:
    return obj("argoproj.io/v1alpha1", "AnalysisRun", status={"phase": phase})


def pod(phase: str, reason: str = "", restart: str = "Always", ready: str = "False") -> dict[str, Any]:
    waiting = [{"state": {"waiting": {"reason": reason}}}] if reason else []
    conditions = [{"type": "Ready", "status": ready}]
    status = {"phase": phase, "containerStatuses": waiting, "conditions": conditions}
    return obj("v1", "Pod", {"restartPolicy": restart}, status)


def conditioned(api: str, kind: str, type_: str, status: str = "True", **rest: Any) -> dict[str, Any]:
    return obj(api, kind, status={"conditions": [{"type": type_, "status": status, **rest}]})


CASES = {
    "deployment done": (deployment(), "Healthy"),
    "deployment paused": (deployment({"paused": True}), "Suspended"),
    "deployment not observed": (deployment(observedGeneration=1), "Progressing"),
    "deployment late": (
        deployment(conditions=[{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]),
        "Degraded",
    ),
    "deployment with few new pods": (deployment(updatedReplicas=1), "Progressing"),
    "deployment with old pods": (deployment(replicas=3), "Progressing"),
    "deployment with pods that are not available": (deployment(availableReplicas=1), "Progressing"),
    "rollout healthy": (rollout(phase="Healthy"), "Healthy"),
    "rollout paused": (rollout(phase="Paused", message="CanaryPauseStep"), "Suspended"),
    "rollout degraded": (rollout(phase="Degraded", message="RolloutAborted: x"), "Degraded"),
    "rollout not observed": (rollout(phase="Healthy", observedGeneration="1"), "Progressing"),
    "rollout with another controller's generation": (
        rollout(phase="Healthy", observedGeneration="7f9c"),
        "Healthy",
    ),
    "rollout of an old controller that aborted": (
        rollout(conditions=[{"type": "Progressing", "reason": "RolloutAborted"}]),
        "Degraded",
    ),
    "rollout of an old controller that pauses": (rollout(pauseConditions=[{}]), "Suspended"),
    "analysis running": (run("Running"), "Progressing"),
    "analysis successful": (run("Successful"), "Healthy"),
    "analysis failed": (run("Failed"), "Degraded"),
    "analysis inconclusive": (run("Inconclusive"), "Unknown"),
    "pod ready": (pod("Running", ready="True"), "Healthy"),
    "pod not ready": (pod("Running"), "Progressing"),
    "pod that cannot pull": (pod("Pending", "ImagePullBackOff"), "Degraded"),
    "pod that runs once and cannot pull": (pod("Pending", "ErrImagePull", "Never"), "Progressing"),
    "pod done": (pod("Succeeded"), "Healthy"),
    "pod failed": (pod("Failed"), "Degraded"),
    "service": (obj("v1", "Service"), "Healthy"),
    "load balancer without address": (obj("v1", "Service", {"type": "LoadBalancer"}), "Progressing"),
    "load balancer": (
        obj("v1", "Service", {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{}]}}),
        "Healthy",
    ),
    "ingress without address": (obj("networking.k8s.io/v1", "Ingress"), "Progressing"),
    "job complete": (conditioned("batch/v1", "Job", "Complete"), "Healthy"),
    "job failed": (conditioned("batch/v1", "Job", "Failed"), "Degraded"),
    "job suspended": (conditioned("batch/v1", "Job", "Suspended"), "Suspended"),
    "job running": (obj("batch/v1", "Job"), "Progressing"),
    "claim bound": (obj("v1", "PersistentVolumeClaim", status={"phase": "Bound"}), "Healthy"),
    "claim lost": (obj("v1", "PersistentVolumeClaim", status={"phase": "Lost"}), "Degraded"),
    "replicaset": (
        obj("apps/v1", "ReplicaSet", {"replicas": 1}, {"observedGeneration": 2, "availableReplicas": 1}),
        "Healthy",
    ),
    "child application": (
        obj("argoproj.io/v1alpha1", "Application", status={"health": {"status": "Degraded"}}),
        "Degraded",
    ),
    "child application not compared": (obj("argoproj.io/v1alpha1", "Application"), "Progressing"),
    "custom and ready": (conditioned("example.com/v1", "Thing", "Ready"), "Healthy"),
    "custom and not ready": (conditioned("example.com/v1", "Thing", "Ready", "False"), "Progressing"),
    "deleting": ({**obj("v1", "ConfigMap", deletionTimestamp="now")}, "Progressing"),
}


@pytest.mark.parametrize(("live", "level"), CASES.values(), ids=CASES)
def test_health(live: dict[str, Any], level: str) -> None:
    found = health_of(live)
    assert found is not None
    assert found.level == level


@pytest.mark.parametrize(
    "live",
    [
        obj("v1", "ConfigMap"),
        obj("example.com/v1", "Thing"),
        obj("batch/v1", "Job", annotations={"argocd.argoproj.io/ignore-healthcheck": "true"}),
    ],
)
def test_kinds_without_health_do_not_count(live: dict[str, Any]) -> None:
    assert health_of(live) is None


def test_the_worst_counts() -> None:
    order = [Level.HEALTHY, Level.SUSPENDED, Level.PROGRESSING, Level.MISSING, Level.DEGRADED, Level.UNKNOWN]
    for index, level in enumerate(order):
        assert worst([Health(one) for one in order[: index + 1]]).level is level
    assert worst([]).level is Level.HEALTHY


def test_images_of_a_workload() -> None:
    containers = {"containers": [{"image": "a"}], "initContainers": [{"image": "b"}]}
    assert images_of({"spec": {"template": {"spec": containers}}}) == ("b", "a")
    assert images_of(obj("v1", "Service")) == ()
