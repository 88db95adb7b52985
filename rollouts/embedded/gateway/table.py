"""From HTTPRoutes to a routing table, and from a request to a rule. Pure.

Precedence: https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollouts.kube.objects import ReadOnly, metadata, name_of, namespace_of, uid_of

FILTERS = frozenset({"RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What matters of a request. Header names are lower case; ``query`` has each name's first value."""

    method: str
    host: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backend:
    """A Service and its port. ``problem`` is the ResolvedRefs reason of a reference that cannot work."""

    namespace: str
    service: str
    port: int
    weight: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class HeaderEdit:
    """A header modifier filter."""

    set: Mapping[str, str]
    add: Mapping[str, str]
    remove: frozenset[str]


@dataclass(frozen=True, slots=True)
class Mirror:
    """Copy ``numerator`` of ``denominator`` requests to a backend."""

    backend: Backend
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one route; ``identity`` names it for balancing."""

    identity: tuple[str, int]
    backends: tuple[Backend, ...]
    request_headers: tuple[HeaderEdit, ...] = ()
    response_headers: tuple[HeaderEdit, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    unsupported: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One match of one rule, with the hostname it belongs to and its place in the order of precedence."""

    host: str
    match: Mapping[str, Any]
    rule: Rule
    order: tuple[Any, ...]


def build(routes: Sequence[ReadOnly], services: Mapping[tuple[str, str], ReadOnly]) -> tuple[Entry, ...]:
    """Return all entries, the most specific first."""
    entries = [entry for route in routes for entry in _route_entries(route, services)]
    return tuple(sorted(entries, key=lambda entry: entry.order))


def find(table: Sequence[Entry], seen: Seen) -> Rule | None:
    """Return the rule of the first entry that matches, or None."""
    for entry in table:
        if host_matches(entry.host, seen.host) and _matches(entry.match, seen):
            return entry.rule
    return None


def _route_entries(route: ReadOnly, services: Mapping[tuple[str, str], ReadOnly]) -> list[Entry]:
    spec: ReadOnly = route.get("spec") or {}
    entries: list[Entry] = []
    for index, raw in enumerate(spec.get("rules") or ()):
        rule = read_rule(route, index, raw, services)
        for host in spec.get("hostnames") or ("",):
            matches: Sequence[ReadOnly] = raw.get("matches") or ({},)
            for match in matches:
                entries.append(Entry(host, match, rule, _order(route, index, host, match)))
    return entries


def _order(route: ReadOnly, index: int, host: str, match: ReadOnly) -> tuple[Any, ...]:
    path: ReadOnly = match.get("path") or {}
    kind, value = path.get("type", "PathPrefix"), str(path.get("value", "/"))
    return (
        0 if host and not host.startswith("*") else 1,
        -len(host),
        {"Exact": 0, "PathPrefix": 1}.get(kind, 2),
        -len(value),
        0 if match.get("method") else 1,
        -len(match.get("headers") or ()),
        -len(match.get("queryParams") or ()),
        str(metadata(route).get("creationTimestamp", "")),
        namespace_of(route),
        name_of(route),
        index,
    )


# --- matching --------------------------------------------------------------------------------------------


def host_matches(pattern: str, host: str) -> bool:
    """Tell whether a hostname (exact, ``*.suffix`` or "" for any) covers a request's host."""
    if not pattern:
        return True
    if pattern.startswith("*."):
        return host.lower().endswith(pattern[1:].lower()) and host.lower() != pattern[2:].lower()
    return host.lower() == pattern.lower()


def _matches(match: ReadOnly, seen: Seen) -> bool:
    if match.get("method") and match["method"] != seen.method:
        return False
    if not _path_matches(match.get("path") or {}, seen.path):
        return False
    headers = all(_value_matches(h, seen.headers.get(h["name"].lower())) for h in match.get("headers") or ())
    return headers and all(
        _value_matches(q, seen.query.get(q["name"])) for q in match.get("queryParams") or ()
    )


def _path_matches(path: ReadOnly, actual: str) -> bool:
    kind, value = path.get("type", "PathPrefix"), str(path.get("value", "/"))
    if kind == "Exact":
        return actual == value
    if kind == "RegularExpression":
        return _full_match(value, actual)
    prefix = value.rstrip("/")
    return actual == prefix or actual.startswith(prefix + "/") or prefix == ""


def _value_matches(wanted: ReadOnly, actual: str | None) -> bool:
    if actual is None:
        return False
    if wanted.get("type", "Exact") == "RegularExpression":
        return _full_match(str(wanted["value"]), actual)
    return bool(actual == wanted["value"])


def _full_match(pattern: str, actual: str) -> bool:
    try:
        return re.fullmatch(pattern, actual) is not None
    except re.error:
        return False


# --- rules -----------------------------------------------------------------------------------------------


def read_rule(
    route: ReadOnly, index: int, raw: ReadOnly, services: Mapping[tuple[str, str], ReadOnly]
) -> Rule:
    """Return a rule with its backends resolved against the Services."""
    filters: Sequence[ReadOnly] = raw.get("filters") or ()
    refs: Sequence[ReadOnly] = raw.get("backendRefs") or ()
    kinds = [str(f.get("type", "")) for f in filters]
    unsupported = next((kind for kind in kinds if kind not in FILTERS), "")
    if any(ref.get("filters") for ref in refs):
        unsupported = unsupported or "filters of a backendRef"
    return Rule(
        identity=(uid_of(route) or f"{namespace_of(route)}/{name_of(route)}", index),
        backends=tuple(read_backend(route, ref, services) for ref in refs),
        request_headers=_header_edits(filters, "RequestHeaderModifier", "requestHeaderModifier"),
        response_headers=_header_edits(filters, "ResponseHeaderModifier", "responseHeaderModifier"),
        mirrors=tuple(
            _mirror(route, f.get("requestMirror") or {}, services)
            for f in filters
            if f.get("type") == "RequestMirror"
        ),
        unsupported=unsupported,
    )


def read_backend(route: ReadOnly, ref: ReadOnly, services: Mapping[tuple[str, str], ReadOnly]) -> Backend:
    """Return a backend; a reference to another namespace is refused (there are no ReferenceGrants here)."""
    namespace = str(ref.get("namespace") or namespace_of(route))
    name, port = str(ref.get("name", "")), int(ref.get("port") or 0)
    weight = int(ref.get("weight", 1))
    if ref.get("kind", "Service") != "Service" or ref.get("group", "") != "":
        return Backend(namespace, name, port, weight, "InvalidKind")
    if namespace != namespace_of(route):
        return Backend(namespace, name, port, weight, "RefNotPermitted")
    service = services.get((namespace, name))
    ports = [] if service is None else (service.get("spec") or {}).get("ports") or ()
    known = service is not None and any(p.get("port") == port for p in ports)
    return Backend(namespace, name, port, weight, "" if known else "BackendNotFound")


def _header_edits(filters: Sequence[ReadOnly], kind: str, key: str) -> tuple[HeaderEdit, ...]:
    return tuple(
        HeaderEdit(
            set={h["name"]: h["value"] for h in (f.get(key) or {}).get("set") or ()},
            add={h["name"]: h["value"] for h in (f.get(key) or {}).get("add") or ()},
            remove=frozenset(name.lower() for name in (f.get(key) or {}).get("remove") or ()),
        )
        for f in filters
        if f.get("type") == kind
    )


def _mirror(route: ReadOnly, raw: ReadOnly, services: Mapping[tuple[str, str], ReadOnly]) -> Mirror:
    backend = read_backend(route, raw.get("backendRef") or {}, services)
    if raw.get("percent") is not None:
        return Mirror(backend, int(raw["percent"]), 100)
    fraction: ReadOnly = raw.get("fraction") or {"numerator": 1, "denominator": 1}
    return Mirror(backend, int(fraction["numerator"]), int(fraction.get("denominator", 100)))
