"""APISIX: weights of an ApisixRoute's rules, and beside it an ApisixRoute for each header route.

A header route is an object of its own, named as the step names it and owned by the Rollout: the selected
rules without the stable backend, narrowed by the headers, with a priority above theirs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from rollouts.api.argoproj.rollout import ApisixRouting
from rollouts.kube.objects import Manifest, controller_owner, labels_of
from rollouts.traffic.config import ROOT, parse, require
from rollouts.traffic.live import (
    creation,
    deletion,
    existing,
    find,
    items,
    prefix_pattern,
    replacement,
    title,
)
from rollouts.traffic.router import Config, Edit, HeaderMatch, HeaderRoute, Need, TrafficError, TrafficIntent
from rollouts.traffic.weighted import Backends, ByDescription

PATH = f"{ROOT}.apisix.route"
GROUP = "apisix.apache.org"


class Apisix(ByDescription):
    """Rules of an ApisixRoute; all of them when none is named."""

    name: ClassVar[str] = "apisix"

    def describe(self, config: Config, intent: TrafficIntent) -> Backends:
        """Return the lists of the ApisixRoute's rules."""
        route = parse(ApisixRouting, dict(config), f"{ROOT}.apisix").route
        name = require(route.name if route else "", f"{PATH}.name", "the ApisixRoute")
        return Backends(
            need=_need(intent, name),
            path=f"{PATH}.name",
            lists=("spec.http[*].backends",),
            service="serviceName",
            only=route.rules if route else (),
        )

    def needs(self, config: Config, intent: TrafficIntent) -> tuple[Need, ...]:
        """Return the ApisixRoute and those of managed routes, which exist only while a step asks for them."""
        main = self.describe(config, intent).need
        names = _managed_names(intent, main)
        return (main, *(replace(_need(intent, name), optional=True) for name in names))

    def plan(self, config: Config, live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Edit, ...]:
        """Return the edits of the header routes, then the one of the weights."""
        where = self.describe(config, intent)
        main = existing(live, where.need, where.path)
        rules = list(_rules(main, where, intent))
        edits: tuple[Edit, ...] = ()
        asked = {route.name: route for route in intent.header_routes}
        for name in _managed_names(intent, where.need):
            present = find(live, _need(intent, name))
            edits += _plan_header(main, rules, asked.get(name), present, intent)
        return edits + super().plan(config, live, replace(intent, header_routes=()))


def _need(intent: TrafficIntent, name: str) -> Need:
    return Need(group=GROUP, kind="ApisixRoute", namespace=intent.namespace, name=name)


def _managed_names(intent: TrafficIntent, main: Need) -> tuple[str, ...]:
    asked = (route.name for route in intent.header_routes)
    names = tuple(dict.fromkeys((*intent.managed_routes, *asked)))
    if main.name in names:
        raise TrafficError(
            f"{ROOT}.managedRoutes: {main.name!r} is the name of the ApisixRoute itself, and a managed route "
            "is an ApisixRoute of its own; rename the managed route"
        )
    return names


def _rules(main: Manifest, where: Backends, intent: TrafficIntent) -> Iterator[Manifest]:
    """Yield the selected rules. Raises TrafficError when a named one is missing or lacks a backend."""
    spec = f"{title(main)} spec"
    found = items(main.get("spec"), "http", spec)
    missing = set(where.only) - {rule.get("name") for rule in found}
    if missing:
        seen = ", ".join(repr(rule.get("name")) for rule in found) or "none"
        raise TrafficError(f"{spec}.http: no rule named {min(missing)!r} (seen {seen}); correct {PATH}.rules")
    for rule in found:
        if where.only and rule.get("name") not in where.only:
            continue
        place = f"{spec}.http[{rule.get('name')}]"
        services = {backend.get("serviceName") for backend in items(rule, "backends", place)}
        lacking = [name for name in where.names(intent) if name not in services]
        if not lacking:
            yield rule
        elif where.only:
            raise TrafficError(f"{place}.backends: none with serviceName {lacking[0]!r}; add it")


def _plan_header(
    main: Manifest,
    rules: Sequence[Manifest],
    route: HeaderRoute | None,
    present: Manifest | None,
    intent: TrafficIntent,
) -> tuple[Edit, ...]:
    owner = controller_owner(present) if present is not None else None
    uid = (intent.owner or {}).get("uid")
    ours = uid is None or (owner is not None and owner.get("uid") == uid)
    if route is None:
        return deletion(present, f"{title(present)}: not asked for") if present is not None and ours else ()
    spec = _header_spec(main, rules, route, intent)
    if present is None:
        return creation(_fresh(main, route.name, spec, intent), f"ApisixRoute {route.name}: to the canary")
    if not ours:
        raise TrafficError(
            f"{title(present)}: does not belong to Rollout {intent.rollout}; delete it, or rename the "
            f"managed route {route.name!r}"
        )
    return replacement(present, {**present, "spec": spec}, f"{title(present)}: to the canary")


def _fresh(main: Manifest, name: str, spec: Manifest, intent: TrafficIntent) -> Manifest:
    meta: Manifest = {"name": name, "namespace": intent.namespace}
    if labels_of(main):
        meta["labels"] = dict(labels_of(main))
    if intent.owner is not None:
        meta["ownerReferences"] = [dict(intent.owner)]
    return {"apiVersion": main["apiVersion"], "kind": "ApisixRoute", "metadata": meta, "spec": spec}


def _header_spec(
    main: Manifest, rules: Sequence[Manifest], route: HeaderRoute, intent: TrafficIntent
) -> Manifest:
    if not route.matches:
        raise TrafficError(
            f"setHeaderRoute {route.name!r}: a header route without a match takes all requests"
        )
    if not rules:
        raise TrafficError(
            f"{title(main)} spec.http: no rule leads to both Services; name one in {PATH}.rules"
        )
    kept = {key: copy.deepcopy(value) for key, value in main["spec"].items() if key not in ("http", "stream")}
    return {**kept, "http": [_header_rule(main, rule, route, intent) for rule in rules]}


def _header_rule(main: Manifest, source: Manifest, route: HeaderRoute, intent: TrafficIntent) -> Manifest:
    rule = copy.deepcopy(source)
    rule["backends"] = [
        {**backend, "weight": 100} if backend.get("serviceName") == intent.canary_service else backend
        for backend in rule["backends"]
        if backend.get("serviceName") != intent.stable_service
    ]
    place = f"{title(main)} spec.http[{source.get('name')}]"
    priority = source.get("priority", 0)
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise TrafficError(f"{place}.priority: must be a whole number, found {priority!r}")
    rule["priority"] = priority + 1
    conditions = rule.get("match") or {}
    theirs = items(conditions, "exprs", f"{place}.match")
    added = [_expression(match, route.name) for match in route.matches]
    rule["match"] = {**conditions, "exprs": theirs + added}
    return rule


def _expression(match: HeaderMatch, route: str) -> Mapping[str, Any]:
    given = {"exact": match.exact, "regex": match.regex, "prefix": match.prefix}
    found = [(kind, value) for kind, value in given.items() if value]
    if len(found) != 1:
        raise TrafficError(
            f"setHeaderRoute {route!r}: header {match.header!r} needs one of exact, prefix, regex"
        )
    ((kind, value),) = found
    subject = {"scope": "Header", "name": match.header}
    if kind == "exact":
        return {"subject": subject, "op": "Equal", "value": value}
    pattern = value if kind == "regex" else prefix_pattern(value)
    return {"subject": subject, "op": "RegexMatch", "value": pattern}
