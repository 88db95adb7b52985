"""From live objects to what data planes must have: routes of the Gateway API, and Ingresses of ALBs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from rollouts.kube.objects import Manifest, annotations_of, name_of, namespace_of
from rollouts.traffic.router import TrafficIntent
from rollouts.verification.verifier import Shares, Wanted, shares

ROUTES = frozenset({"HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"})
INGRESS = "Ingress"
ALB = "ingress.k8s.aws/alb"
"""The controller of Ingresses of AWS load balancers, by the name that IngressClasses have for it."""

_ACTIONS = "/actions."


def wanted(live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Wanted, ...]:
    """Return what data planes must have of these objects; those of other kinds have nothing to compare."""
    behind = {intent.stable_service: intent.stable_hash, intent.canary_service: intent.canary_hash}
    behind |= {part.service: part.pod_hash for part in intent.additional}
    versions = tuple((f"{intent.namespace}/{name}", version) for name, version in behind.items() if name)
    found = (_wanted(obj, versions) for obj in live)
    return tuple(entry for entry in found if entry is not None and entry.rules)


def _wanted(obj: Manifest, versions: tuple[tuple[str, str], ...]) -> Wanted | None:
    services = tuple(name for name, _ in versions)
    kind = str(obj.get("kind", ""))
    status = obj.get("status") or {}
    if kind in ROUTES:
        parents = status.get("parents") or ()
        return Wanted(
            kind=kind,
            namespace=namespace_of(obj),
            name=name_of(obj),
            services=services,
            versions=versions,
            rules=_rules(obj, services),
            controllers=tuple(sorted({str(entry.get("controllerName", "")) for entry in parents})),
        )
    if kind == INGRESS:
        balancers = (status.get("loadBalancer") or {}).get("ingress") or ()
        return Wanted(
            kind=kind,
            namespace=namespace_of(obj),
            name=name_of(obj),
            services=services,
            versions=versions,
            rules=_actions(obj, services),
            controllers=(ALB,),
            hosts=tuple(sorted({str(entry["hostname"]) for entry in balancers if entry.get("hostname")})),
        )
    return None


def _rules(route: Manifest, services: tuple[str, ...]) -> tuple[tuple[int, Shares], ...]:
    found = []
    for number, rule in enumerate((route.get("spec") or {}).get("rules") or ()):
        weights: dict[str, int] = {}
        for ref in rule.get("backendRefs") or ():
            name = f"{ref.get('namespace') or namespace_of(route)}/{ref.get('name')}"
            weights[name] = weights.get(name, 0) + int(ref.get("weight", 1))
        if not weights.keys().isdisjoint(services):
            found.append((number, shares(weights, services)))
    return tuple(found)


def _actions(ingress: Manifest, services: tuple[str, ...]) -> tuple[tuple[int, Shares], ...]:
    """Return the shares of forward actions; one that cannot be read is not the load balancer's either."""
    found = []
    actions = sorted((key, text) for key, text in annotations_of(ingress).items() if _ACTIONS in key)
    for number, (_, text) in enumerate(actions):
        weights = _forwarded(ingress, text)
        if not weights.keys().isdisjoint(services):
            found.append((number, shares(weights, services)))
    return tuple(found)


def _forwarded(ingress: Manifest, text: str) -> Mapping[str, int]:
    try:
        action: Any = orjson.loads(text)
        groups = action["ForwardConfig"]["TargetGroups"]
        namespace = namespace_of(ingress)
        return {f"{namespace}/{group['ServiceName']}": int(group.get("Weight", 0)) for group in groups}
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return {}
