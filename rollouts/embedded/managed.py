"""``metadata.managedFields``: who owns which field, kept up to date on every write.

Pure. An update gives its manager every field that it adds or changes and takes them from all others; an
apply (``apply.py``) owns exactly what it names. Entries are values: they are replaced, never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.embedded import fieldsets
from rollouts.embedded.fieldsets import Fields
from rollouts.embedded.shapes import Shape
from rollouts.kube.objects import Manifest

_UNTRACKED = frozenset({"apiVersion", "kind"})
_UNTRACKED_METADATA = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "generation",
        "resourceVersion",
        "managedFields",
    }
)


@dataclass(frozen=True, slots=True)
class Manager:
    """Who writes: the identity of an entry, and the time to stamp it with."""

    name: str
    operation: str
    api_version: str
    time: str
    subresource: str = ""

    def owns(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether ``entry`` is this manager's (an apply keeps its entry over API versions)."""
        return (
            entry.get("manager") == self.name
            and entry.get("operation") == self.operation
            and entry.get("subresource", "") == self.subresource
            and (self.operation == "Apply" or entry.get("apiVersion") == self.api_version)
        )

    def entry(self, owned: Fields) -> Manifest:
        """Return the entry as the object carries it."""
        subresource = {"subresource": self.subresource} if self.subresource else {}
        return {
            "manager": self.name,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": owned,
            **subresource,
        }


def tracked(obj: Mapping[str, Any]) -> Manifest:
    """Return the part of an object whose fields have owners."""
    out = {name: value for name, value in obj.items() if name not in _UNTRACKED}
    meta = {k: v for k, v in obj["metadata"].items() if k not in _UNTRACKED_METADATA}
    out["metadata"] = meta
    return out


def ordered(entries: Sequence[Manifest]) -> list[Manifest]:
    """Return the entries as objects carry them: applies first, then by time and name."""
    return sorted(entries, key=_rank)


def _rank(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return (entry["operation"], entry.get("time", ""), entry["manager"], entry.get("subresource", ""))


def after_update(
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any],
    entries: Sequence[Manifest],
    manager: Manager,
    shape: Shape,
) -> list[Manifest]:
    """Return the entries after ``manager`` turned ``old`` into ``new``."""
    changed, removed = fieldsets.compare(tracked(old) if old else {"metadata": {}}, tracked(new), shape)
    if not changed and not removed:
        return list(entries)
    out: list[Manifest] = []
    mine: Fields = {}
    for entry in entries:
        if manager.owns(entry):
            mine = entry.get("fieldsV1") or {}
            continue
        kept = without(entry, changed, removed)
        if kept is not None:
            out.append(kept)
    owned = fieldsets.union(fieldsets.subtract(mine, removed), changed)
    if owned:
        out.append(manager.entry(owned))
    return out


def without(entry: Manifest, *sets: Fields) -> Manifest | None:
    """Return an entry less some fields, None when nothing is left."""
    before: Fields = entry.get("fieldsV1") or {}
    owned = before
    for taken in sets:
        owned = fieldsets.subtract(owned, taken)
    if not owned:
        return None
    return entry if owned == before else {**entry, "fieldsV1": owned}
