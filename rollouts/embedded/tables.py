"""Server-side printing: the Table that ``kubectl get`` shows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rollouts.embedded.columns import BUILTIN_COLUMNS, Column
from rollouts.embedded.jsonpath import first_value
from rollouts.embedded.printing import age
from rollouts.embedded.reads import Page, list_metadata
from rollouts.embedded.resources import ResourceType
from rollouts.embedded.store import Entry
from rollouts.kube.objects import Manifest

_API_VERSION = "meta.k8s.io/v1"


def wanted(accept: str) -> bool:
    """Tell whether a client asks for a Table."""
    return "as=Table" in accept


def render(kind: ResourceType, page: Page, now: datetime, include: str = "") -> Manifest:
    """Return the Table of a page; ``include`` is None, Metadata (the default) or Object."""
    columns = _columns(kind)
    return {
        "kind": "Table",
        "apiVersion": _API_VERSION,
        "metadata": list_metadata(page),
        "columnDefinitions": [column.definition() for column in columns],
        "rows": [_row(kind, columns, entry, now, include) for entry in page.entries],
    }


def _row(
    kind: ResourceType, columns: Sequence[Column], entry: Entry, now: datetime, include: str
) -> Manifest:
    obj = entry.object
    row: Manifest = {"cells": [column.cell(obj, now) for column in columns]}
    if include == "Object":
        row["object"] = {**obj, "apiVersion": kind.api_version}
    elif include != "None":
        meta = obj["metadata"]
        row["object"] = {"kind": "PartialObjectMetadata", "apiVersion": _API_VERSION, "metadata": meta}
    return row


def _columns(kind: ResourceType) -> Sequence[Column]:
    if not kind.custom:
        return BUILTIN_COLUMNS.get(kind.kind) or _DEFAULT
    if not kind.columns:
        return _DEFAULT
    return (_NAME, *map(_declared, kind.columns))


def _name(obj: Mapping[str, Any], _now: datetime) -> Any:
    return obj["metadata"]["name"]


def _age(obj: Mapping[str, Any], now: datetime) -> Any:
    return age(obj["metadata"].get("creationTimestamp"), now)


_NAME = Column("Name", _name, format="name")
_DEFAULT = (_NAME, Column("Age", _age))


def _declared(declared: Mapping[str, Any]) -> Column:
    path, kind = str(declared["jsonPath"]), str(declared.get("type", "string"))
    return Column(
        str(declared["name"]),
        _reader(path, kind),
        type=kind,
        format=str(declared.get("format", "")),
        priority=int(declared.get("priority", 0)),
        description=str(declared.get("description", "")),
    )


def _reader(path: str, kind: str) -> Callable[[Mapping[str, Any], datetime], Any]:
    def read(obj: Mapping[str, Any], now: datetime) -> Any:
        value = first_value(obj, path)
        if kind == "date":
            return age(value, now)
        if kind in ("integer", "number", "boolean"):
            return value
        if value is None or isinstance(value, str):
            return value
        return str(value).lower() if isinstance(value, bool) else str(value)

    return read
