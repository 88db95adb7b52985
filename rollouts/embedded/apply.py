"""Server-side apply: merge what a manager wants, refuse what others own, remove what it wants no more.

Pure; the rules are those of https://kubernetes.io/docs/reference/using-api/server-side-apply/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from rollouts.embedded import fieldsets
from rollouts.embedded.failures import ApiFailure, Cause, internal
from rollouts.embedded.fieldsets import SELF, Fields, Path
from rollouts.embedded.managed import Manager, tracked, without
from rollouts.embedded.shapes import Shape
from rollouts.kube.objects import Manifest, format_time, parse_time

BEFORE_FIRST_APPLY = "before-first-apply"


def server_side_apply(
    live: Manifest, config: Manifest, manager: Manager, shape: Shape, *, force: bool
) -> tuple[Manifest, list[Manifest]]:
    """Return (the merged object, its managed-fields entries). Raises 409 naming every other owner.

    ``live`` is the stored object, or one with nothing but its identity. Fields of ``live`` that have no
    owner are not removed, only overwritten.
    """
    entries: Sequence[Manifest] = live["metadata"].get("managedFields") or ()
    if not entries and live["metadata"].get("uid"):
        entries = [_before_first_apply(live, manager, shape)]
    mine = next((e for e in entries if manager.owns(e)), None)
    others = [e for e in entries if mine is not e]
    wanted = tracked(config)
    _check_keys(wanted, shape, "")
    before = tracked(live)
    merged = _merge(before, wanted, shape)
    changed, _ = fieldsets.compare(before, merged, shape)
    others = _settle_conflicts(others, changed, force=force)
    owned = fieldsets.of_value(wanted, shape)
    if owned.get("f:metadata") == {}:
        del owned["f:metadata"]
    dropped = fieldsets.difference(_fields(mine), owned)
    if dropped:
        merged = _prune(merged, dropped, _all([*others, {"fieldsV1": owned}]), shape) or {"metadata": {}}
    if owned:
        fresh = manager.entry(owned)
        if mine is not None and {**mine, "time": ""} == {**fresh, "time": ""} and before == merged:
            fresh = mine
        others.append(fresh)
    return _rejoin(live, merged), others


def _before_first_apply(live: Manifest, manager: Manager, shape: Shape) -> Manifest:
    """Return the owner of all that an object without managed fields has when it is first applied to."""
    owner = Manager(BEFORE_FIRST_APPLY, "Update", manager.api_version, manager.time)
    return owner.entry(fieldsets.of_value(tracked(live), shape))


def _check_keys(value: Any, shape: Shape, path: str) -> None:
    """Refuse items of list maps that cannot be told apart."""
    if isinstance(value, dict):
        for name, below in value.items():
            _check_keys(below, shape.child(name), f"{path}.{name}")
    elif isinstance(value, list) and shape.keys:
        for index, item in enumerate(value):
            if shape.identity(item) is None:
                listed = orjson.dumps(list(shape.keys)).decode()
                raise internal(
                    f"failed to create typed patch object: {path}: element {index}: associative list with "
                    f"keys has an element that omits all key fields {listed}"
                )
            _check_keys(item, shape.element(), f"{path}[{index}]")


def _fields(entry: Mapping[str, Any] | None) -> Fields:
    return (entry.get("fieldsV1") or {}) if entry else {}


def _all(entries: Sequence[Manifest]) -> Fields:
    owned: Fields = {}
    for entry in entries:
        owned = fieldsets.union(owned, _fields(entry))
    return owned


def _rejoin(live: Manifest, merged: Mapping[str, Any]) -> Manifest:
    """Put identity and system fields back around the merged content."""
    content = tracked(live)["metadata"]
    system = {k: v for k, v in live["metadata"].items() if k not in content}
    head = {k: live[k] for k in ("apiVersion", "kind")}
    return {**head, **merged, "metadata": {**system, **merged.get("metadata", {})}}


def _settle_conflicts(others: list[Manifest], changed: Fields, *, force: bool) -> list[Manifest]:
    conflicts = [(e, path) for e in others for path in fieldsets.overlap(changed, _fields(e))]
    if not conflicts:
        return others
    if not force:
        raise _conflict(conflicts)
    taken = fieldsets.from_paths([path for _, path in conflicts])
    return [kept for kept in (without(e, taken) for e in others) if kept is not None]


def _conflict(conflicts: Sequence[tuple[Manifest, Path]]) -> ApiFailure:
    causes = [
        Cause(fieldsets.spell(path), f"conflict with {_describe(entry)}", "FieldManagerConflict")
        for entry, path in conflicts
    ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        by_manager: dict[str, list[str]] = {}
        for entry, path in conflicts:
            by_manager.setdefault(_describe(entry), []).append(fieldsets.spell(path))
        blocks = [
            "\n".join([f"conflicts with {who}:", *(f"- {path}" for path in paths)])
            for who, paths in by_manager.items()
        ]
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(blocks)
    return ApiFailure(409, "Conflict", message, causes=causes)


def _describe(entry: Mapping[str, Any]) -> str:
    who = f'"{entry["manager"]}"'
    if entry.get("subresource"):
        who += f' with subresource "{entry["subresource"]}"'
    if entry["operation"] != "Update":
        return who
    moment = parse_time(entry.get("time")) if entry["manager"] != BEFORE_FIRST_APPLY else None
    when = f" at {format_time(moment or datetime.min.replace(tzinfo=UTC))}" if moment else ""
    return f"{who} using {entry['apiVersion']}{when}"


def _merge(live: Any, config: Any, shape: Shape) -> Any:
    """Return ``live`` overwritten by ``config``; list maps and sets are joined, live order first."""
    if isinstance(config, dict) and isinstance(live, dict) and not shape.atomic:
        out = dict(live)
        for name, value in config.items():
            out[name] = _merge(live.get(name), value, shape.child(name))
        return out
    both = isinstance(config, list) and isinstance(live, list) and not shape.atomic
    if both and shape.is_keyed(config) and shape.is_keyed(live):
        return _merge_items(live, config, shape)
    return config


def _merge_items(live: list[Any], config: list[Any], shape: Shape) -> list[Any]:
    held = {shape.item_key(item): item for item in live}
    wanted = {shape.item_key(item): item for item in config}
    element = shape.element()
    return [
        _merge(held.get(key), wanted[key], element) if key in wanted else held[key]
        for key in _joined_order(list(held), list(wanted))
    ]


def _joined_order(live: list[str], config: list[str]) -> list[str]:
    """Join two orders: the applied one rules, and items of the live list alone stay where they are."""
    shared = [key for key in config if key in set(live)]
    wanted = set(config)
    order: list[str] = []
    left = right = 0
    while left < len(live) or right < len(config):
        here = live[left] if left < len(live) else None
        if here is not None and here not in wanted:
            order.append(here)
            left += 1
        elif here is not None and right < len(config) and here not in (config[right], *shared[:1]):
            left += 1  # it comes later in the applied order, or has come already
        elif right < len(config):
            left += here == config[right]
            order.append(config[right])
            shared = [key for key in shared if key != config[right]]
            right += 1
        else:
            left += 1
    return order


def _prune(value: Any, dropped: Fields, kept: Fields, shape: Shape) -> Any:
    """Remove the members of ``dropped`` that nobody in ``kept`` owns; None when a container is left empty.

    A named field goes whole when nobody owns anything in it, with the defaults that it was given.
    """
    if isinstance(value, dict):
        out = dict(value)
        for key, below in dropped.items():
            name = key[2:]
            if key == SELF or name not in out:
                continue
            if key not in kept and (_goes_whole(below) or shape.is_named(name)):
                del out[name]
                continue
            if below:
                left = _prune(out[name], below, kept.get(key, {}), shape.child(name))
                if left is None and not fieldsets.is_member(kept.get(key)):
                    del out[name]
                else:
                    out[name] = type(out[name])() if left is None else left
        return out or None
    if isinstance(value, list) and (shape.keys or shape.is_set):
        return _prune_items(value, dropped, kept, shape)
    return value


def _goes_whole(below: Fields) -> bool:
    return not below or SELF in below


def _prune_items(value: list[Any], dropped: Fields, kept: Fields, shape: Shape) -> list[Any] | None:
    out: list[Any] = []
    element = shape.element()
    for item in value:
        key = shape.item_key(item)
        if key not in dropped:
            out.append(item)
        elif key not in kept and _goes_whole(dropped[key]):
            continue
        elif dropped[key] and not shape.is_set:
            left = _prune(item, dropped[key], kept.get(key, {}), element)
            out.append(item if left is None else left)
        else:
            out.append(item)
    return out or None
