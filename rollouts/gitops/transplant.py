"""Fields that others own inside a desired object, copied from the live one before diff and apply. Pure.

HTTPRoute rules are one value for the API server: whoever applies a route writes all weights. So a commit to a
route would move traffic, unless the weights of the moment are put into it first. An apply of a transplanted
object carries the live resourceVersion, so that a weight that moves meanwhile makes it fail instead.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.kube.objects import Manifest, ReadOnly, namespace_of


@dataclass(frozen=True, slots=True)
class Split:
    """Two Services of a namespace between which somebody shifts weights in a route's rules.

    ``managed`` are positions of live rules that the shifter added; they are kept.
    """

    namespace: str
    stable: str
    canary: str
    managed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """What is owned by others in one object.

    ``selector_keys`` are keys of a Service's selector, ``fields`` whole fields below the object's root.
    """

    splits: tuple[Split, ...] = ()
    selector_keys: tuple[str, ...] = ()
    fields: tuple[tuple[str, ...], ...] = ()

    def merged(self, other: Owned) -> Owned:
        """Return both together."""
        return Owned(
            splits=self.splits + other.splits,
            selector_keys=tuple(dict.fromkeys(self.selector_keys + other.selector_keys)),
            fields=tuple(dict.fromkeys(self.fields + other.fields)),
        )


NOTHING = Owned()


def transplanted(desired: Manifest, live: ReadOnly, owned: Owned) -> Manifest:
    """Return the desired object with what is owned as it is live; itself when that is the same."""
    if owned == NOTHING:
        return desired
    result = copy.deepcopy(desired)
    for split in owned.splits:
        _weights(result, live, split)
    if owned.splits:
        _managed_rules(result, live, owned.splits)
    for key in owned.selector_keys:
        _selector(result, live, key)
    for path in owned.fields:
        _field(result, live, path)
    return desired if result == desired else result


def _weights(desired: Manifest, live: ReadOnly, split: Split) -> None:
    sources = [rule for i, rule in enumerate(_rules(live)) if i not in split.managed]
    position = 0
    for rule in _rules(desired):
        pair = _pair(rule, split, namespace_of(desired))
        if pair is None:
            continue
        candidates = [r for r in sources if _pair(r, split, namespace_of(live)) is not None]
        source = _counterpart(rule, candidates, position)
        position += 1
        if source is None:
            continue
        for mine, theirs in zip(pair, _pair(source, split, namespace_of(live)) or (), strict=True):
            if mine.get("weight", 1) != theirs.get("weight", 1):
                mine["weight"] = theirs.get("weight", 1)


def _counterpart(rule: ReadOnly, candidates: Sequence[Any], position: int) -> Any:
    """Return the live rule of a desired one: by name, by matches, by place, else the first."""
    for field in ("name", "matches"):
        wanted = rule.get(field)
        found = [c for c in candidates if wanted and c.get(field) == wanted]
        if len(found) == 1:
            return found[0]
    if position < len(candidates):
        return candidates[position]
    return candidates[0] if candidates else None


def _managed_rules(desired: Manifest, live: ReadOnly, splits: Sequence[Split]) -> None:
    """Keep the rules that shifters added where they are: behind as many others, and the last ones last."""
    rules = _rules(live)
    managed = {position for split in splits for position in split.managed if position < len(rules)}
    if not managed:
        return
    names = {rules[position]["name"] for position in managed if rules[position].get("name")}
    own = [rule for rule in _rules(desired) if rule.get("name") not in names]
    others = len(rules) - len(managed)
    merged: list[Any] = []
    passed = taken = 0
    for position, rule in enumerate(rules):
        if position not in managed:
            passed += 1
            continue
        ahead = len(own) if others and passed == others else min(passed, len(own))
        merged += own[taken:ahead]
        taken = max(taken, ahead)
        merged.append(copy.deepcopy(rule))
    merged += own[taken:]
    desired.setdefault("spec", {})["rules"] = merged


def _pair(rule: ReadOnly, split: Split, own_namespace: str) -> tuple[Any, Any] | None:
    stable = _backend(rule, split.stable, split.namespace, own_namespace)
    canary = _backend(rule, split.canary, split.namespace, own_namespace)
    return (stable, canary) if stable is not None and canary is not None else None


def _backend(rule: ReadOnly, service: str, namespace: str, own_namespace: str) -> Any:
    for ref in rule.get("backendRefs") or ():
        same = isinstance(ref, Mapping) and ref.get("name") == service
        if same and (ref.get("namespace") or own_namespace) == namespace and not ref.get("group"):
            return ref
    return None


def _rules(obj: ReadOnly) -> list[Any]:
    spec = obj.get("spec")
    rules = spec.get("rules") if isinstance(spec, Mapping) else None
    return [rule for rule in rules if isinstance(rule, Mapping)] if isinstance(rules, list) else []


def _selector(desired: Manifest, live: ReadOnly, key: str) -> None:
    value = ((live.get("spec") or {}).get("selector") or {}).get(key)
    selector = (desired.get("spec") or {}).get("selector")
    if not isinstance(selector, dict):
        return
    if value is None:
        selector.pop(key, None)
    else:
        selector[key] = value


def _field(desired: Manifest, live: ReadOnly, path: Sequence[str]) -> None:
    """Copy one field; where the live object lacks it, the desired one names it no longer."""
    target: Any = desired
    source: Any = live
    for part in path[:-1]:
        source = source.get(part) if isinstance(source, Mapping) else None
        if not isinstance(target, dict) or not isinstance(target.get(part), dict):
            return
        target = target[part]
    if isinstance(source, Mapping) and path[-1] in source:
        target[path[-1]] = copy.deepcopy(source[path[-1]])
    else:
        target.pop(path[-1], None)
