"""Gateway API routes and intents for tests."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import FOREIGN
from rollouts.traffic.router import HeaderMatch, HeaderRoute, MirrorRoute, TrafficIntent

PLUGIN = "argoproj-labs/gatewayAPI"
VERSIONS = {"HTTPRoute": "v1", "GRPCRoute": "v1", "TCPRoute": "v1alpha2", "TLSRoute": "v1alpha3"}

INTENT = TrafficIntent(
    rollout="web",
    namespace="shop",
    stable_service="web-stable",
    canary_service="web-canary",
    canary_weight=0,
    managed_routes=("to-canary", "copies"),
)
HEADER = HeaderRoute(name="to-canary", matches=(HeaderMatch(header="x-canary", exact="yes"),))
MIRROR = MirrorRoute(name="copies", matches=({"headers": {"x-mirror": {"exact": "yes"}}},), percentage=25)


def ref(name: str, weight: int | None = None, **more: object) -> Manifest:
    """Return a backendRef as the API server stores it."""
    shares = {} if weight is None else {"weight": weight}
    return {"group": "", "kind": "Service", "name": name, "port": 80, **shares, **more}


def rule(stable: int | None = 100, canary: int | None = 0, **more: object) -> Manifest:
    """Return a rule that splits between the two Services."""
    return {**more, "backendRefs": [ref("web-stable", stable), ref("web-canary", canary)]}


def prefix(path: str) -> Manifest:
    """Return a match of a path prefix."""
    return {"path": {"type": "PathPrefix", "value": path}}


def route(rules: Sequence[Manifest], kind: str = "HTTPRoute", name: str = "web", **more: object) -> Manifest:
    """Return a route of the kind in namespace shop."""
    return {
        "apiVersion": f"gateway.networking.k8s.io/{VERSIONS[kind]}",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "shop",
            "resourceVersion": "7",
            "generation": 2,
            "annotations": {"team": FOREIGN},
            **more,
        },
        "spec": {
            "parentRefs": [{"name": "gateway"}],
            "fromTheFuture": FOREIGN,
            "rules": copy.deepcopy(list(rules)),
        },
    }


def parent(generation: int | None = 2, *, accepted: str = "True", resolved: str = "True") -> Manifest:
    """Return an entry of status.parents."""
    seen = {} if generation is None else {"observedGeneration": generation}
    return {
        "parentRef": {"name": "gateway"},
        "controllerName": "example.com/gateway",
        "conditions": [
            {"type": "Accepted", "status": accepted, "reason": "R", "message": "about the route", **seen},
            {"type": "ResolvedRefs", "status": resolved, "reason": "R", "message": "about backends", **seen},
        ],
    }


def names(obj: Manifest) -> list[str | None]:
    """Return the names of a route's rules in order."""
    return [r.get("name") for r in obj["spec"]["rules"]]


def shares(r: Manifest) -> dict[str, int]:
    """Return the weight of each backend of a rule."""
    return {b["name"]: b.get("weight", 1) for b in r["backendRefs"]}
