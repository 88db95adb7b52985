"""AWS App Mesh: weights of a VirtualRouter's routes, and the pods behind the two VirtualNodes.

Nodes are written before weights, so that a weight never leads to a node that selects the wrong pods; only a
canary node that falls idle is written after them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from rollouts.api.argoproj.rollout import AppMeshRouting, NameRef
from rollouts.kube.objects import Manifest, annotations_of, namespace_of
from rollouts.traffic.config import ROOT, parse, require
from rollouts.traffic.live import existing, items, replacement, share, stable_weight, title, whole
from rollouts.traffic.router import Config, Edit, Need, TrafficError, TrafficIntent, TrafficState

PATH = f"{ROOT}.appMesh"
GROUP = "appmesh.k8s.aws"
HASH_LABEL = "rollouts-pod-template-hash"
MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"
_NO_CANARY, _NO_STABLE = "canary-hash", "stable-hash"
"""What nodes select while there is no such version: the mesh refuses a pod that two nodes select."""

_KINDS = ("httpRoute", "http2Route", "grpcRoute", "tcpRoute")


@dataclass(frozen=True, slots=True)
class _Wanted:
    service: str
    routes: tuple[str, ...]
    canary: str
    stable: str


class AppMesh:
    """The App Mesh router. Stateless."""

    name: ClassVar[str] = "appMesh"

    def needs(self, config: Config, intent: TrafficIntent) -> tuple[Need, ...]:
        """Return the VirtualService, both nodes, and all routers: the service says which one it uses."""
        wanted = _parse(config)
        named = (("VirtualService", wanted.service), ("VirtualNode", wanted.canary))
        return (
            *(_need(intent, kind, name) for kind, name in (*named, ("VirtualNode", wanted.stable))),
            Need(group=GROUP, kind="VirtualRouter", namespace=intent.namespace, selector={}),
        )

    def read(
        self, config: Config, live: Sequence[Manifest], intent: TrafficIntent, now: datetime
    ) -> TrafficState:
        """Return the highest canary weight over the selected routes."""
        wanted = _parse(config)
        router = _router(wanted, live, intent)
        weights = []
        for targets in _target_lists(router, wanted):
            canary, stable = _pair(targets, wanted, router)
            parts = [whole(each.get("weight", 0), title(router)) for each in (canary, stable)]
            weights.append(share(parts[0], sum(parts), intent.max_weight))
        return TrafficState(canary_weight=max(weights, default=None))

    def plan(self, config: Config, live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Edit, ...]:
        """Return the edits of the nodes, then the router's."""
        wanted = _parse(config)
        if intent.header_routes or intent.mirror_routes or intent.additional or intent.max_weight != 100:
            raise TrafficError(
                f"{PATH}: appMesh carries percentages of stable and canary only; remove header and mirror "
                "steps, experiment weights and maxTrafficWeight, or use another router"
            )
        router = _router(wanted, live, intent)
        stable = _select(_live_node(live, intent, wanted.stable), intent.stable_hash or _NO_STABLE, intent)
        canary_hash = "" if intent.canary_hash == intent.stable_hash else intent.canary_hash
        idle = not canary_hash and intent.canary_weight == 0
        canary_hash = _NO_CANARY if idle else canary_hash or intent.canary_hash
        canary = _select(_live_node(live, intent, wanted.canary), canary_hash, intent)
        body = copy.deepcopy(router)
        for targets in _target_lists(body, wanted):
            pair = _pair(targets, wanted, router)
            for each in pair:
                whole(each.get("weight", 0), title(router))
            if intent.canary_weight is not None:
                pair[0]["weight"], pair[1]["weight"] = intent.canary_weight, stable_weight(intent)
        summary = f"{title(router)}: canary {intent.canary_weight} of {intent.max_weight}"
        weights = replacement(router, body, summary)
        return stable + weights + canary if idle else canary + stable + weights


def _parse(config: Config) -> _Wanted:
    parsed = parse(AppMeshRouting, dict(config), PATH)
    service, group = parsed.virtual_service, parsed.virtual_node_group
    return _Wanted(
        service=require(service.name if service else "", f"{PATH}.virtualService.name", "the VirtualService"),
        routes=service.routes if service else (),
        canary=_node(group.canary_virtual_node_ref if group else None, "canary"),
        stable=_node(group.stable_virtual_node_ref if group else None, "stable"),
    )


def _node(ref: NameRef | None, role: str) -> str:
    path = f"{PATH}.virtualNodeGroup.{role}VirtualNodeRef.name"
    return require(ref.name if ref else "", path, f"the VirtualNode of the {role} pods")


def _need(intent: TrafficIntent, kind: str, name: str) -> Need:
    return Need(group=GROUP, kind=kind, namespace=intent.namespace, name=name)


def _router(wanted: _Wanted, live: Sequence[Manifest], intent: TrafficIntent) -> Manifest:
    """Return the VirtualRouter that the VirtualService leads to."""
    service = existing(live, _need(intent, "VirtualService", wanted.service), f"{PATH}.virtualService.name")
    node: object = service
    for key in ("spec", "provider", "virtualRouter", "virtualRouterRef"):
        node = node.get(key) if isinstance(node, dict) else None
    if not isinstance(node, dict) or not node.get("name"):
        raise TrafficError(
            f"{title(service)} spec.provider.virtualRouter.virtualRouterRef: names no VirtualRouter; only a "
            "service behind a router can be split"
        )
    if node.get("namespace") not in (None, "", namespace_of(service)):
        raise TrafficError(
            f"{title(service)} spec.provider.virtualRouter.virtualRouterRef.namespace: is "
            f"{node['namespace']!r}; the VirtualRouter must be in the Rollout's namespace"
        )
    return existing(
        live, _need(intent, "VirtualRouter", str(node["name"])), f"{title(service)} spec.provider"
    )


def _target_lists(router: Manifest, wanted: _Wanted) -> Iterator[list[Manifest]]:
    """Yield the weighted targets of the selected routes. Raises TrafficError when there are none."""
    where = f"{title(router)} spec"
    routes = items(router.get("spec"), "routes", where)
    missing = set(wanted.routes) - {route.get("name") for route in routes}
    if missing or not routes:
        seen = ", ".join(str(route.get("name")) for route in routes) or "none"
        raise TrafficError(f"{where}.routes: no route {', '.join(sorted(missing))} (seen {seen})")
    for route in routes:
        if wanted.routes and route.get("name") not in wanted.routes:
            continue
        kinds = [kind for kind in _KINDS if route.get(kind) is not None]
        if len(kinds) != 1:
            raise TrafficError(f"{where}.routes[{route.get('name')}]: needs exactly one of {list(_KINDS)}")
        place = f"{where}.routes[{route.get('name')}].{kinds[0]}"
        part = route[kinds[0]]
        yield items(part.get("action") if isinstance(part, dict) else None, "weightedTargets", place)


def _pair(targets: Sequence[Manifest], wanted: _Wanted, router: Manifest) -> tuple[Manifest, Manifest]:
    by_node = {(target.get("virtualNodeRef") or {}).get("name"): target for target in targets}
    for name in (wanted.canary, wanted.stable):
        if name not in by_node:
            raise TrafficError(
                f"{title(router)}: a route has no weighted target for VirtualNode {name!r}; add it"
            )
    return by_node[wanted.canary], by_node[wanted.stable]


def _live_node(live: Sequence[Manifest], intent: TrafficIntent, name: str) -> Manifest:
    return existing(live, _need(intent, "VirtualNode", name), f"{PATH}.virtualNodeGroup")


def _select(node: Manifest, value: str, intent: TrafficIntent) -> tuple[Edit, ...]:
    """Return the edit that lets a node select the pods of one version."""
    if not isinstance(node.get("spec"), dict):
        raise TrafficError(f"{title(node)} spec: must be an object; correct it")
    if not value:
        return ()
    body = copy.deepcopy(node)
    selector = body["spec"].setdefault("podSelector", {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: value}
    body["metadata"]["annotations"] = {**annotations_of(node), MANAGED_BY: intent.rollout}
    return replacement(node, body, f"{title(node)}: pods {value}")
