"""What must hold at every change of the store, whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rollouts.clock import Clock
from rollouts.embedded.store import Change, Collection
from rollouts.kube.objects import (
    HTTP_ROUTES,
    ROLLOUTS,
    Manifest,
    ReadOnly,
    Resource,
    annotations_of,
    generation,
    uid_of,
)
from rollouts.simulation.mirror import (
    Mirror,
    backend_weights,
    desired,
    hash_of,
    route_name,
    strategy_of,
)
from rollouts.workloads import labels
from rollouts.workloads.canary_scale import bounds
from rollouts.workloads.configcopies import references

SUCCESSOR_SECONDS = 5.0
"""How long the successor of an evicted pod may take to be Ready."""


class Invariants:
    """Watches one Rollout and all that belongs to it; ``violations`` stays empty.

    ``latency`` is the longest time in seconds that a watch event and the request that follows may take:
    later than that after an abort no weight may rise, seen or not. For as long, and until a new pod is there,
    pods that others evicted are nobody's fault.
    """

    def __init__(self, clock: Clock, latency: float) -> None:
        self.violations: list[str] = []
        self.created: Counter[str] = Counter()
        self.mirror = Mirror()
        self._clock = clock
        self._latency = latency
        self._abort_seen: set[str] = set()
        self._sent_knowing: dict[str, frozenset[str]] = {}
        self._aborted_at: dict[str, float] = {}
        self._evicted: dict[str, float] = {}
        self._least = 0
        self._most = 0

    def saw(self, resource: Resource, obj: Manifest) -> None:
        """Note that a controller knows a state of a Rollout."""
        if resource != ROLLOUTS:
            return
        if (obj.get("status") or {}).get("abort"):
            self._abort_seen.add(uid_of(obj))
        else:
            self._abort_seen.discard(uid_of(obj))

    def sends(self, resource: Resource, name: str) -> None:
        """Note that a controller sends a write: what it knows now is what the write rests on."""
        if resource == HTTP_ROUTES:
            self._sent_knowing[name] = frozenset(self._abort_seen)

    def evicts(self, pod: ReadOnly) -> None:
        """Note that somebody else takes a pod away."""
        self._evicted[hash_of(pod)] = self._clock.monotonic()

    def _excused(self, pod_hash: str) -> bool:
        since = self._evicted.get(pod_hash)
        return since is not None and self._clock.monotonic() < since + self._latency + SUCCESSOR_SECONDS

    def changed(self, collection: Collection, change: Change) -> None:
        """Check everything after one change."""
        if not self.mirror.follow(collection, change):
            return
        if change.type == "ADDED" and collection.plural in ("replicasets", "analysisruns", "experiments"):
            self.created[collection.plural] += 1
        for rollout in self.mirror.all("rollouts").values():
            if collection.plural == "rollouts":
                self._follow_rollout(rollout)
            for problem in self._problems(rollout, collection.plural, change):
                self.violations.append(f"{self._clock.monotonic():.3f} {problem}")

    def _follow_rollout(self, rollout: ReadOnly) -> None:
        status = rollout.get("status") or {}
        if status.get("abort"):
            self._aborted_at.setdefault(uid_of(rollout), self._clock.monotonic())
        else:
            self._aborted_at.pop(uid_of(rollout), None)
        replicas = wanted(rollout)
        current = status.get("observedGeneration") == str(generation(rollout))
        if status.get("phase") == "Healthy" and current:
            self._least = self._most = replicas
        self._least, self._most = min(self._least, replicas), max(self._most, replicas)

    def _problems(self, rollout: ReadOnly, plural: str, change: Change) -> Iterator[str]:
        if wanted(rollout) == 0:
            return
        if plural == "replicasets":
            yield from self._shrunk(rollout, change)
            yield from self._surge(rollout)
            yield from self._without_config(rollout)
        if plural == "configmaps":
            yield from self._without_config(rollout)
        if plural == "httproutes":
            yield from self._risen(rollout, change)
        if plural in ("pods", "services", "httproutes"):
            yield from self._empty(rollout)
            yield from self._dangling(rollout)
        if plural == "pods":
            yield from self._unavailable(rollout)

    def _shrunk(self, rollout: ReadOnly, change: Change) -> Iterator[str]:
        """No version that a Service or a weight still reaches loses its last pod."""
        before = change.previous.object if change.previous else {}
        after = {} if change.type == "DELETED" else change.entry.object
        if desired(before) > 0 and desired(after) == 0:
            for service, pod_hash in self.mirror.reached(rollout):
                if pod_hash == hash_of(before):
                    yield f"ReplicaSet {change.key.name} shrank to 0 while Service {service} reaches it"

    def _without_config(self, rollout: ReadOnly) -> Iterator[str]:
        """Where config is tracked, no version asks for pods before all that they mount is there."""
        if labels.TRACK_CONFIG not in annotations_of(rollout):
            return
        for name, rs in self.mirror.all("replicasets").items():
            template = (rs.get("spec") or {}).get("template") or {}
            missing = set(references(template)) - set(self.mirror.all("configmaps"))
            if desired(rs) > 0 and missing:
                yield f"ReplicaSet {name} has pods and there is no ConfigMap {', '.join(sorted(missing))}"

    def _empty(self, rollout: ReadOnly) -> Iterator[str]:
        """No traffic goes to a version without a ready pod."""
        for service, pod_hash in self.mirror.reached(rollout):
            if self.mirror.ready_pods(pod_hash) == 0 and not self._excused(pod_hash):
                yield f"Service {service} takes traffic and no pod of {pod_hash} is ready"

    def _dangling(self, rollout: ReadOnly) -> Iterator[str]:
        """No weight leads to a Service that does not exist."""
        for service in self.mirror.backends(rollout):
            if self.mirror.weight(rollout, service) > 0 and service not in self.mirror.all("services"):
                yield f"the route gives weight {self.mirror.weight(rollout, service)} to no Service {service}"

    def _risen(self, rollout: ReadOnly, change: Change) -> Iterator[str]:
        """The canary's weight never rises after an abort, and never above the committed step."""
        _, fields = strategy_of(rollout)
        if change.key.name != route_name(rollout) or change.type != "MODIFIED" or change.previous is None:
            return
        canary = str(fields.get("canaryService"))
        before = backend_weights(change.previous.object).get(canary, 0)
        after = backend_weights(change.entry.object).get(canary, 0)
        if after <= before:
            return
        rise = f"the canary's weight rose from {before} to {after}"
        aborted_at = self._aborted_at.get(uid_of(rollout))
        if aborted_at is not None:
            if uid_of(rollout) in self._sent_knowing.pop(change.key.name, self._abort_seen):
                yield f"{rise} after the controller had seen the abort"
            late = self._clock.monotonic() - aborted_at
            if late > self._latency:
                yield f"{rise} {late * 1000:.0f} ms after the abort"
        elif after > committed_weight(rollout):
            yield f"{rise}, the committed step allows {committed_weight(rollout)}"

    def _surge(self, rollout: ReadOnly) -> Iterator[str]:
        """Without a router all versions together stay within maxSurge."""
        limits = self._limits(rollout, self._most)
        if limits is not None and self.mirror.asked_pods() > limits[1]:
            yield f"{self.mirror.asked_pods()} pods are asked for, {limits[1]} are allowed"

    def _unavailable(self, rollout: ReadOnly) -> Iterator[str]:
        """Without a router no more pods than maxUnavailable are missing, once all have been there."""
        limits = self._limits(rollout, self._least)
        if limits is None or not (rollout.get("status") or {}).get("stableRS"):
            return
        if any(map(self._excused, self._evicted)):
            return
        if self.mirror.ready_pods() < limits[0]:
            yield f"{self.mirror.ready_pods()} pods are ready, {limits[0]} must be"

    def _limits(self, rollout: ReadOnly, replicas: int) -> tuple[int, int] | None:
        kind, fields = strategy_of(rollout)
        if kind != "canary" or route_name(rollout):
            return None
        given = bounds(replicas, fields.get("maxSurge", "25%"), fields.get("maxUnavailable", "25%"))
        return given.least, given.most


def wanted(rollout: ReadOnly) -> int:
    """Return spec.replicas, 1 when absent."""
    replicas = (rollout.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def committed_weight(rollout: ReadOnly) -> int:
    """Return the canary weight that the status in the store allows."""
    _, fields = strategy_of(rollout)
    status, steps = rollout.get("status") or {}, fields.get("steps") or []
    index = status.get("currentStepIndex")
    if status.get("promoteFull") or not steps or index is None or index >= len(steps):
        return 100
    weights = [step["setWeight"] for step in steps[: index + 1] if "setWeight" in step]
    return int(weights[-1]) if weights else 0


def end_problems(mirror: Mirror, rollout: ReadOnly) -> Iterator[str]:
    """Yield what is wrong at rest: traffic must be where it belongs, with enough pods behind it."""
    status = rollout.get("status") or {}
    stable = str(status.get("stableRS", ""))
    kind, fields = strategy_of(rollout)
    users = [str(fields.get("activeService"))] if kind == "blueGreen" else [str(fields.get("stableService"))]
    for service in users:
        if mirror.selects(service) not in ("", stable):
            yield f"Service {service} selects {mirror.selects(service)}, stable is {stable}"
    canary = str(fields.get("canaryService", ""))
    if route_name(rollout) and mirror.weight(rollout, canary) != 0:
        yield f"the canary still has weight {mirror.weight(rollout, canary)}"
    if mirror.ready_pods(stable) < wanted(rollout):
        yield f"{mirror.ready_pods(stable)} ready pods of stable, {wanted(rollout)} wanted"
