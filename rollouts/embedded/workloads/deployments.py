"""The Deployment controller for a cluster that has none: RollingUpdate and Recreate, in their simple form."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from rollouts.clock import Clock
from rollouts.embedded.workloads.keyloop import KeyLoop
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Cache, Change
from rollouts.kube.errors import AlreadyExists
from rollouts.kube.objects import (
    DEPLOYMENTS,
    REPLICASETS,
    Key,
    Manifest,
    ReadOnly,
    annotations_of,
    controller_owner,
    format_time,
    generation,
    is_deleting,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Scale:
    """A ReplicaSet's new size."""

    replicaset: Manifest
    replicas: int


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """What to do for one Deployment now: the ReplicaSet to create, or the sizes to set."""

    create: Manifest | None
    scales: Sequence[Scale]
    status: Manifest


def template_hash(template: ReadOnly) -> str:
    """Return a short digest of a pod template (not the built-in one's figure, but as stable)."""
    digest = hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:10])


def share(value: Any, total: int, *, up: bool) -> int:
    """Return an int-or-percentage of ``total``, rounded up or down."""
    if isinstance(value, str) and value.endswith("%"):
        exact = float(value[:-1]) * total / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)


def plan(deployment: Manifest, replicasets: Sequence[Manifest]) -> DeploymentPlan:
    """Decide from a Deployment and the ReplicaSets that it owns."""
    spec: ReadOnly = deployment.get("spec") or {}
    wanted = int(spec.get("replicas", 1))
    hash_ = template_hash(spec.get("template") or {})
    new = next((r for r in replicasets if labels_of(r).get(HASH_LABEL) == hash_), None)
    old = [r for r in replicasets if r is not new]
    status = _status(deployment, replicasets, new)
    if spec.get("paused"):
        return DeploymentPlan(None, (), status)
    rolling = (spec.get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
    if new is None:
        revision = 1 + max((int(annotations_of(r).get(REVISION, 0)) for r in replicasets), default=0)
        size = 0 if replicasets else wanted
        return DeploymentPlan(_new_replicaset(deployment, hash_, revision, size), (), status)
    scales = _roll(spec, wanted, new, old) if rolling else _recreate(wanted, new, old)
    return DeploymentPlan(None, [s for s in scales if _replicas(s.replicaset) != s.replicas], status)


def _roll(spec: ReadOnly, wanted: int, new: Manifest, old: Sequence[Manifest]) -> list[Scale]:
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    surge = share(rolling.get("maxSurge", "25%"), wanted, up=True)
    unavailable = share(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    total = _replicas(new) + sum(map(_replicas, old))
    room = max(0, wanted + surge - total)
    target = min(wanted, _replicas(new) + room) if _replicas(new) <= wanted else wanted
    available = sum(_counted(r, "availableReplicas") for r in (new, *old))
    # Pods of the new ReplicaSet that are not available yet count as lost, so they cannot be waited for twice.
    spare = max(0, available - (wanted - unavailable))
    scales = [Scale(new, target)]
    for replicaset in old:
        broken = _replicas(replicaset) - _counted(replicaset, "availableReplicas")
        drop = min(_replicas(replicaset), max(0, broken) + spare)
        spare -= drop - max(0, min(broken, drop))
        scales.append(Scale(replicaset, _replicas(replicaset) - drop))
    return scales


def _recreate(wanted: int, new: Manifest, old: Sequence[Manifest]) -> list[Scale]:
    running = sum(_replicas(r) + _counted(r, "replicas") for r in old)
    return [Scale(r, 0) for r in old] if running else [Scale(new, wanted)]


def _replicas(replicaset: ReadOnly) -> int:
    return int((replicaset.get("spec") or {}).get("replicas", 1))


def _counted(replicaset: ReadOnly, field: str) -> int:
    return int((replicaset.get("status") or {}).get(field, 0) or 0)


def _new_replicaset(deployment: Manifest, hash_: str, revision: int, size: int) -> Manifest:
    spec: ReadOnly = deployment["spec"]
    template = spec.get("template") or {}
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: hash_}
    selector = spec.get("selector") or {}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)}-{hash_}",
            "namespace": namespace_of(deployment),
            "labels": labels,
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [owner_reference(deployment, DEPLOYMENTS)],
        },
        "spec": {
            "replicas": size,
            "minReadySeconds": int(spec.get("minReadySeconds", 0) or 0),
            "selector": {
                **selector,
                "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: hash_},
            },
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
        },
    }


def _status(deployment: ReadOnly, replicasets: Sequence[ReadOnly], new: ReadOnly | None) -> Manifest:
    wanted = int((deployment.get("spec") or {}).get("replicas", 1))
    available = sum(_counted(r, "availableReplicas") for r in replicasets)
    return {
        "replicas": sum(_counted(r, "replicas") for r in replicasets),
        "updatedReplicas": _counted(new, "replicas") if new else 0,
        "readyReplicas": sum(_counted(r, "readyReplicas") for r in replicasets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
        "observedGeneration": generation(deployment),
    }


class DeploymentController:
    """Creates ReplicaSets for Deployments and moves replicas between them."""

    def __init__(self, api: KubeApi, cache: Cache, clock: Clock) -> None:
        self._api = api
        self._cache = cache
        self._clock = clock
        self.loop = KeyLoop("deployment", self.reconcile, clock)
        cache.on_change(DEPLOYMENTS, lambda change, old, new: self.loop.add(key_of(new or old or {})))
        cache.on_change(REPLICASETS, self._on_replicaset)

    def _on_replicaset(self, change: Change, old: Manifest | None, new: Manifest | None) -> None:
        replicaset = new or old or {}
        owner = controller_owner(replicaset)
        if owner and owner.get("kind") == DEPLOYMENTS.kind:
            self.loop.add(Key(namespace_of(replicaset), str(owner["name"])))

    async def reconcile(self, key: Key) -> float | None:
        """Bring one Deployment's ReplicaSets and status up to date."""
        deployment = self._cache.get(DEPLOYMENTS, key.namespace, key.name)
        if deployment is None or is_deleting(deployment):
            return None
        todo = plan(deployment, self._cache.indexed(REPLICASETS, "owner", uid_of(deployment)))
        if todo.create is not None:
            with contextlib.suppress(AlreadyExists):
                await self._api.create(REPLICASETS, key.namespace, todo.create)
        for scale in todo.scales:
            patch = {"metadata": {"uid": uid_of(scale.replicaset)}, "spec": {"replicas": scale.replicas}}
            await self._api.patch(REPLICASETS, key.namespace, name_of(scale.replicaset), patch)
        await self._report(key, deployment, todo.status)
        return None

    async def _report(self, key: Key, deployment: ReadOnly, status: Manifest) -> None:
        seen: ReadOnly = deployment.get("status") or {}
        if all((seen.get(name) or 0) == value for name, value in status.items()):
            return
        status = {**status, "conditions": [self._available(deployment, status)]}
        patch = {"metadata": {"uid": uid_of(deployment)}, "status": status}
        await self._api.patch(DEPLOYMENTS, key.namespace, key.name, patch, subresource="status")

    def _available(self, deployment: ReadOnly, status: Manifest) -> Manifest:
        enough = status["unavailableReplicas"] == 0
        return {
            "type": "Available",
            "status": "True" if enough else "False",
            "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            "message": f"{status['availableReplicas']} replicas are available",
            "lastTransitionTime": format_time(self._clock.now()),
            "lastUpdateTime": format_time(self._clock.now()),
        }
