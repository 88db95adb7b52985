"""A Rollout as people look at it: what it is doing, its versions, their pods and analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rollouts.kube import objects
from rollouts.kube.objects import ReadOnly
from rollouts.workloads import labels, replicaset
from rollouts.workloads.replicaset import ReplicaSet


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRow:
    """One pod. ``ready`` is "ready/all" containers."""

    name: str
    status: str
    ready: str
    restarts: int
    age_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRow:
    """The last measurement of a metric against its conditions."""

    metric: str
    phase: str
    value: str
    condition: str
    message: str
    successful: int
    failed: int
    inconclusive: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One AnalysisRun of a revision."""

    name: str
    kind: str
    phase: str
    message: str
    age_seconds: int
    metrics: tuple[MeasurementRow, ...]


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
    weights = (status.get("canary") or {}).get("weights") or {}
    steps = (strategy.get("canary") or {}).get("steps") or []
    return RolloutView(
        namespace=objects.namespace_of(rollout),
        name=objects.name_of(rollout),
        phase=phase(rollout),
        message=str(status.get("message") or ""),
        strategy="BlueGreen" if "blueGreen" in strategy else "Canary",
        step=f"{status.get('currentStepIndex', 0) or 0}/{len(steps)}" if steps else "",
        set_weight=_set_weight(steps, status) if "canary" in strategy else None,
        actual_weight=(weights.get("canary") or {}).get("weight") if weights else _ratio(sets, status),
        desired=1 if spec.get("replicas") is None else int(spec["replicas"]),
        current=int(status.get("replicas") or 0),
        updated=int(status.get("updatedReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        age_seconds=_age(rollout, now),
        versions=tuple(_version(rs, status, pods, runs, now) for rs in sets),
    )


def phase(rollout: ReadOnly) -> str:
    """Return the phase, Progressing while the controller has not seen the newest spec."""
    status = rollout.get("status") or {}
    observed = str(status.get("observedGeneration") or "")
    if observed.isdigit() and observed != str(objects.generation(rollout)):
        return "Progressing"
    return str(status.get("phase") or "Progressing")


def _set_weight(steps: Sequence[Mapping[str, Any]], status: ReadOnly) -> int:
    if status.get("abort"):
        return 0
    index = status.get("currentStepIndex")
    if index is None or index >= len(steps):
        return 100
    weights = [step["setWeight"] for step in steps[: index + 1] if step.get("setWeight") is not None]
    return int(weights[-1]) if weights else 0


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
        pods=tuple(_pod(pod, now) for pod in sorted(own, key=objects.name_of)),
        runs=tuple(_run(run, now) for run in _runs_of(rs, runs)),
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


def _pod(pod: ReadOnly, now: datetime) -> PodRow:
    status = pod.get("status") or {}
    containers: Sequence[ReadOnly] = status.get("containerStatuses") or ()
    waiting = [((c.get("state") or {}).get("waiting") or {}).get("reason") for c in containers]
    shown = next((str(reason) for reason in waiting if reason), str(status.get("phase") or "Pending"))
    return PodRow(
        name=objects.name_of(pod),
        status="Terminating" if objects.is_deleting(pod) else shown,
        ready=f"{sum(bool(c.get('ready')) for c in containers)}/{len(containers)}",
        restarts=sum(int(c.get("restartCount") or 0) for c in containers),
        age_seconds=_age(pod, now),
    )


def _run(run: ReadOnly, now: datetime) -> RunRow:
    status = run.get("status") or {}
    specs = {m.get("name"): m for m in (run.get("spec") or {}).get("metrics") or ()}
    return RunRow(
        name=objects.name_of(run),
        kind=objects.labels_of(run).get(labels.ROLLOUT_TYPE, ""),
        phase=str(status.get("phase") or "Pending"),
        message=str(status.get("message") or ""),
        age_seconds=_age(run, now),
        metrics=tuple(_metric(m, specs.get(m.get("name")) or {}) for m in status.get("metricResults") or ()),
    )


def _metric(result: ReadOnly, spec: ReadOnly) -> MeasurementRow:
    measurements: Sequence[ReadOnly] = result.get("measurements") or ()
    last = measurements[-1] if measurements else {}
    success, failure = spec.get("successCondition"), spec.get("failureCondition")
    conditions = [text for text in (success, f"not ({failure})" if failure else None) if text]
    return MeasurementRow(
        metric=str(result.get("name", "")),
        phase=str(result.get("phase") or ""),
        value=str(last.get("value") or ""),
        condition=" and ".join(conditions),
        message=str(last.get("message") or result.get("message") or ""),
        successful=int(result.get("successful") or 0),
        failed=int(result.get("failed") or 0),
        inconclusive=int(result.get("inconclusive") or 0),
        errors=int(result.get("error") or 0),
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
