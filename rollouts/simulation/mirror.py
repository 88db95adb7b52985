"""The store as it is now, by kind and name, with the questions that invariants ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollouts.embedded.store import Change, Collection
from rollouts.kube.objects import ReadOnly, is_deleting, labels_of, metadata
from rollouts.workloads.labels import POD_TEMPLATE_HASH

KINDS = frozenset(
    {"rollouts", "replicasets", "services", "httproutes", "pods", "analysisruns", "experiments", "configmaps"}
)


class Mirror:
    """Objects of one namespace. Follows the store change by change; objects are shared, never changed."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, ReadOnly]] = {kind: {} for kind in KINDS}

    def follow(self, collection: Collection, change: Change) -> bool:
        """Take a change over; False when it is of no interest."""
        held = self._held.get(collection.plural)
        if held is None:
            return False
        if change.type == "DELETED":
            held.pop(change.key.name, None)
        else:
            held[change.key.name] = change.entry.object
        return True

    def all(self, plural: str) -> Mapping[str, ReadOnly]:
        """Return the objects of a kind by name."""
        return self._held[plural]

    def ready_pods(self, pod_hash: str = "") -> int:
        """Return how many pods (of a version, else of all) are Ready and stay."""
        return sum(
            is_ready(pod)
            for pod in self._held["pods"].values()
            if not pod_hash or labels_of(pod).get(POD_TEMPLATE_HASH) == pod_hash
        )

    def asked_pods(self) -> int:
        """Return the pods that all ReplicaSets ask for."""
        return sum(desired(rs) for rs in self._held["replicasets"].values())

    def selects(self, service: str) -> str:
        """Return the pod hash that a Service selects, "" when none."""
        found = self._held["services"].get(service) or {}
        selector = (found.get("spec") or {}).get("selector") or {}
        return str(selector.get(POD_TEMPLATE_HASH, ""))

    def reached(self, rollout: ReadOnly) -> Iterator[tuple[str, str]]:
        """Yield (Service, pod hash) of every Service that sends users' traffic to a version now."""
        for service in dict.fromkeys((*services_in_use(rollout), *self.backends(rollout))):
            if self.weight(rollout, service) > 0 and self.selects(service):
                yield service, self.selects(service)

    def backends(self, rollout: ReadOnly) -> list[str]:
        """Return the Services that the Rollout's route names, those of experiments included."""
        return sorted(backend_weights(self._held["httproutes"].get(route_name(rollout)) or {}))

    def weight(self, rollout: ReadOnly, service: str) -> int:
        """Return the share of a Service: its weight in the route, 1 where no route weighs it."""
        route = route_name(rollout)
        if not route:
            return 1
        weights = backend_weights(self._held["httproutes"].get(route) or {})
        return weights.get(service, 0)


def desired(replica_set: ReadOnly) -> int:
    """Return spec.replicas."""
    return int((replica_set.get("spec") or {}).get("replicas") or 0)


def hash_of(obj: ReadOnly) -> str:
    """Return the pod hash label."""
    return labels_of(obj).get(POD_TEMPLATE_HASH, "")


def strategy_of(rollout: ReadOnly) -> tuple[str, Mapping[str, Any]]:
    """Return ("canary" or "blueGreen", its fields)."""
    strategy = (rollout.get("spec") or {}).get("strategy") or {}
    kind = "blueGreen" if "blueGreen" in strategy else "canary"
    return kind, strategy.get(kind) or {}


def services_in_use(rollout: ReadOnly) -> list[str]:
    """Return the Services behind which users are; a preview Service is not one."""
    kind, fields = strategy_of(rollout)
    names = ("activeService",) if kind == "blueGreen" else ("stableService", "canaryService")
    return [str(fields[name]) for name in names if fields.get(name)]


def route_name(rollout: ReadOnly) -> str:
    """Return the HTTPRoute of a canary, "" when no router shifts its traffic."""
    _, fields = strategy_of(rollout)
    plugins = (fields.get("trafficRouting") or {}).get("plugins") or {}
    return str((plugins.get("argoproj-labs/gatewayAPI") or {}).get("httpRoute", ""))


def backend_weights(route: ReadOnly) -> dict[str, int]:
    """Return the highest weight of each backend over all rules."""
    found: dict[str, int] = {}
    for rule in (route.get("spec") or {}).get("rules") or ():
        for ref in rule.get("backendRefs") or ():
            found[str(ref["name"])] = max(found.get(str(ref["name"]), 0), int(ref.get("weight", 1)))
    return found


def is_ready(pod: ReadOnly) -> bool:
    if is_deleting(pod) or not metadata(pod):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
