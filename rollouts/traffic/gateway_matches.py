"""Matches of managed rules: what a header or mirror step adds to the matches of a route's rule.

A managed rule must win over its source by the Gateway API's precedence (path, then method, then number of
headers), so every match of the source is copied completely and narrowed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from rollouts.kube.objects import Manifest
from rollouts.traffic.live import prefix_pattern
from rollouts.traffic.router import HeaderMatch, HeaderRoute, MirrorRoute, TrafficError

_PATH_TYPES = {"exact": "Exact", "prefix": "PathPrefix", "regex": "RegularExpression"}


def header_matches(source: Manifest, route: HeaderRoute, where: str) -> list[Manifest]:
    """Return the source rule's matches, each with the step's headers added (all of them must match).

    Raises TrafficError when a match already has one of the headers: the API refuses a second one.
    """
    added = [_header(match, f"setHeaderRoute {route.name!r}") for match in route.matches]
    return [_with_headers(match, added, where) for match in _matches_of(source)]


def mirror_matches(source: Manifest, route: MirrorRoute, where: str, *, grpc: bool) -> list[Manifest]:
    """Return the combinations of the source rule's matches and the step's. Empty when none can ever match.

    Raises TrafficError for a step that the route cannot express.
    """
    if not route.matches:
        return copy.deepcopy(_matches_of(source))
    found = []
    for index, step in enumerate(route.matches):
        path = f"setMirrorRoute {route.name!r} match[{index}]"
        if grpc and (step.get("path") or step.get("method")):
            raise TrafficError(
                f"{path}: a GRPCRoute can only match headers; {where} cannot carry path or method"
            )
        headers = [
            {"name": name, **_header_value(_string_match(value, f"{path}.headers.{name}"))}
            for name, value in (step.get("headers") or {}).items()
        ]
        for match in _matches_of(source):
            narrowed = _narrowed(match, step, path)
            if narrowed is not None:
                found.append(_with_headers(narrowed, headers, where))
    return found


def _matches_of(source: Manifest) -> list[Manifest]:
    return list(source.get("matches") or [{}])


def _header(match: HeaderMatch, where: str) -> Manifest:
    set_ones = [
        (kind, value)
        for kind, value in (("exact", match.exact), ("prefix", match.prefix), ("regex", match.regex))
        if value
    ]
    if not match.header or len(set_ones) != 1:
        raise TrafficError(
            f"{where}: invalid header match type: header {match.header!r} needs exactly one of exact, prefix "
            f"and regex, found {len(set_ones)}"
        )
    return {"name": match.header, **_header_value(set_ones[0])}


def _header_value(wanted: tuple[str, str]) -> Manifest:
    kind, value = wanted
    if kind == "exact":
        return {"type": "Exact", "value": value}
    return {"type": "RegularExpression", "value": value if kind == "regex" else prefix_pattern(value)}


def _with_headers(match: Manifest, added: Sequence[Manifest], where: str) -> Manifest:
    headers = [*(match.get("headers") or ()), *added]
    names = [str(header.get("name", "")).lower() for header in headers]
    for name in names:
        if names.count(name) > 1:
            raise TrafficError(
                f"{where}: header {name!r} is already matched by the rule; a match can name a header once. "
                "Use another header in the step, or remove it from the rule"
            )
    merged = copy.deepcopy(match)
    if headers:
        merged["headers"] = [dict(header) for header in headers]
    return merged


def _string_match(value: Any, path: str) -> tuple[str, str]:
    given = [(k, v) for k, v in (value or {}).items() if k in _PATH_TYPES and v] if _is_map(value) else []
    if len(given) != 1:
        raise TrafficError(f"{path}: needs exactly one of exact, prefix and regex, found {len(given)}")
    return str(given[0][0]), str(given[0][1])


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def _narrowed(match: Manifest, step: Mapping[str, Any], where: str) -> Manifest | None:
    """Return the match narrowed to the step's method and path, or None when no request can match both."""
    merged = copy.deepcopy(match)
    if step.get("method"):
        kind, method = _string_match(step["method"], f"{where}.method")
        if kind != "exact":
            raise TrafficError(f"{where}.method.{kind}: a route matches methods exactly; use exact")
        if merged.setdefault("method", method) != method:
            return None
    if step.get("path"):
        path = _narrower_path(merged.get("path"), _string_match(step["path"], f"{where}.path"), where)
        if path is None:
            return None
        merged["path"] = path
    return merged


def _narrower_path(source: Manifest | None, wanted: tuple[str, str], where: str) -> Manifest | None:
    """Return the path that means both, or None when no path does."""
    kind, value = wanted
    theirs = str((source or {}).get("type") or "PathPrefix")
    prefix = str((source or {}).get("value") or "/")
    ours = {"type": _PATH_TYPES[kind], "value": value}
    if ours == {"type": theirs, "value": prefix} or (theirs == "PathPrefix" and prefix == "/"):
        return ours
    if "RegularExpression" in (theirs, ours["type"]):
        raise TrafficError(
            f"{where}.path: {kind} {value!r} cannot be combined with the rule's path {theirs} {prefix!r}; "
            "a match can hold one path. Use exact or prefix"
        )
    if theirs == "Exact":
        inside = prefix == value if kind == "exact" else _under(prefix, value)
        return {"type": "Exact", "value": prefix} if inside else None
    if _under(value, prefix):
        return ours
    return {"type": theirs, "value": prefix} if kind == "prefix" and _under(prefix, value) else None


def _under(path: str, prefix: str) -> bool:
    """Tell whether ``path`` lies under ``prefix`` by whole segments."""
    base = prefix.rstrip("/")
    return path == prefix or path.rstrip("/") == base or path.startswith(base + "/")
