"""How objects are put together: which lists are maps by key, which are sets, which values are atomic.

Pure. Server-side apply, managed fields and strategic merge patches walk objects along a ``Shape``. Shapes of
custom resources come from their schema (``x-kubernetes-list-type``, ``x-kubernetes-list-map-keys``,
``x-kubernetes-map-type``); those of built-in resources stand in ``builtin_shapes``. What a shape does not
know is a granular map, an atomic list or a scalar, as in the Kubernetes API conventions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Shape:
    """One node. ``keys`` makes a list a map; ``merge_key`` is the key of strategic merge patches ("" for a
    list of primitives that merges), None where such a patch replaces the list.

    ``struct`` marks a built-in type, whose fields are all named although only some have a shape here."""

    children: Mapping[str, Shape] = field(default_factory=dict)
    values: Shape | None = None
    items: Shape | None = None
    keys: tuple[str, ...] = ()
    key_defaults: Mapping[str, Any] = field(default_factory=dict)
    is_set: bool = False
    atomic: bool = False
    struct: bool = False
    merge_key: str | None = None

    def child(self, name: str) -> Shape:
        """Return the shape of a field."""
        return self.children.get(name) or self.values or (STRUCT if self.struct else UNKNOWN)

    def is_named(self, name: str) -> bool:
        """Tell whether a field is one of a type, not an entry of a map."""
        return self.struct or name in self.children

    def element(self) -> Shape:
        """Return the shape of a list's items."""
        return self.items or (STRUCT if self.struct else UNKNOWN)

    def identity(self, item: Any) -> tuple[Any, ...] | None:
        """Return the values of an item's keys, None when one is missing."""
        if not isinstance(item, dict):
            return None
        found = tuple(item.get(key, self.key_defaults.get(key)) for key in self.keys)
        return None if None in found else found

    def item_key(self, item: Any) -> str:
        """Return the FieldsV1 element of an item of a list map or a set."""
        if self.is_set:
            return "v:" + orjson.dumps(item).decode()
        values = dict(zip(self.keys, self.identity(item) or (), strict=True))
        return "k:" + orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()

    def is_keyed(self, value: Sequence[Any]) -> bool:
        """Tell whether ``value`` is to be seen item by item."""
        if self.is_set:
            return True
        return bool(self.keys) and all(self.identity(item) is not None for item in value)


UNKNOWN = Shape()
STRUCT = Shape(struct=True)
MAP = Shape(values=UNKNOWN)
ATOMIC = Shape(atomic=True)


def list_map(
    *keys: str,
    items: Shape = UNKNOWN,
    defaults: Mapping[str, Any] | None = None,
    merge_key: str | None = "",
) -> Shape:
    """Return a list that is a map by ``keys``; strategic patches merge by the first unless told otherwise."""
    merge = keys[0] if merge_key == "" else merge_key
    return Shape(items=items, keys=keys, key_defaults=defaults or {}, merge_key=merge)


def fields(**children: Shape) -> Shape:
    """Return an object of a built-in type, of whose fields these need telling."""
    return Shape(children=children, struct=True)


METADATA = fields(
    labels=MAP,
    annotations=MAP,
    finalizers=Shape(is_set=True, merge_key=""),
    ownerReferences=list_map("uid"),
    managedFields=ATOMIC,
)


def from_schema(schema: Mapping[str, Any], *, root: bool = False) -> Shape:
    """Return the shape that an OpenAPI v3 structural schema describes."""
    children = {name: from_schema(sub) for name, sub in (schema.get("properties") or {}).items()}
    if root or schema.get("x-kubernetes-embedded-resource"):
        children["metadata"] = METADATA
    extra = schema.get("additionalProperties")
    items = schema.get("items")
    item_shape = from_schema(items) if isinstance(items, Mapping) else None
    kind = schema.get("x-kubernetes-list-type")
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ()) if kind == "map" else ()
    return Shape(
        children=children,
        values=from_schema(extra) if isinstance(extra, Mapping) else None,
        items=item_shape,
        keys=keys,
        key_defaults=_key_defaults(items, keys),
        is_set=kind == "set",
        atomic=schema.get("x-kubernetes-map-type") == "atomic",
    )


def _key_defaults(items: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not keys or not isinstance(items, Mapping):
        return {}
    known = items.get("properties") or {}
    return {k: known[k]["default"] for k in keys if "default" in known.get(k, {})}
