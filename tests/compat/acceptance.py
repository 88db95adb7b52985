"""Compares two structural schemas: does one accept every path that the other has?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"


def refusals(ours: Schema, theirs: Schema, path: str = "") -> Iterator[str]:
    """Yield each way in which ``ours`` refuses, or prunes, what ``theirs`` takes."""
    if "type" not in ours and ours.get(PRESERVE):
        return
    yield from _type_refusals(ours, theirs, path)
    missing = set(ours.get("required", ())) - set(theirs.get("required", ()))
    if missing:
        yield f"{path}: {sorted(missing)} required by ours only"
    if "enum" in ours and not set(theirs.get("enum", ("anything",))) <= set(ours["enum"]):
        yield f"{path}: fewer values"
    if theirs.get(PRESERVE) and not ours.get(PRESERVE):
        yield f"{path}: unknown fields are pruned by ours only"
    for name, schema in (theirs.get("properties") or {}).items():
        yield from _below(ours, (ours.get("properties") or {}).get(name), schema, f"{path}.{name}")
    if isinstance(theirs.get("additionalProperties"), dict):
        inner = ours.get("additionalProperties")
        yield from _below(ours, inner, theirs["additionalProperties"], f"{path}.*")
    if isinstance(theirs.get("items"), dict):
        yield from _below(ours, ours.get("items"), theirs["items"], f"{path}[]")


def _type_refusals(ours: Schema, theirs: Schema, path: str) -> Iterator[str]:
    if ours.get(INT_OR_STRING):
        if not theirs.get(INT_OR_STRING) and theirs.get("type") not in ("integer", "string"):
            yield f"{path}: int-or-string here, {theirs.get('type')} there"
    elif theirs.get(INT_OR_STRING) or ours.get("type") != theirs.get("type"):
        yield f"{path}: {ours.get('type')} here, {theirs.get('type') or 'int-or-string'} there"


def _below(ours: Schema, inner: Schema | None, theirs: Schema, path: str) -> Iterator[str]:
    if inner is not None:
        yield from refusals(inner, theirs, path)
    elif not ours.get(PRESERVE):
        yield f"{path}: unknown to ours"
