"""Finding a router's objects among those observed, and turning a changed copy into an edit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rollouts.kube.objects import Manifest, name_of, namespace_of
from rollouts.traffic.router import Edit, Need, TrafficError, TrafficIntent

_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


def find(live: Sequence[Manifest], need: Need) -> Manifest | None:
    """Return the observed object that the need names, if it exists."""
    for obj in live:
        group, slash, _ = str(obj.get("apiVersion", "")).partition("/")
        seen = (group if slash else "", obj.get("kind"), namespace_of(obj), name_of(obj))
        if seen == (need.group, need.kind, need.namespace, need.name):
            return obj
    return None


def existing(live: Sequence[Manifest], need: Need, path: str) -> Manifest:
    """Return the object that the need names. Raises TrafficError when it does not exist."""
    obj = find(live, need)
    if obj is None:
        raise TrafficError(
            f"{path}: {need.kind} {need.namespace}/{need.name} was not found; create it or correct the name"
        )
    return obj


def items(holder: Any, key: str, where: str) -> list[Manifest]:
    """Return a list of objects that ``holder`` has under ``key``. Raises TrafficError for another shape."""
    if not isinstance(holder, Mapping):
        raise TrafficError(f"{where}: must be an object; correct it")
    found = holder.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        raise TrafficError(f"{where}.{key}: must be a list of objects; correct it")
    return list(found)


def replacement(obj: Manifest, body: Manifest, summary: str, reason: str = "") -> tuple[Edit, ...]:
    """Return the write that turns ``obj`` into ``body``, or () when they are equal."""
    if body == obj:
        return ()
    return (_edit("replace", body, summary, reason),)


def creation(
    body: Manifest, summary: str, reason: str = "", *, any_version: bool = False
) -> tuple[Edit, ...]:
    """Return the write that creates ``body``, with ``any_version`` in the version that the cluster serves."""
    edit = _edit("create", body, summary, reason)
    return (replace(edit, version="") if any_version else edit,)


def deletion(obj: Manifest, summary: str, reason: str = "") -> tuple[Edit, ...]:
    """Return the deletion of ``obj``; the API checks its uid."""
    return (_edit("delete", obj, summary, reason),)


def stable_weight(intent: TrafficIntent) -> int:
    """Return max − canary − Σ additional. Raises TrafficError when a share is negative."""
    canary, extra = intent.canary_weight or 0, sum(d.weight for d in intent.additional)
    stable = intent.max_weight - canary - extra
    if min(stable, canary, *(d.weight for d in intent.additional)) < 0:
        raise TrafficError(
            f"canary weight {canary} and experiment weights {extra} do not fit into maxTrafficWeight "
            f"{intent.max_weight}; lower the step's or the experiment's weight"
        )
    return stable


def share(canary: int, total: int, maximum: int) -> int:
    """Return the canary's weight in units of ``maximum``, rounded up; as it is when weights sum to it."""
    return canary if total in (0, maximum) else -(-maximum * canary // total)


def whole(value: Any, where: str) -> int:
    """Return a weight. Raises TrafficError when it is no whole number from 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TrafficError(f"{where}: must be a whole number from 0, found {value!r}; correct it")
    return value


def prefix_pattern(value: str) -> str:
    """Return the expression that means the prefix where values are searched and where they match whole."""
    return "^" + _SPECIAL.sub(r"\\\1", value) + ".*"


def title(obj: Manifest) -> str:
    """Return "Kind namespace/name"."""
    return f"{obj.get('kind')} {namespace_of(obj)}/{name_of(obj)}"


def _edit(verb: Any, body: Manifest, summary: str, reason: str) -> Edit:
    group, slash, version = str(body["apiVersion"]).partition("/")
    return Edit(
        verb=verb,
        group=group if slash else "",
        version=version if slash else group,
        kind=str(body["kind"]),
        namespace=namespace_of(body),
        name=name_of(body),
        body=body,
        summary=summary,
        reason=reason,
    )
