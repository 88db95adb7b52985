"""Label and field selectors, parsed once and matched per object. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from rollouts.embedded.failures import bad_request
from rollouts.kube.objects import Manifest

Predicate = Callable[[Manifest], bool]
LabelTest = Callable[[Mapping[str, str]], bool]

_TERMS = re.compile(r"(?:[^,(]|\([^)]*\))+")
_SET_TERM = re.compile(r"^([^\s!=,]+)\s+(in|notin)\s*\(([^)]*)\)$")
_EQUALITY = re.compile(r"^([^\s!=,]+)\s*(==|=|!=)\s*([^\s!=,()]*)$")
_PRESENCE = re.compile(r"^(!?)\s*([^\s!=,()]+)$")


def everything(_obj: Manifest) -> bool:
    """Match any object."""
    return True


def labels(selector: str) -> Predicate:
    """Return a predicate for a label selector ("" matches everything). Raises 400 when malformed."""
    tests = label_tests(selector)
    if not tests:
        return everything

    def matches(obj: Manifest) -> bool:
        held: Mapping[str, str] = obj["metadata"].get("labels") or {}
        return all(test(held) for test in tests)

    return matches


def label_tests(selector: str) -> list[LabelTest]:
    """Parse each comma-separated requirement."""
    return [_label_test(term.strip()) for term in _TERMS.findall(selector) if term.strip()]


def _label_test(term: str) -> LabelTest:
    if found := _SET_TERM.match(term):
        key, operator = found[1], found[2]
        values = frozenset(v.strip() for v in found[3].split(","))
        if operator == "in":
            return lambda held: held.get(key) in values
        return lambda held: held.get(key) not in values
    if found := _EQUALITY.match(term):
        name, wanted = found[1], found[3]
        if found[2] == "!=":
            return lambda held: held.get(name) != wanted
        return lambda held: held.get(name) == wanted
    if found := _PRESENCE.match(term):
        label = found[2]
        if found[1]:
            return lambda held: label not in held
        return lambda held: label in held
    raise bad_request(f"unable to parse requirement: found {term!r}, expected a label requirement")


def by_selector(selector: Mapping[str, Any]) -> LabelTest:
    """Return the test of a ``LabelSelector`` object (empty matches everything)."""
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    expressions = tuple(selector.get("matchExpressions") or ())

    def matches(held: Mapping[str, str]) -> bool:
        return all(held.get(k) == v for k, v in wanted.items()) and all(_holds(e, held) for e in expressions)

    return matches


def _holds(expression: Mapping[str, Any], held: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return held.get(key) in values
        case "NotIn":
            return held.get(key) not in values
        case "Exists":
            return key in held
        case _:
            return key not in held


def fields(selector: str, allowed: Collection[str], *, plain: bool = False) -> Predicate:
    """Return a predicate for a field selector. Raises 400 for a field that the resource does not index.

    ``plain`` is for built-in kinds without fields of their own, which refuse in other words.
    """
    tests: list[tuple[tuple[str, ...], str, bool]] = []
    for term in filter(None, (part.strip() for part in selector.split(","))):
        found = _EQUALITY.match(term)
        if not found:
            raise bad_request(f"invalid selector: {term!r}; can't understand it")
        if found[1] not in allowed:
            listed = ", ".join(f'"{name}"' for name in sorted(allowed))
            known = f'"{found[1]}" is not a known field selector: only {listed}'
            raise bad_request(known if plain else f"field label not supported: {found[1]}")
        tests.append((tuple(found[1].split(".")), found[3], found[2] != "!="))
    if not tests:
        return everything

    def matches(obj: Manifest) -> bool:
        return all((_text_at(obj, path) == value) is equal for path, value, equal in tests)

    return matches


def _text_at(obj: Any, path: tuple[str, ...]) -> str:
    for part in path:
        obj = obj.get(part) if isinstance(obj, dict) else None
    if isinstance(obj, bool):
        return "true" if obj else "false"
    return "" if obj is None else str(obj)


def both(first: Predicate, second: Predicate) -> Predicate:
    """Return the conjunction, without a call for a side that matches everything."""
    if first is everything:
        return second
    if second is everything:
        return first
    return lambda obj: first(obj) and second(obj)
