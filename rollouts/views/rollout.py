"""A Rollout as people look at it: what it is doing, its versions, their pods and analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rollouts.kube import objects
from rollouts.kube.objects import ReadOnly
from rollouts.views.analysis import RunRow, run_row
from rollouts.views.pods import PodRow, pod_row
from rollouts.workloads import labels, replicaset
from rollouts.workloads.replicaset import ReplicaSet


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One ReplicaSet: a revision, its roles now (stable, canary, active, preview), its pods."""

    name: str
    revision: int
    hash: str
    roles: tuple[str, ...]
    images: tuple[str, ...]
    desired: int
    ready: int
    available: int
    status: str
    scale_down_at: str
    age_seconds: int
    pods: tuple[PodRow, ...]
    runs: tuple[RunRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """The whole picture of one Rollout."""

    namespace: str
    name: str
    phase: str
    message: str
    strategy: str
    step: str
    set_weight: int | None
    actual_weight: int | None
    desired: int
    current: int
    updated: int
    ready: int
    available: int
    age_seconds: int
    versions: tuple[VersionRow, ...]

    def data(self) -> dict[str, Any]:
        """Return the view as plain data for JSON and YAML."""
        return asdict(self)


def rollout_view(
    rollout: ReadOnly,
    replica_sets: Sequence[objects.Manifest],
    pods: Sequence[objects.Manifest],
    runs: Sequence[objects.Manifest],
    now: datetime,
) -> RolloutView:
    """Return the view of a Rollout from the objects that it owns, newest revision first."""
    spec, status = rollout.get("spec") or {}, rollout.get("status") or {}
    strategy = spec.get("strategy") or {}
    sets = sorted((replicaset.read(rs) for rs in replica_sets), key=lambda rs: (-rs.revision, rs.name))
    steps = (strategy.get("canary") or {}).get("steps") or []
    phase, message = phase_and_message(rollout)
    return RolloutView(
        namespace=objects.namespace_of(rollout),
        name=objects.name_of(rollout),
        phase=phase,
        message=message,
        strategy="BlueGreen" if "blueGreen" in strategy else "Canary",
        step=f"{status.get('currentStepIndex', 0) or 0}/{len(steps)}" if steps else "",
        set_weight=_set_weight(steps, status) if "canary" in strategy else None,
        actual_weight=_actual_weight(sets, status) if "canary" in strategy else None,
        desired=1 if spec.get("replicas") is None else int(spec["replicas"]),
        current=int(status.get("replicas") or 0),
        updated=int(status.get("updatedReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        age_seconds=_age(rollout, now),
        versions=tuple(_version(rs, status, pods, runs, now) for rs in sets),
    )


def phase_and_message(rollout: ReadOnly) -> tuple[str, str]:
    """Return phase and message as a client has to read them: a status behind the spec says nothing."""
    status = rollout.get("status") or {}
    if not status:
        return "Progressing", "waiting for a controller to take note of the Rollout"
    if _is_behind(status.get("observedGeneration"), objects.generation(rollout)):
        return "Progressing", "waiting for rollout spec update to be observed"
    wanted = objects.annotations_of(rollout).get(labels.WORKLOAD_GENERATION, "")
    of_workload = bool((rollout.get("spec") or {}).get("workloadRef")) and wanted.isdigit()
    if of_workload and _is_behind(status.get("workloadObservedGeneration") or "0", int(wanted)):
        return "Progressing", "waiting for rollout spec update to be observed for the reference workload"
    if status.get("controllerPause") and not status.get("pauseConditions"):
        return "Progressing", "waiting for rollout to unpause"
    return str(status.get("phase") or "Progressing"), str(status.get("message") or "")


def _is_behind(observed: object, generation: int) -> bool:
    """Tell whether a status is older; what is no number, or a larger one, was a hash in old releases."""
    text = str(observed or "")
    return text.isdigit() and int(text) < generation


def _set_weight(steps: Sequence[Mapping[str, Any]], status: ReadOnly) -> int | None:
    if status.get("abort"):
        return 0
    if not status.get("currentPodHash"):
        return None
    index = status.get("currentStepIndex")
    if index is None or index >= len(steps):
        return 100
    weights = [step["setWeight"] for step in steps[: index + 1] if step.get("setWeight") is not None]
    return int(weights[-1]) if weights else 0


def _actual_weight(sets: Sequence[ReplicaSet], status: ReadOnly) -> int | None:
    """Return the weight that a router has; without one, the share of the pods."""
    weights = (status.get("canary") or {}).get("weights") or {}
    found = (weights.get("canary") or {}).get("weight") if weights else _ratio(sets, status)
    return None if found is None else int(found)


def _ratio(sets: Sequence[ReplicaSet], status: ReadOnly) -> int | None:
    total = sum(rs.available for rs in sets)
    current = [rs for rs in sets if rs.hash == status.get("currentPodHash")]
    return round(100 * current[0].available / total) if current and total else None


def _age(obj: ReadOnly, now: datetime) -> int:
    created = objects.parse_time(objects.metadata(obj).get("creationTimestamp"))
    return int((now - created).total_seconds()) if created else 0


def _version(
    rs: ReplicaSet,
    status: ReadOnly,
    pods: Sequence[objects.Manifest],
    runs: Sequence[objects.Manifest],
    now: datetime,
) -> VersionRow:
    own = [pod for pod in pods if (objects.controller_owner(pod) or {}).get("uid") == rs.uid]
    template = (rs.manifest.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or ()
    return VersionRow(
        name=rs.name,
        revision=rs.revision,
        hash=rs.hash,
        roles=_roles(rs, status),
        images=tuple(str(c.get("image", "")) for c in containers),
        desired=rs.desired,
        ready=rs.ready,
        available=rs.available,
        status=_version_status(rs),
        scale_down_at=rs.deadline_text,
        age_seconds=_age(rs.manifest, now),
        pods=tuple(pod_row(pod, now) for pod in sorted(own, key=objects.name_of)),
        runs=tuple(run_row(run, now) for run in _runs_of(rs, runs)),
    )


def _roles(rs: ReplicaSet, status: ReadOnly) -> tuple[str, ...]:
    blue_green = status.get("blueGreen") or {}
    stable = bool(rs.hash) and rs.hash == status.get("stableRS")
    is_blue_green = bool(blue_green.get("activeSelector") or blue_green.get("previewSelector"))
    found = []
    if stable:
        found.append("stable")
    elif rs.hash == status.get("currentPodHash") and not is_blue_green:
        found.append("canary")
    if is_blue_green:
        found += [r for r in ("active", "preview") if rs.hash == blue_green.get(f"{r}Selector")]
    return tuple(found)


def _version_status(rs: ReplicaSet) -> str:
    if rs.desired == 0 and rs.replicas == 0:
        return "ScaledDown"
    if rs.failure:
        return "Degraded"
    return "Healthy" if rs.available >= rs.desired and rs.observed else "Progressing"


def _runs_of(rs: ReplicaSet, runs: Sequence[objects.Manifest]) -> Sequence[objects.Manifest]:
    def belongs(run: objects.Manifest) -> bool:
        same_hash = objects.labels_of(run).get(labels.POD_TEMPLATE_HASH) == rs.hash
        return same_hash and objects.annotations_of(run).get(labels.REVISION) == str(rs.revision)

    found = [run for run in runs if belongs(run)]
    return sorted(
        found, key=lambda run: (objects.metadata(run).get("creationTimestamp", ""), objects.name_of(run))
    )


def age(seconds: int) -> str:
    """Return an age as kubectl writes it: 42s, 5m12s, 3h, 2d."""
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 600:
        return f"{seconds // 60}m{seconds % 60}s" if seconds % 60 else f"{seconds // 60}m"
    if seconds < 7200:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 172800 else f"{seconds // 86400}d"
