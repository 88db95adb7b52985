"""Scheduler and kubelet of one simulated node, on any API server."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollouts.clock import Clock, Randomness
from rollouts.embedded.workloads.backend import LISTENS_ON, PodAddress, PodBackend
from rollouts.embedded.workloads.keyloop import KeyLoop
from rollouts.embedded.workloads.podstatus import Life, container_at, pod_status
from rollouts.embedded.workloads.program import pre_stop_seconds, read_containers
from rollouts.embedded.workloads.timing import KubeletTiming
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Cache, Change
from rollouts.kube.errors import AlreadyExists, NotFound
from rollouts.kube.objects import (
    NODES,
    PODS,
    Key,
    Manifest,
    ReadOnly,
    annotations_of,
    format_time,
    is_deleting,
    key_of,
    metadata,
    parse_time,
    resource_version,
    uid_of,
)

NODE = "simulated-node"
_DEFAULT_GRACE = 30.0
_OWN_FIELDS = ("phase", "startTime", "hostIP", "podIP", "conditions", "containerStatuses")


@dataclass(slots=True)
class _PodMemory:
    """What the node remembers of one pod: chosen delays and what was started."""

    life: Life
    job_seconds: float
    stops_in: float
    address: PodAddress | None = None
    leaving_since: datetime | None = None


@dataclass(slots=True)
class _Memory:
    by_uid: dict[str, _PodMemory] = field(default_factory=dict)
    by_key: dict[Key, str] = field(default_factory=dict)


class Kubelet:
    """Binds every unbound Pod to one Node, moves it through its life and ends it when it is deleted."""

    def __init__(
        self,
        api: KubeApi,
        cache: Cache,
        clock: Clock,
        randomness: Randomness,
        *,
        backend: PodBackend,
        timing: KubeletTiming,
    ) -> None:
        self._api = api
        self._cache = cache
        self._clock = clock
        self._randomness = randomness
        self._backend = backend
        self._timing = timing
        self._memory = _Memory()
        self.loop = KeyLoop("kubelet", self.reconcile, clock, workers=16)
        cache.on_change(PODS, self._on_pod)

    async def register_node(self) -> None:
        """Create the Node, or leave it when it is there, and report it Ready."""
        with contextlib.suppress(AlreadyExists):
            await self._api.create(NODES, None, node_manifest())
        await self._api.patch(
            NODES, None, NODE, {"status": node_status(self._clock.now())}, subresource="status"
        )

    def _on_pod(self, change: Change, old: Manifest | None, new: Manifest | None) -> None:
        self.loop.add(key_of(new or old or {}))

    async def reconcile(self, key: Key) -> float | None:
        """Do the next thing for one pod; return the seconds until the one after that."""
        pod = self._cache.get(PODS, key.namespace, key.name)
        await self._forget_replaced(key, uid_of(pod) if pod else "")
        if pod is None or (pod.get("spec") or {}).get("nodeName") not in (None, "", NODE):
            return None
        if not (pod.get("spec") or {}).get("nodeName"):
            await self._bind(key, pod)
            return None
        memory = self._remember(key, pod)
        if is_deleting(pod):
            return await self._terminate(key, pod, memory)
        return await self._advance(key, pod, memory)

    async def _bind(self, key: Key, pod: ReadOnly) -> None:
        if is_deleting(pod):
            return
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": key.name}, "target": target}
        await self._api.create(PODS, key.namespace, body, name=key.name, subresource="binding")

    def _remember(self, key: Key, pod: ReadOnly) -> _PodMemory:
        uid = uid_of(pod)
        if uid not in self._memory.by_uid:
            since = parse_time((pod.get("status") or {}).get("startTime"))
            self._memory.by_uid[uid] = _PodMemory(
                life=Life(since or self._clock.now(), self._randomness.uniform(*self._timing.start)),
                job_seconds=self._randomness.uniform(*self._timing.job),
                stops_in=self._randomness.uniform(*self._timing.stop),
            )
            self._memory.by_key[key] = uid
        return self._memory.by_uid[uid]

    async def _forget_replaced(self, key: Key, uid: str) -> None:
        known = self._memory.by_key.get(key)
        if known is None or known == uid:
            return
        del self._memory.by_key[key]
        del self._memory.by_uid[known]
        await self._backend.stop(known)

    async def _advance(self, key: Key, pod: Manifest, memory: _PodMemory) -> float | None:
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            await self._backend.stop(uid_of(pod))
            return None
        now = self._clock.now()
        age = (now - memory.life.bound).total_seconds()
        policy = str((pod.get("spec") or {}).get("restartPolicy", "Always"))
        containers = read_containers(pod, job_seconds=memory.job_seconds)
        states = [container_at(c, policy, memory.life, age, self._timing) for c in containers]
        if memory.address is None and all("waiting" not in s.state for s in states):
            memory.address = await self._start(key, pod)
        ip = memory.address.ip if memory.address else ""
        status = pod_status(pod, containers, states, memory.life, ip, now)
        if differs(pod.get("status") or {}, status):
            await self._write(key, pod, status)
        until = min((s.until for s in states), default=float("inf"))
        return None if until == float("inf") else until - age

    async def _start(self, key: Key, pod: Manifest) -> PodAddress:
        address = await self._backend.start(pod)
        if address.port is not None and annotations_of(pod).get(LISTENS_ON) != str(address.port):
            patch = {"metadata": {"annotations": {LISTENS_ON: str(address.port)}}}
            await self._api.patch(PODS, key.namespace, key.name, patch)
        return address

    async def _write(self, key: Key, pod: ReadOnly, status: Manifest) -> None:
        # Conditions are one list in a merge patch, so a gate's condition that arrived in between must make
        # this write fail; the precondition is dropped where only our own annotation moved the version.
        body: Manifest = {"metadata": {"uid": uid_of(pod)}, "status": status}
        if (pod.get("spec") or {}).get("readinessGates"):
            body["metadata"]["resourceVersion"] = resource_version(pod)
        await self._api.patch(PODS, key.namespace, key.name, body, subresource="status")

    async def _terminate(self, key: Key, pod: ReadOnly, memory: _PodMemory) -> float | None:
        now = self._clock.now()
        memory.leaving_since = memory.leaving_since or now
        grace = float(metadata(pod).get("deletionGracePeriodSeconds", _DEFAULT_GRACE))
        leaves_in = min(grace, pre_stop_seconds(pod) + memory.stops_in)
        left = leaves_in - (now - memory.leaving_since).total_seconds()
        if left > 0:
            return left
        await self._backend.stop(uid_of(pod))
        if metadata(pod).get("finalizers"):
            await self._report_end(key, pod, now)
        with contextlib.suppress(NotFound):
            await self._api.delete(PODS, key.namespace, key.name, uid=uid_of(pod), grace_period_seconds=0)
        return None

    async def _report_end(self, key: Key, pod: ReadOnly, now: datetime) -> None:
        """Write a final phase: whoever set a finalizer on the pod waits for it."""
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return
        await self._api.patch(
            PODS, key.namespace, key.name, {"status": killed_status(pod, now)}, subresource="status"
        )


def differs(seen: ReadOnly, wanted: ReadOnly) -> bool:
    """Tell whether the reported status must be written: any own field is not as wanted."""
    return any(_plain(seen.get(name)) != _plain(wanted.get(name)) for name in _OWN_FIELDS)


def _plain(value: Any) -> Any:
    """Return a value without the empty and defaulted members that an API server adds or drops."""
    if isinstance(value, dict):
        kept = {
            k: _plain(v) for k, v in value.items() if k not in ("allocatedResources", "resources", "user")
        }
        return {k: v for k, v in kept.items() if v not in (None, "", {}, [], False, 0)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def killed_status(pod: ReadOnly, now: datetime) -> Manifest:
    """Return the status of a pod whose containers were stopped by SIGTERM (exit code 143)."""
    status: ReadOnly = pod.get("status") or {}
    ended = {"terminated": {"exitCode": 143, "reason": "Error", "finishedAt": format_time(now)}}
    closed = {"status": "False", "reason": "PodFailed", "lastTransitionTime": format_time(now)}
    return {
        "phase": "Failed",
        "conditions": [
            {**c, **closed} if c["type"] in ("Ready", "ContainersReady") else c
            for c in status.get("conditions") or ()
        ],
        "containerStatuses": [
            {**s, "ready": False, "started": False, "state": ended}
            for s in status.get("containerStatuses") or ()
        ],
    }


def node_manifest() -> Manifest:
    """Return the simulated Node."""
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "type": "simulated"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}}


def node_status(now: datetime) -> Manifest:
    """Return a Ready status with room for every pod."""
    moment = format_time(now)
    room = {"cpu": "1000", "memory": "1Ti", "pods": "100000"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "simulated"}
    times = {"lastHeartbeatTime": moment, "lastTransitionTime": moment}
    return {"capacity": room, "allocatable": room, "conditions": [{**ready, **times}]}
