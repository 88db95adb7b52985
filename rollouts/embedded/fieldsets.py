"""Sets of fields in the ``FieldsV1`` form, worked on as the tries that they are.

Pure. ``{}`` is a member without members below it; ``"."`` marks a node that is a member itself besides those
below it. Elements are ``f:name``, ``k:{keys}`` for an item of a list map, ``v:value`` for an item of a set.
The set operations follow the managed-fields rules of server-side apply.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from rollouts.embedded.shapes import Shape

Fields = dict[str, Any]
SELF = "."


def of_value(value: Any, shape: Shape) -> Fields:
    """Return the leaves of ``value`` (and the items of its list maps), as an apply owns them."""
    if isinstance(value, dict) and value and not shape.atomic:
        return {f"f:{name}": of_value(sub, shape.child(name)) for name, sub in value.items()}
    if isinstance(value, list) and value and not shape.atomic and shape.is_keyed(value):
        if shape.is_set:
            return {shape.item_key(item): {} for item in value}
        element = shape.element()
        return {shape.item_key(item): {SELF: {}, **of_value(item, element)} for item in value}
    return {}


def all_of(value: Any, shape: Shape) -> Fields:
    """Return ``value`` and everything below it: what appears, or goes, with it."""
    below = of_value(value, shape)
    if not below:
        return {}
    if isinstance(value, dict):
        below = {f"f:{name}": all_of(sub, shape.child(name)) for name, sub in value.items()}
    elif not shape.is_set:
        element = shape.element()
        below = {shape.item_key(item): all_of(item, element) for item in value}
    if shape.struct and shape.children:
        return below  # a part of its parent, not a value that comes and goes
    return {SELF: {}, **below}


def compare(old: Any, new: Any, shape: Shape) -> tuple[Fields, Fields]:
    """Return (fields added or changed, fields removed) between two objects of one shape.

    Both are empty when nothing differs but the order of keyed items; the root itself is never a member.
    """
    if old is not new and _is_granular(old, new, shape):
        return (_compare_maps if isinstance(old, dict) else _compare_lists)(old, new, shape)
    return {}, {}


def _is_granular(old: Any, new: Any, shape: Shape) -> bool:
    """Tell whether two values are compared part by part."""
    if shape.atomic:
        return False
    if isinstance(old, list) and isinstance(new, list):
        return shape.is_keyed(old) and shape.is_keyed(new)
    return isinstance(old, dict) and isinstance(new, dict)


def _compare_maps(old: dict[str, Any], new: dict[str, Any], shape: Shape) -> tuple[Fields, Fields]:
    changed: Fields = {}
    removed: Fields = {}
    for name, value in new.items():
        if name not in old:
            changed[f"f:{name}"] = all_of(value, shape.child(name))
        elif value is not old[name] and value != old[name]:
            _descend(f"f:{name}", old[name], value, shape.child(name), changed, removed)
    for name, value in old.items():
        if name not in new:
            removed[f"f:{name}"] = all_of(value, shape.child(name))
    return changed, removed


def _compare_lists(old: list[Any], new: list[Any], shape: Shape) -> tuple[Fields, Fields]:
    before = {shape.item_key(item): item for item in old}
    after = {shape.item_key(item): item for item in new}
    changed: Fields = {}
    removed: Fields = {}
    element = shape.element()
    for key, item in after.items():
        if key not in before:
            changed[key] = {} if shape.is_set else all_of(item, element)
        elif item != before[key]:
            _descend(key, before[key], item, element, changed, removed)
    for key, item in before.items():
        if key not in after:
            removed[key] = {} if shape.is_set else all_of(item, element)
    return changed, removed


def _descend(key: str, old: Any, new: Any, shape: Shape, changed: Fields, removed: Fields) -> None:
    """Compare two values that are known to differ."""
    if not _is_granular(old, new, shape):
        changed[key] = all_of(new, shape)
        return
    sub_changed, sub_removed = compare(old, new, shape)
    if sub_changed:
        changed[key] = sub_changed
    if sub_removed:
        removed[key] = sub_removed


def union(a: Fields, b: Fields) -> Fields:
    """Return the members of either (of two roots)."""
    out = dict(a)
    for key, theirs in b.items():
        out[key] = _union_node(out[key], theirs) if key in out else theirs
    return out


def _union_node(a: Fields, b: Fields) -> Fields:
    if not a and not b:
        return {}
    if not a:
        return {SELF: {}, **b}
    if not b:
        return {SELF: {}, **a}
    return union(a, b)


def subtract(a: Fields, b: Fields) -> Fields:
    """Return the members of ``a`` that are neither in ``b`` nor below a leaf of ``b``."""
    out: Fields = {}
    for key, mine in a.items():
        theirs = b.get(key)
        if theirs is None:
            out[key] = mine
        elif theirs and key != SELF:
            if mine:
                left = subtract(mine, theirs)
                if left:
                    out[key] = {} if list(left) == [SELF] else left
            elif SELF not in theirs:
                out[key] = {}
    return out


def difference(a: Fields, b: Fields) -> Fields:
    """Return the members of ``a`` that are not members of ``b`` themselves."""
    out: Fields = {}
    for key, mine in a.items():
        theirs = b.get(key)
        if theirs is None:
            out[key] = mine
        elif key == SELF:
            continue
        elif not mine:
            if not is_member(theirs):
                out[key] = {}
        elif left := difference(mine, theirs or {SELF: {}}):
            out[key] = {} if list(left) == [SELF] else left
    return out


def is_member(node: Fields | None) -> bool:
    """Tell whether a node is in its set itself, not only something below it."""
    return node is not None and (not node or SELF in node)


Path = tuple[str, ...]


def overlap(changed: Fields, owned: Fields, path: Path = ()) -> Iterator[Path]:
    """Yield the members of ``owned`` that ``changed`` touches."""
    for key, mine in changed.items():
        theirs = owned.get(key)
        if theirs is None or key == SELF:
            continue
        if not mine or not theirs:
            if not mine or SELF in mine or not theirs:
                yield (*path, key)
        else:
            yield from overlap(mine, theirs, (*path, key))


def from_paths(paths: list[Path]) -> Fields:
    """Return the set of these members."""
    root: Fields = {}
    for path in paths:
        node = root
        for key in path:
            node = node.setdefault(key, {})
    return root


def spell(path: Path) -> str:
    """Return a path as conflict messages write it: ``.spec.containers[name="a"].image``."""
    return "".join(_spell_element(element) for element in path)


def _spell_element(element: str) -> str:
    kind, _, rest = element.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "v":
        return f"[={rest}]"
    keys = orjson.loads(rest)
    return "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in keys.items()) + "]"
