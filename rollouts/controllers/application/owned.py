"""What Rollouts own inside other objects: weights and rules of routes, selectors of Services. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from rollouts.gitops.transplant import Owned, Split
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, ReadOnly
from rollouts.traffic.gateway_api import RECORD
from rollouts.traffic.gateway_rules import digest
from rollouts.traffic.registry import routers_for
from rollouts.traffic.router import Need, TrafficError, TrafficIntent
from rollouts.workloads.labels import MANAGED_BY, POD_TEMPLATE_HASH

_SERVICE_FIELDS = ("canaryService", "stableService", "activeService", "previewService")


def service_ownership(service: ReadOnly, rollouts: Iterable[ReadOnly]) -> Owned | None:
    """Return that a Service's pod-hash selector is a Rollout's, when it is."""
    name = objects.name_of(service)
    named = any(name in _services(rollout) for rollout in rollouts)
    if not named and MANAGED_BY not in objects.annotations_of(service):
        return None
    return Owned(selector_keys=(POD_TEMPLATE_HASH,))


def route_ownership(route: ReadOnly, rollouts: Iterable[ReadOnly]) -> Owned | None:
    """Return the weights and rules of a live route that Rollouts write; None when none does."""
    splits = tuple(split for rollout in rollouts if (split := _split(route, rollout)) is not None)
    return Owned(splits=splits) if splits else None


def workload_ownership(name: str, kind: str, rollouts: Iterable[ReadOnly]) -> Owned | None:
    """Return that a Rollout scales the workload that it refers to."""
    for rollout in rollouts:
        ref = (rollout.get("spec") or {}).get("workloadRef") or {}
        scaled = ref.get("scaleDown", "never") != "never"
        if scaled and ref.get("name") == name and ref.get("kind") == kind:
            return Owned(fields=(("spec", "replicas"),))
    return None


def autoscaled(name: str, kind: str, autoscalers: Iterable[ReadOnly]) -> Owned | None:
    """Return that a HorizontalPodAutoscaler scales a workload."""
    for autoscaler in autoscalers:
        ref = (autoscaler.get("spec") or {}).get("scaleTargetRef") or {}
        if ref.get("name") == name and ref.get("kind") == kind:
            return Owned(fields=(("spec", "replicas"),))
    return None


def _strategies(rollout: ReadOnly) -> Sequence[ReadOnly]:
    strategy = (rollout.get("spec") or {}).get("strategy") or {}
    return [part for part in (strategy.get("canary"), strategy.get("blueGreen")) if isinstance(part, Mapping)]


def _services(rollout: ReadOnly) -> set[str]:
    names = {str(s[field]) for s in _strategies(rollout) for field in _SERVICE_FIELDS if s.get(field)}
    for strategy in _strategies(rollout):
        ping_pong = strategy.get("pingPong") or {}
        names |= {str(value) for value in ping_pong.values()}
    return names


def _split(route: ReadOnly, rollout: ReadOnly) -> Split | None:
    canary = ((rollout.get("spec") or {}).get("strategy") or {}).get("canary") or {}
    routing, turns = canary.get("trafficRouting"), canary.get("pingPong") or {}
    # With ping-pong the two Services take turns; which one is stable now does not matter to whose they are.
    stable = turns.get("pingService") or canary.get("stableService")
    other = turns.get("pongService") or canary.get("canaryService")
    if not isinstance(routing, Mapping) or not stable or not other:
        return None
    namespace = objects.namespace_of(rollout)
    intent = TrafficIntent(
        rollout=objects.name_of(rollout),
        namespace=namespace,
        stable_service=str(stable),
        canary_service=str(other),
    )
    if not any(_matches(need, route) for need in _needs(routing, intent)):
        return None
    managed = _managed(route, f"{namespace}/{objects.name_of(rollout)}")
    return Split(namespace, str(stable), str(other), managed)


def _needs(routing: Mapping[str, Any], intent: TrafficIntent) -> Sequence[Need]:
    try:
        return [need for router, config in routers_for(routing) for need in router.needs(config, intent)]
    except TrafficError:
        return ()


def _matches(need: Need, route: ReadOnly) -> bool:
    if need.kind != route.get("kind") or need.namespace != objects.namespace_of(route):
        return False
    if need.name:
        return need.name == objects.name_of(route)
    wanted = (need.selector or {}).get("matchLabels") or {}
    labels = objects.labels_of(route)
    return all(labels.get(key) == value for key, value in wanted.items())


def _managed(route: ReadOnly, owner: str) -> tuple[int, ...]:
    """Return the positions of rules that the router's own record names for a Rollout."""
    try:
        record: Any = orjson.loads(objects.annotations_of(route).get(RECORD) or "{}")
    except orjson.JSONDecodeError:
        return ()
    entry = record.get(owner) if isinstance(record, dict) else None
    if not isinstance(entry, dict):
        return ()
    rules: Sequence[Manifest] = (route.get("spec") or {}).get("rules") or ()
    digests = set(entry.values())
    return tuple(
        index
        for index, rule in enumerate(rules)
        if rule.get("name") in entry or (not rule.get("name") and digest(rule) in digests)
    )
