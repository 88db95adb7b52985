"""Rules of a Gateway API route: which belong to the rollout, their weights, and the rules that it adds.

Lists of rules and backendRefs are atomic in the API, so whole rules are computed here and written by the
caller with the resourceVersion as precondition. Rules are found by backend set or name, never by index.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from rollouts.kube.objects import Manifest, namespace_of
from rollouts.traffic.gateway_config import PATH, Target
from rollouts.traffic.gateway_matches import header_matches, mirror_matches
from rollouts.traffic.gateway_status import without_mirrors
from rollouts.traffic.router import Destination, HeaderRoute, TrafficError, TrafficIntent

MAX_RULES = 16
MAX_MATCHES_OF_RULE = 64
MAX_MATCHES_OF_ROUTE = 128
MAX_ITEMS = 16
MAX_WEIGHT = 1_000_000
_RULE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SERVICE_KINDS = {
    ("", "Service"),
    ("multicluster.x-k8s.io", "ServiceImport"),
    ("net.gke.io", "ServiceImport"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A target route as seen by one rollout. ``written`` are digests of the rules that we added earlier."""

    target: Target
    intent: TrafficIntent
    written: frozenset[str] = frozenset()

    def refers(self, ref: Manifest, service: str) -> bool:
        """Tell whether a backendRef names the rollout's ``service``: name, kind and namespace count."""
        kind = (str(ref.get("group") or ""), str(ref.get("kind") or "Service"))
        space = ref.get("namespace") or namespace_of(self.target.live)
        return ref.get("name") == service and kind in _SERVICE_KINDS and space == self.intent.namespace

    def ref(self, rule: Manifest, service: str) -> Manifest | None:
        """Return the rule's backendRef to ``service``. Raises TrafficError when there are several."""
        found = [ref for ref in refs_of(rule) if self.refers(ref, service)]
        if len(found) > 1:
            raise TrafficError(
                f"{self.target}: a rule names Service {service!r} {len(found)} times, so its share is not "
                "one weight; keep one backendRef per Service in a rule"
            )
        return found[0] if found else None

    def is_managed(self, rule: Manifest) -> bool:
        """Tell whether the rule was added by this rollout: by its name, or nameless and as we wrote it.

        API servers with standard-channel CRDs before 1.4 prune ``name``. A rule of that name whose backends
        are all foreign belongs to another rollout that shares the route.
        """
        if not self.target.wanted.kind.named:
            return False
        name = str(rule.get("name") or "")
        if not name:
            return digest(rule) in self.written
        if not any(_is_of(name, managed) for managed in managed_names(self.intent)):
            return False
        mine = (self.intent.stable_service, self.intent.canary_service)
        refs = refs_of(rule)
        return not refs or any(self.refers(ref, service) for ref in refs for service in mine)

    def is_source(self, rule: Manifest) -> bool:
        """Tell whether the rule splits traffic between the rollout's two Services."""
        only = self.target.wanted.rule_name
        if only and rule.get("name") != only:
            return False
        stable = self.ref(rule, self.intent.stable_service)
        return stable is not None and self.ref(rule, self.intent.canary_service) is not None


def managed_names(intent: TrafficIntent) -> tuple[str, ...]:
    """Return the names of managed routes in order of precedence."""
    listed = dict.fromkeys(intent.managed_routes)
    listed.update(dict.fromkeys(asked_names(intent)))
    return tuple(listed)


def asked_names(intent: TrafficIntent) -> tuple[str, ...]:
    """Return the names of the header and mirror routes that shall exist."""
    return tuple(r.name for r in intent.header_routes) + tuple(r.name for r in intent.mirror_routes)


def digest(rule: Manifest) -> str:
    """Return a short digest of a rule apart from its name and weights."""
    refs = [{k: v for k, v in ref.items() if k != "weight"} for ref in refs_of(rule)]
    plain = {**rule, "backendRefs": refs}
    plain.pop("name", None)
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def refs_of(rule: Manifest) -> list[Manifest]:
    """Return the rule's backendRefs."""
    return list(rule.get("backendRefs") or ())


def rules_of(target: Target) -> list[Manifest]:
    """Return the live rules. Raises TrafficError when the route is not shaped as the API has it."""
    spec = target.live.get("spec")
    rules: Any = spec.get("rules") if isinstance(spec, Mapping) else None
    if rules is None:
        return []
    _expect(isinstance(rules, list), target, "spec.rules", "a list")
    for i, rule in enumerate(rules):
        _expect(isinstance(rule, Mapping), target, f"spec.rules[{i}]", "an object")
        for part in ("backendRefs", "matches", "filters"):
            items = rule.get(part)
            place = f"spec.rules[{i}].{part}"
            _expect(items is None or isinstance(items, list), target, place, "a list")
            for j, item in enumerate(items or ()):
                _expect(isinstance(item, Mapping), target, f"{place}[{j}]", "an object")
        for j, ref in enumerate(rule.get("backendRefs") or ()):
            weight = ref.get("weight", 1)
            whole = isinstance(weight, int) and not isinstance(weight, bool) and weight >= 0
            _expect(whole, target, f"spec.rules[{i}].backendRefs[{j}].weight", "a whole number from 0")
    return list(rules)


def check_sources(place: Place, rules: Sequence[Manifest]) -> None:
    """Raise TrafficError when no rule carries both Services."""
    if any(place.is_source(rule) for rule in rules if not place.is_managed(rule)):
        return
    kind, intent = place.target.wanted.kind, place.intent
    noun = "backendRef" if kind.named else "backendRef list"
    seen = "; ".join(f"rules[{i}]: {_seen(place.target, rule)}" for i, rule in enumerate(rules)) or "no rules"
    only = place.target.wanted.rule_name
    raise TrafficError(
        f"{noun} was not found in {kind.field}Route: {place.target} ({place.target.wanted.path}) needs a "
        + (f"rule named {only!r} " if only else "rule ")
        + f"with both stable Service {intent.namespace}/{intent.stable_service} and canary Service "
        f"{intent.namespace}/{intent.canary_service}; seen {seen}"
    )


def weighed(place: Place, rule: Manifest) -> Manifest:
    """Return a source rule with the intent's weights and destinations; other backendRefs stay."""
    intent = place.intent
    if intent.canary_weight is None:
        return rule
    changed = copy.deepcopy(rule)
    refs = [
        ref for ref in changed["backendRefs"] if not any(place.refers(ref, gone) for gone in _retired(intent))
    ]
    changed["backendRefs"] = refs
    canary, stable = place.ref(changed, intent.canary_service), place.ref(changed, intent.stable_service)
    if canary is None or stable is None:
        return rule
    _set_weight(canary, intent.canary_weight)
    _set_weight(stable, stable_weight(intent))
    for destination in intent.additional:
        ref = place.ref(changed, destination.service)
        if ref is None:
            refs.append(_new_ref(destination, canary, intent.namespace))
        else:
            _set_weight(ref, destination.weight)
    return changed


def stable_weight(intent: TrafficIntent) -> int:
    """Return max − canary − Σ additional. Raises TrafficError when a share is out of range."""
    canary, extra = intent.canary_weight or 0, sum(d.weight for d in intent.additional)
    stable = intent.max_weight - canary - extra
    if min(stable, canary, *(d.weight for d in intent.additional)) < 0 or intent.max_weight > MAX_WEIGHT:
        raise TrafficError(
            f"canary weight {canary} and experiment weights {extra} do not fit into maxTrafficWeight "
            f"{intent.max_weight} (allowed 1..{MAX_WEIGHT}); lower the step's or the experiment's weight"
        )
    return stable


def managed_rules(place: Place, sources: Sequence[Manifest]) -> list[Manifest]:
    """Return the rules of the intent's header and mirror routes in the order of managedRoutes."""
    headers = {route.name: route for route in place.intent.header_routes}
    mirrors = {route.name: route for route in place.intent.mirror_routes}
    found: list[Manifest] = []
    for name in managed_names(place.intent):
        if name in headers:
            found += _numbered(name, [_header_rule(place, rule, headers[name]) for rule in sources])
        if name in mirrors:
            found += _numbered(name, _mirror_rules(place, sources, name))
    return found


def check_limits(target: Target, rules: Sequence[Manifest]) -> None:
    """Raise TrafficError when the API server would refuse the rules for their number."""
    matches = [len(rule.get("matches") or ()) for rule in rules]
    limits = [
        ("rules", len(rules), MAX_RULES),
        ("matches over all rules", sum(matches), MAX_MATCHES_OF_ROUTE),
    ]
    for i, rule in enumerate(rules):
        limits.append((f"rules[{i}].matches", matches[i], MAX_MATCHES_OF_RULE))
        for part in ("filters", "backendRefs"):
            limits.append((f"rules[{i}].{part}", len(rule.get(part) or ()), MAX_ITEMS))
        for j, match in enumerate(rule.get("matches") or ()):
            limits.append((f"rules[{i}].matches[{j}].headers", len(match.get("headers") or ()), MAX_ITEMS))
    for what, count, limit in limits:
        if count > limit:
            raise TrafficError(
                f"{target}: the change needs {count} {what}, the Gateway API allows {limit}. A header or "
                "mirror step copies every rule that carries both Services: split the route, or limit the "
                f"router to one rule ({PATH}.ruleName)"
            )


def _is_of(name: str, managed: str) -> bool:
    rest = name.removeprefix(managed)
    return name.startswith(managed) and (not rest or (rest[0] == "-" and rest[1:].isdecimal()))


def _retired(intent: TrafficIntent) -> set[str]:
    kept = {d.service for d in intent.additional} | {intent.stable_service, intent.canary_service}
    return set(intent.retired) - kept


def _set_weight(ref: Manifest, weight: int) -> None:
    if ref.get("weight", 1) != weight:
        ref["weight"] = weight


def _new_ref(destination: Destination, canary: Manifest, namespace: str) -> Manifest:
    port = destination.port or canary.get("port")
    ref = {"group": "", "kind": "Service", "name": destination.service, "namespace": namespace}
    return {**ref, **({"port": port} if port else {}), "weight": destination.weight}


def _header_rule(place: Place, source: Manifest, route: HeaderRoute) -> Manifest:
    where = f"{place.target}, setHeaderRoute {route.name!r}"
    if not route.matches:
        raise TrafficError(f"{where}: without a match every request would go to the canary; name a header")
    rule = copy.deepcopy(source)
    canary = place.ref(rule, place.intent.canary_service)
    rule["matches"] = header_matches(source, route, where)
    rule["backendRefs"] = [{**(canary or {}), "weight": 1}]
    return rule


def _mirror_rules(place: Place, sources: Sequence[Manifest], name: str) -> list[Manifest]:
    route = next(route for route in place.intent.mirror_routes if route.name == name)
    where = f"{place.target}, setMirrorRoute {name!r}"
    grpc = place.target.wanted.kind.field == "grpc"
    unable = without_mirrors(place.target.live)
    if unable:
        raise TrafficError(
            f"{where}: {unable} serves this route and answers requests of a rule that mirrors with 500; "
            "remove the step, or use another implementation"
        )
    found = []
    for source in sources:
        matches = mirror_matches(source, route, where, grpc=grpc)
        if not matches:
            continue
        rule = copy.deepcopy(source)
        canary = place.ref(rule, place.intent.canary_service) or {}
        backend = {"group": "", "kind": "Service"}
        backend |= {k: canary[k] for k in ("group", "kind", "name", "namespace", "port") if k in canary}
        mirror: dict[str, Any] = {"backendRef": backend}
        if route.percentage != 100:  # absent means all, also to CRDs that do not know the field yet
            mirror["percent"] = route.percentage
        rule["matches"] = matches
        rule["filters"] = [*(rule.get("filters") or ()), {"type": "RequestMirror", "requestMirror": mirror}]
        found.append(rule)
    if not found:
        raise TrafficError(f"{where}: no rule with both Services can serve a request that the step matches")
    return found


def _numbered(name: str, rules: Sequence[Manifest]) -> list[Manifest]:
    if len(name) > 250 or not _RULE_NAME.fullmatch(name):
        raise TrafficError(
            f"managed route {name!r}: a rule's name is lower-case letters, digits, '-' and '.'; rename it in "
            "the step and in spec.strategy.canary.trafficRouting.managedRoutes"
        )
    return [{**rule, "name": name if i == 0 else f"{name}-{i}"} for i, rule in enumerate(rules)]


def _seen(target: Target, rule: Manifest) -> str:
    own = namespace_of(target.live)
    names = [
        f"{ref.get('kind') or 'Service'} {ref.get('namespace') or own}/{ref.get('name')}"
        for ref in refs_of(rule)
    ]
    name = f"{rule['name']!r} " if rule.get("name") else ""
    return name + (", ".join(names) or "no backendRefs")


def _expect(condition: bool, target: Target, path: str, shape: str) -> None:
    if not condition:
        raise TrafficError(f"{target}: {path} must be {shape}; correct the route")
