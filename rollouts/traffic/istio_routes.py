"""Routes of a VirtualService: which the rollout uses, their weights, and the managed ones."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.api.argoproj.rollout import IstioVirtualService
from rollouts.kube.objects import Manifest, namespace_of
from rollouts.traffic.config import ROOT
from rollouts.traffic.live import items, stable_weight, title, whole
from rollouts.traffic.router import HeaderMatch, TrafficError, TrafficIntent

_STEP_FIELDS = {"method": "method", "path": "uri"}


@dataclass(frozen=True, slots=True)
class Pair:
    """What stands for stable and canary in destinations: hosts, or subsets of one host.

    ``extra`` are an experiment's Services with their weights, ``gone`` those of finished ones: always hosts.
    ``fixed`` are subsets whose weight is the user's and is taken from stable.
    """

    intent: TrafficIntent
    stable: str
    canary: str
    extra: tuple[tuple[str, int], ...]
    gone: tuple[str, ...]
    subsets: bool
    fixed: tuple[str, ...] = ()

    def names(self, destination: Manifest, name: str, obj: Manifest) -> bool:
        """Tell whether a route's destination leads to ``name``."""
        if self.subsets:
            return bool(_subset(destination) == name)
        return self.leads(destination, name, obj)

    def leads(self, destination: Manifest, service: str, obj: Manifest) -> bool:
        """Tell whether a route's destination is a Service of the Rollout's namespace."""
        target = destination.get("destination") or {}
        host, _, rest = str(target.get("host", "")).partition(".")
        space = rest.partition(".")[0] or namespace_of(obj)
        return host == service and space == self.intent.namespace

    def find(self, route: Manifest, name: str, obj: Manifest) -> Manifest | None:
        """Return the destination of a route that leads to ``name``."""
        listed = items(route, "route", f"{title(obj)} route")
        return next((d for d in listed if self.names(d, name, obj)), None)

    def find_service(self, route: Manifest, service: str, obj: Manifest) -> Manifest | None:
        """Return the destination of a route that is a Service."""
        listed = items(route, "route", f"{title(obj)} route")
        return next((d for d in listed if self.leads(d, service, obj)), None)

    def taken(self, route: Manifest, obj: Manifest) -> int:
        """Return the sum of the weights that are fixed."""
        where = f"{title(obj)} route weight"
        listed = items(route, "route", f"{title(obj)} route")
        return sum(whole(d.get("weight", 0), where) for d in listed if _subset(d) in self.fixed)


def is_managed(route: Manifest, intent: TrafficIntent) -> bool:
    """Tell whether an http route is one that steps add: by name, or name and number."""
    name = str(route.get("name") or "")
    for managed_name in _managed_names(intent):
        rest = name.removeprefix(managed_name)
        if name.startswith(managed_name) and (not rest or (rest[0] == "-" and rest[1:].isdecimal())):
            return True
    return False


def selected(
    config: IstioVirtualService, section: str, listed: Sequence[Manifest], obj: Manifest, pair: Pair
) -> list[int]:
    """Return the indexes of the routes to change. Raises TrafficError for one that lacks a destination."""
    own = [i for i, route in enumerate(listed) if section != "http" or not is_managed(route, pair.intent)]
    named = bool(config.routes or config.tls_routes or config.tcp_routes)
    own_names = {"http": config.routes, "tls": config.tls_routes, "tcp": config.tcp_routes}[section]
    if not listed:  # names say which routes of a section to take, not that there is one
        return []
    if section == "http":
        chosen = _by_name(config.routes, own, listed, obj)
        if not named and len(own) > 1:
            raise TrafficError(
                f"{title(obj)} spec.http: has {len(own)} routes; say which by "
                f"{ROOT}.istio.virtualService.routes"
            )
    else:
        wanted = config.tls_routes if section == "tls" else config.tcp_routes
        chosen = [i for i in own if any(_matches(route, listed[i]) for route in wanted)]
        if wanted and not chosen:
            raise TrafficError(f"{title(obj)} spec.{section}: no route fits {section}Routes")
    needs_both = named or section != "http"
    if not own_names and len(own) == 1 and (not needs_both or _has_both(listed[own[0]], pair, obj)):
        chosen = own
    for index in chosen:
        for name in (pair.stable, pair.canary):
            if pair.find(listed[index], name, obj) is None:
                kind = "subset" if pair.subsets else "host"
                raise TrafficError(
                    f"{title(obj)} spec.{section}[{index}].route: no destination with {kind} {name!r}; add it"
                )
    return chosen


def _has_both(route: Manifest, pair: Pair, obj: Manifest) -> bool:
    return all(pair.find(route, name, obj) is not None for name in (pair.stable, pair.canary))


def split(route: Manifest, pair: Pair, obj: Manifest) -> tuple[int, int]:
    """Return the canary's weight and the sum over the rollout's destinations."""
    where = f"{title(obj)} route weight"
    both = (pair.find(route, name, obj) for name in (pair.canary, pair.stable))
    services = (*(name for name, _ in pair.extra), *pair.gone)
    found = (*both, *(pair.find_service(route, name, obj) for name in services))
    weights = [0 if each is None else whole(each.get("weight", 0), where) for each in found]
    return weights[0], sum(weights) + pair.taken(route, obj)


def weigh(route: Manifest, pair: Pair, obj: Manifest) -> None:
    """Write the weights into a route of our own copy."""
    split(route, pair, obj)  # refuses weights that are no numbers
    if pair.intent.canary_weight is None:
        return
    route["route"] = [d for d in route["route"] if not any(pair.leads(d, gone, obj) for gone in pair.gone)]
    fixed = pair.taken(route, obj)
    stable = stable_weight(pair.intent) - fixed
    if stable < 0:
        raise TrafficError(
            f"{title(obj)}: subsets {', '.join(pair.fixed)} keep {fixed} of {pair.intent.max_weight}, which "
            "leaves too little for the canary; lower their weight or the step's"
        )
    for name, weight in ((pair.stable, stable), (pair.canary, pair.intent.canary_weight)):
        _set_weight(pair.find(route, name, obj) or {}, weight)
    for name, weight in pair.extra:
        destination = pair.find_service(route, name, obj)
        if destination is None:
            destination = {"destination": _target(route, name, pair, obj)}
            route["route"].append(destination)
        _set_weight(destination, weight)


def _set_weight(destination: Manifest, weight: int) -> None:
    if destination.get("weight", 0) != weight:
        destination["weight"] = weight


def managed(intent: TrafficIntent, sources: Sequence[Manifest], pair: Pair, obj: Manifest) -> list[Manifest]:
    """Return the header and mirror routes for each source route, in the order of managedRoutes."""
    found: list[Manifest] = []
    for name in _managed_names(intent):
        made = []
        for header in (route for route in intent.header_routes if route.name == name):
            if not header.matches:
                raise TrafficError(
                    f"setHeaderRoute {name!r}: a header route without a match takes all requests"
                )
            wanted = [{"headers": {match.header: _value(match, name)}} for match in header.matches]
            for source in sources:
                route = _copy(source, wanted, name)
                canary = pair.find(route, pair.canary, obj) or {}
                route["route"] = [{**canary, "weight": 100}]
                made.append(route)
        for mirror in (route for route in intent.mirror_routes if route.name == name):
            for source in sources:
                route = _copy(source, [_step_match(m) for m in mirror.matches], name)
                route["mirror"] = copy.deepcopy((pair.find(route, pair.canary, obj) or {}).get("destination"))
                route["mirrorPercentage"] = {"value": float(mirror.percentage)}
                made.append(route)
        found += [{**route, "name": name if i == 0 else f"{name}-{i}"} for i, route in enumerate(made)]
    return found


def _managed_names(intent: TrafficIntent) -> tuple[str, ...]:
    asked = [route.name for route in intent.header_routes] + [route.name for route in intent.mirror_routes]
    return tuple(dict.fromkeys((*intent.managed_routes, *asked)))


def _by_name(names: Sequence[str], own: list[int], listed: Sequence[Manifest], obj: Manifest) -> list[int]:
    for name in names:
        if not any(listed[i].get("name") == name for i in own):
            seen = ", ".join(repr(listed[i].get("name")) for i in own) or "none"
            raise TrafficError(f"{title(obj)} spec.http: no route named {name!r} (seen {seen})")
    return [i for i in own if listed[i].get("name") in names]


def _matches(wanted: Any, route: Manifest) -> bool:
    """Tell whether a match of the route, or all of them together, is of the wanted port and SNI hosts."""
    hosts = set(getattr(wanted, "sni_hosts", ()))
    seen = [(match.get("port"), set(match.get("sniHosts") or ())) for match in route.get("match") or ()]
    if seen and len({port for port, _ in seen}) == 1:
        seen.append((seen[0][0], set().union(*(names for _, names in seen))))
    return any(
        (not wanted.port or port == wanted.port) and (not hosts or hosts == names) for port, names in seen
    )


def _target(route: Manifest, name: str, pair: Pair, obj: Manifest) -> Manifest:
    canary = (pair.find(route, pair.canary, obj) or {}).get("destination") or {}
    return {**{key: value for key, value in canary.items() if key != "subset"}, "host": name}


def _subset(destination: Manifest) -> Any:
    return (destination.get("destination") or {}).get("subset")


def _value(match: HeaderMatch, name: str) -> Manifest:
    given = {"exact": match.exact, "prefix": match.prefix, "regex": match.regex}
    found = {kind: value for kind, value in given.items() if value}
    if len(found) != 1:
        raise TrafficError(
            f"setHeaderRoute {name!r}: header {match.header!r} needs one of exact, prefix, regex"
        )
    return found


def _step_match(step: Mapping[str, Any]) -> Manifest:
    match: Manifest = {_STEP_FIELDS[key]: dict(step[key]) for key in _STEP_FIELDS if step.get(key)}
    if step.get("headers"):
        match["headers"] = {name: dict(value) for name, value in step["headers"].items()}
    return match


def _copy(source: Manifest, wanted: Sequence[Manifest], name: str) -> Manifest:
    """Return the source with its matches narrowed by each of ``wanted``."""
    route = copy.deepcopy(source)
    listed = source.get("match") or [{}]
    matches = [_both(match, want, name) for want in wanted or [{}] for match in listed]
    if any(matches):
        route["match"] = matches
    return route


def _both(match: Manifest, want: Manifest, name: str) -> Manifest:
    both = copy.deepcopy(match)
    for key, value in want.items():
        if key == "headers":
            headers = both.setdefault("headers", {})
            taken = {header.lower() for header in headers} & {header.lower() for header in value}
            if taken:
                raise TrafficError(
                    f"managed route {name!r}: header {min(taken)!r} is already matched by the route"
                )
            headers.update(value)
        elif both.setdefault(key, value) != value:
            raise TrafficError(f"managed route {name!r}: the route already matches another {key}")
    return both
