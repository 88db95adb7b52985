"""Health rules by kind, after Argo CD's (``reference: gitops-engine health, bundled resource checks``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rollouts.api.conditions import get_condition
from rollouts.gitops.diff.tracking import group_of
from rollouts.gitops.health.model import Health, Level
from rollouts.kube.objects import ReadOnly, annotations_of, generation, is_deleting

IGNORE = "argocd.argoproj.io/ignore-healthcheck"

_HEALTHY = Health(Level.HEALTHY)


def health_of(live: ReadOnly) -> Health | None:
    """Return the health of a live object; None when its kind has no rule, or it is to be ignored."""
    if annotations_of(live).get(IGNORE) == "true":
        return None
    if is_deleting(live):
        return Health(Level.PROGRESSING, "Pending deletion")
    rule = _RULES.get((group_of(live), str(live.get("kind", ""))))
    return rule(live, live.get("spec") or {}, live.get("status") or {}) if rule else _generic(live)


def _deployment(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    if spec.get("paused"):
        return Health(Level.SUSPENDED, "Deployment is paused")
    if generation(live) > int(status.get("observedGeneration") or 0):
        return Health(Level.PROGRESSING, "Waiting for rollout to finish: the new spec is not observed yet")
    progressing = get_condition(status.get("conditions"), "Progressing")
    if progressing is not None and progressing.get("reason") == "ProgressDeadlineExceeded":
        return Health(Level.DEGRADED, "Deployment exceeded its progress deadline")
    desired = _desired(spec)
    updated, available = _count(status, "updatedReplicas"), _count(status, "availableReplicas")
    if updated < desired:
        return _waiting(f"{updated} out of {desired} new replicas have been updated")
    if _count(status, "replicas") > updated:
        return _waiting(f"{_count(status, 'replicas') - updated} old replicas are pending termination")
    if available < updated:
        return _waiting(f"{available} of {updated} updated replicas are available")
    return _HEALTHY


def _stateful_set(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    if generation(live) > int(status.get("observedGeneration") or 0):
        return _waiting("the new spec is not observed yet")
    desired, ready = _desired(spec), _count(status, "readyReplicas")
    if ready < desired:
        return _waiting(f"{ready} of {desired} pods are ready")
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return _HEALTHY
    if status.get("updateRevision") != status.get("currentRevision"):
        return _waiting("not all pods have the new revision")
    return _HEALTHY


def _daemon_set(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    if generation(live) > int(status.get("observedGeneration") or 0):
        return _waiting("the new spec is not observed yet")
    desired = _count(status, "desiredNumberScheduled")
    if _count(status, "updatedNumberScheduled") < desired or _count(status, "numberAvailable") < desired:
        return _waiting(f"{_count(status, 'numberAvailable')} of {desired} pods are available")
    return _HEALTHY


def _replica_set(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    if generation(live) > int(status.get("observedGeneration") or 0):
        return _waiting("the new spec is not observed yet")
    failure = get_condition(status.get("conditions"), "ReplicaFailure")
    if failure is not None and failure.get("status") == "True":
        return Health(Level.DEGRADED, str(failure.get("message", "")))
    available, desired = _count(status, "availableReplicas"), _desired(spec)
    return _waiting(f"{available} of {desired} replicas are available") if available < desired else _HEALTHY


def _pod(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = str(waiting.get("reason", ""))
        bad = reason.startswith("Err") or reason.endswith(("Error", "BackOff"))
        if bad and spec.get("restartPolicy", "Always") == "Always":
            return Health(Level.DEGRADED, f"{reason}: {waiting.get('message', '')}".removesuffix(": "))
    match status.get("phase"):
        case "Succeeded":
            return _HEALTHY
        case "Failed":
            return Health(Level.DEGRADED, str(status.get("message") or status.get("reason") or "pod failed"))
        case "Running":
            ready = get_condition(status.get("conditions"), "Ready")
            done = ready is not None and ready.get("status") == "True"
            once = spec.get("restartPolicy", "Always") != "Always"
            return _HEALTHY if done and not once else Health(Level.PROGRESSING)
        case "Pending":
            return Health(Level.PROGRESSING, str(status.get("message") or ""))
        case _:
            return Health(Level.UNKNOWN, str(status.get("message") or ""))


def _job(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    for condition in status.get("conditions") or ():
        if condition.get("status") != "True":
            continue
        match condition.get("type"):
            case "Failed":
                return Health(Level.DEGRADED, str(condition.get("message", "")))
            case "Complete":
                return Health(Level.HEALTHY, str(condition.get("message", "")))
            case "Suspended":
                return Health(Level.SUSPENDED, str(condition.get("message", "")))
    return Health(Level.PROGRESSING)


def _service(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    if spec.get("type") != "LoadBalancer" or (status.get("loadBalancer") or {}).get("ingress"):
        return _HEALTHY
    return Health(Level.PROGRESSING, "waiting for the load balancer")


def _ingress(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    done = bool((status.get("loadBalancer") or {}).get("ingress"))
    return _HEALTHY if done else Health(Level.PROGRESSING, "waiting for the load balancer")


def _claim(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    match status.get("phase"):
        case "Bound":
            return _HEALTHY
        case "Lost":
            return Health(Level.DEGRADED, "the volume is lost")
        case "Pending":
            return Health(Level.PROGRESSING)
        case _:
            return Health(Level.UNKNOWN)


def _rollout(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    observed = str(status.get("observedGeneration") or "")
    if observed in ("", "0") or (observed.isdecimal() and int(observed) != generation(live)):
        return _waiting("the new spec is not observed yet")
    message = str(status.get("message") or "")
    match status.get("phase"):
        case "Paused":
            return Health(Level.SUSPENDED, message)
        case "Healthy" | "Progressing" | "Degraded" as phase:
            return Health(Level(phase), message)
    invalid = get_condition(status.get("conditions"), "InvalidSpec")
    progressing = get_condition(status.get("conditions"), "Progressing") or {}
    if invalid is not None or progressing.get("reason") in ("RolloutAborted", "ProgressDeadlineExceeded"):
        return Health(Level.DEGRADED, str((invalid or progressing).get("message", "")))
    if status.get("pauseConditions") or spec.get("paused"):
        return Health(Level.SUSPENDED, "Rollout is paused")
    return Health(Level.PROGRESSING, message)


def _analysis_run(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    message = str(status.get("message") or "")
    match status.get("phase"):
        case "Successful":
            return Health(Level.HEALTHY, message)
        case "Failed" | "Error":
            return Health(Level.DEGRADED, message)
        case "Inconclusive":
            return Health(Level.UNKNOWN, message)
        case _:
            return Health(Level.PROGRESSING, message)


def _experiment(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    return _analysis_run(live, spec, status)


def _application(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    """An app of apps waits for its children: on by default, unlike at the peer."""
    health = status.get("health") or {}
    level = health.get("status")
    if level not in set(Level):
        return Health(Level.PROGRESSING, "not compared yet")
    return Health(Level(level), str(health.get("message") or ""))


def _autoscaler(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    for condition in status.get("conditions") or ():
        if condition.get("status") == "False" and str(condition.get("reason", "")).startswith("Failed"):
            return Health(Level.DEGRADED, str(condition.get("message", "")))
    return _HEALTHY


def _api_service(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    available = get_condition(status.get("conditions"), "Available")
    if available is None or available.get("status") != "True":
        return Health(Level.PROGRESSING, str((available or {}).get("message", "")))
    return _HEALTHY


def _definition(live: ReadOnly, spec: ReadOnly, status: ReadOnly) -> Health:
    established = get_condition(status.get("conditions"), "Established")
    done = established is not None and established.get("status") == "True"
    return _HEALTHY if done else Health(Level.PROGRESSING, "not established yet")


def _generic(live: ReadOnly) -> Health | None:
    """A custom object that reports a Ready condition is taken by its word; others have no health."""
    status = live.get("status")
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    if not isinstance(conditions, list):
        return None
    ready = next((c for c in conditions if isinstance(c, Mapping) and c.get("type") == "Ready"), None)
    if ready is None or not group_of(live).count("."):
        return None
    message = str(ready.get("message", ""))
    match ready.get("status"):
        case "True":
            return Health(Level.HEALTHY, message)
        case "False":
            return Health(Level.PROGRESSING, message)
        case _:
            return Health(Level.UNKNOWN, message)


def _waiting(message: str) -> Health:
    return Health(Level.PROGRESSING, f"Waiting for rollout to finish: {message}")


def _count(status: ReadOnly, field: str) -> int:
    return int(status.get(field) or 0)


def _desired(spec: ReadOnly) -> int:
    replicas = spec.get("replicas")
    return 1 if replicas is None else int(replicas)


_Rule = Callable[[ReadOnly, ReadOnly, ReadOnly], Health]
_RULES: Mapping[tuple[str, str], _Rule] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("", "Pod"): _pod,
    ("batch", "Job"): _job,
    ("", "Service"): _service,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("", "PersistentVolumeClaim"): _claim,
    ("argoproj.io", "Rollout"): _rollout,
    ("argoproj.io", "AnalysisRun"): _analysis_run,
    ("argoproj.io", "Experiment"): _experiment,
    ("argoproj.io", "Application"): _application,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("apiregistration.k8s.io", "APIService"): _api_service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}


def images_of(live: ReadOnly) -> tuple[str, ...]:
    """Return the images of a live workload, as ``status.summary`` lists them."""
    spec: Any = live.get("spec") or {}
    template = spec.get("template") if isinstance(spec, Mapping) else None
    pod = (template.get("spec") if isinstance(template, Mapping) else None) or {}
    found = [c.get("image") for c in [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]]
    return tuple(str(image) for image in found if image)
