"""Server-side apply: the request, who owns which field, and what a conflict was about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from rollouts.kube import errors
from rollouts.kube.api import KubeApi, PatchKind
from rollouts.kube.objects import Manifest, ReadOnly, Resource, metadata, name_of, namespace_of

Path = tuple[str, ...]
"""Steps into an object: field names, ``[key=value,…]`` for an item of a keyed list, ``[value]`` for one of a
set, ``[n]`` for a position."""

_SERVER_METADATA = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that another manager owns with another value."""

    field: str
    message: str


async def apply(
    api: KubeApi,
    resource: Resource,
    obj: ReadOnly,
    *,
    field_manager: str,
    force: bool = False,
    dry_run: bool = False,
    resource_version: str = "",
) -> Manifest:
    """Apply what ``obj`` says, as ``field_manager``; create the object when it is not there.

    Metadata that only the server sets is left out. ``resource_version`` is a precondition. Raises Conflict
    when another manager owns a field and ``force`` is False (see ``conflicts``), and what any write raises.
    """
    meta = {key: value for key, value in metadata(obj).items() if key not in _SERVER_METADATA}
    if resource_version:
        meta["resourceVersion"] = resource_version
    body = {**obj, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
    return await api.patch(
        resource,
        namespace_of(obj) or None,
        name_of(obj),
        body,
        kind=PatchKind.APPLY,
        field_manager=field_manager,
        force=force,
        dry_run=dry_run,
    )


def conflicts(error: errors.Conflict) -> tuple[FieldConflict, ...]:
    """Return the fields that an apply's Conflict names; () when it was about the resourceVersion."""
    causes = (error.body.get("details") or {}).get("causes") or ()
    return tuple(
        FieldConflict(str(cause.get("field", "")), str(cause.get("message", "")))
        for cause in causes
        if cause.get("reason") == "FieldManagerConflict"
    )


def owned_paths(obj: ReadOnly, manager: str) -> frozenset[Path]:
    """Return the leaf fields that ``manager`` owns by any operation."""
    return frozenset(
        path
        for entry in metadata(obj).get("managedFields") or ()
        if entry.get("manager") == manager
        for path in _leaves(entry.get("fieldsV1") or {}, ())
    )


def managers_of(obj: ReadOnly, path: Path) -> tuple[str, ...]:
    """Return who owns the field at ``path`` or anything below it, in the order of managedFields."""
    found = (
        str(entry.get("manager", ""))
        for entry in metadata(obj).get("managedFields") or ()
        if any(leaf[: len(path)] == path for leaf in _leaves(entry.get("fieldsV1") or {}, ()))
    )
    return tuple(dict.fromkeys(found))


def _leaves(fields: Mapping[str, Any], prefix: Path) -> Iterator[Path]:
    """Walk a FieldsV1 tree: ``f:`` field, ``k:`` keyed item, ``v:`` set value, ``i:`` position."""
    for key, below in fields.items():
        if key == ".":
            continue
        path = (*prefix, _step(key))
        if any(child != "." for child in below):
            yield from _leaves(below, path)
        else:
            yield path


def _step(key: str) -> str:
    kind, _, value = key.partition(":")
    if kind == "f":
        return value
    if kind == "k":
        keys = orjson.loads(value)
        return "[" + ",".join(f"{name}={keys[name]}" for name in sorted(keys)) + "]"
    return f"[{orjson.loads(value) if kind == 'v' else value}]"
