"""The ReplicaSet controller for a cluster that has none.

Counting, status and the order of deletion follow the built-in controller
(https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rollouts.clock import Clock
from rollouts.embedded.workloads.keyloop import KeyLoop
from rollouts.embedded.workloads.pods import available_at, from_template, is_active, is_ready, phase, selects
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Cache, Change
from rollouts.kube.errors import KubeError, NotFound
from rollouts.kube.objects import (
    PODS,
    REPLICASETS,
    Key,
    Manifest,
    ReadOnly,
    annotations_of,
    controller_owner,
    generation,
    is_deleting,
    key_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    owner_reference,
    parse_time,
    uid_of,
)

_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASE_RANK = {"Pending": 0, "Unknown": 1, "Running": 2}
_OLDEST = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ReplicaSetPlan:
    """What to do for one ReplicaSet now."""

    create: int
    delete: Sequence[Manifest]
    status: Manifest
    recheck_at: datetime | None


def plan(replicaset: ReadOnly, pods: Sequence[Manifest], now: datetime) -> ReplicaSetPlan:
    """Decide from a ReplicaSet and the pods that it owns."""
    spec: ReadOnly = replicaset.get("spec") or {}
    active = [pod for pod in pods if is_active(pod)]
    missing = int(spec.get("replicas", 1)) - len(active)
    if is_deleting(replicaset):
        missing = 0
    surplus = sorted(active, key=lambda pod: deletion_rank(pod, now))[: max(0, -missing)]
    status, recheck_at = count(replicaset, active, now)
    return ReplicaSetPlan(max(0, missing), surplus, status, recheck_at)


def deletion_rank(pod: ReadOnly, now: datetime) -> tuple[float, ...]:
    """Return a sort key: lower is deleted earlier.

    Unscheduled, then pending, then not ready, then by deletion cost, then shortest time ready (by powers
    of two), then most restarts, then youngest.
    """
    status: ReadOnly = pod.get("status") or {}
    cost = annotations_of(pod).get(_DELETION_COST, "0")
    ready_since = available_at(pod, 0) or now
    created = parse_time(metadata(pod).get("creationTimestamp")) or _OLDEST
    restarts = max((int(s.get("restartCount", 0)) for s in status.get("containerStatuses") or ()), default=0)
    return (
        1.0 if (pod.get("spec") or {}).get("nodeName") else 0.0,
        float(_PHASE_RANK.get(phase(pod), 1)),
        1.0 if is_ready(pod) else 0.0,
        float(cost) if cost.lstrip("-").isdigit() else 0.0,
        _log_bucket(ready_since, now),
        -float(restarts),
        _log_bucket(created, now),
    )


def _log_bucket(since: datetime, now: datetime) -> float:
    return float(int(math.log2(max(1.0, (now - since).total_seconds()))))


def count(
    replicaset: ReadOnly, active: Sequence[ReadOnly], now: datetime
) -> tuple[Manifest, datetime | None]:
    """Return the counted status, and when a ready pod becomes available next."""
    spec: ReadOnly = replicaset.get("spec") or {}
    template_labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    moments = [available_at(pod, int(spec.get("minReadySeconds", 0) or 0)) for pod in active]
    ready = [moment for moment in moments if moment is not None]
    later = [moment for moment in ready if moment > now]
    status = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(template_labels.items() <= labels_of(pod).items() for pod in active),
        "readyReplicas": len(ready),
        "availableReplicas": len(ready) - len(later),
        "observedGeneration": generation(replicaset),
    }
    return status, min(later, default=None)


@dataclass(slots=True)
class _Unseen:
    """Own writes that the watch has not shown yet."""

    created: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)


class ReplicaSetController:
    """Creates, adopts and deletes pods of ReplicaSets, and counts them."""

    def __init__(self, api: KubeApi, cache: Cache, clock: Clock) -> None:
        self._api = api
        self._cache = cache
        self._clock = clock
        self._unseen: dict[str, _Unseen] = {}
        self.loop = KeyLoop("replicaset", self.reconcile, clock)
        cache.on_change(REPLICASETS, lambda change, old, new: self.loop.add(key_of(new or old or {})))
        cache.on_change(PODS, self._on_pod)

    def _on_pod(self, change: Change, old: Manifest | None, new: Manifest | None) -> None:
        for pod in (old, new):
            owner = controller_owner(pod) if pod else None
            if owner and owner.get("kind") == REPLICASETS.kind:
                self.loop.add(Key(namespace_of(pod or {}), str(owner["name"])))
        if new is not None and controller_owner(new) is None:
            for replicaset in self._cache.list(REPLICASETS, namespace_of(new)):
                if selects((replicaset.get("spec") or {}).get("selector"), new):
                    self.loop.add(key_of(replicaset))

    async def reconcile(self, key: Key) -> float | None:
        """Bring one ReplicaSet's pods and status up to date."""
        replicaset = self._cache.get(REPLICASETS, key.namespace, key.name)
        if replicaset is None:
            return None
        if self._waits_for_own_writes(uid_of(replicaset)):
            return None
        await self._adopt(replicaset)
        now = self._clock.now()
        todo = plan(replicaset, self._cache.indexed(PODS, "owner", uid_of(replicaset)), now)
        try:
            await self._carry_out(replicaset, todo)
        finally:
            await self._report(key, replicaset, todo.status)
        return (todo.recheck_at - now).total_seconds() if todo.recheck_at else None

    def _waits_for_own_writes(self, uid: str) -> bool:
        unseen = self._unseen.get(uid)
        if unseen is None:
            return False
        pods = {uid_of(pod): pod for pod in self._cache.indexed(PODS, "owner", uid)}
        unseen.created -= pods.keys()
        unseen.deleted = {u for u in unseen.deleted if u in pods and not is_deleting(pods[u])}
        if unseen.created or unseen.deleted:
            return True
        del self._unseen[uid]
        return False

    async def _adopt(self, replicaset: Manifest) -> None:
        selector = (replicaset.get("spec") or {}).get("selector")
        if is_deleting(replicaset):
            return
        for pod in self._cache.list(PODS, namespace_of(replicaset)):
            if controller_owner(pod) is None and is_active(pod) and selects(selector, pod):
                owners = [
                    *(metadata(pod).get("ownerReferences") or ()),
                    owner_reference(replicaset, REPLICASETS),
                ]
                patch = {"metadata": {"uid": uid_of(pod), "ownerReferences": owners}}
                await self._api.patch(PODS, namespace_of(pod), name_of(pod), patch)

    async def _carry_out(self, replicaset: Manifest, todo: ReplicaSetPlan) -> None:
        unseen = self._unseen.setdefault(uid_of(replicaset), _Unseen())
        for _ in range(todo.create):
            pod = await self._api.create(PODS, namespace_of(replicaset), new_pod(replicaset))
            unseen.created.add(uid_of(pod))
        for pod in todo.delete:
            unseen.deleted.add(uid_of(pod))
            try:
                await self._api.delete(PODS, namespace_of(pod), name_of(pod), uid=uid_of(pod))
            except NotFound:
                unseen.deleted.discard(uid_of(pod))
            except KubeError:
                unseen.deleted.discard(uid_of(pod))
                raise

    async def _report(self, key: Key, replicaset: ReadOnly, status: Manifest) -> None:
        seen: ReadOnly = replicaset.get("status") or {}
        if all((seen.get(name) or 0) == value for name, value in status.items()):
            return
        # Counts of zero are absent, as the built-in controller leaves them, but for ``replicas``.
        kept = {name: value or (0 if name == "replicas" else None) for name, value in status.items()}
        patch = {"metadata": {"uid": uid_of(replicaset)}, "status": kept}
        try:
            await self._api.patch(REPLICASETS, key.namespace, key.name, patch, subresource="status")
        except NotFound:
            return


def new_pod(replicaset: ReadOnly) -> Manifest:
    """Return the Pod to create for a ReplicaSet."""
    pod = from_template((replicaset.get("spec") or {}).get("template") or {})
    pod["metadata"] = {
        **pod["metadata"],
        "generateName": f"{name_of(replicaset)}-",
        "ownerReferences": [owner_reference(replicaset, REPLICASETS)],
    }
    return pod
