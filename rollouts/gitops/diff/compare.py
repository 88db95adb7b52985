"""Compares a desired object with the live one, field by field. Pure.

The traps of ``false drift`` that are handled: defaults (only named fields count), quantities, null and empty
values that the API server drops, ports without a protocol, keyed lists in another order, base64 with line
breaks, aggregated roles, status and server metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rollouts.api.scalars import ScalarError, canonical_quantity
from rollouts.gitops.diff.lists import item_key
from rollouts.gitops.diff.shape import APPLIED_SHAPE
from rollouts.gitops.diff.tracking import group_of
from rollouts.kube.objects import ReadOnly, annotations_of

Path = tuple[str | int, ...]
"""Fields and list positions of the desired object."""

_METADATA = ("labels", "annotations", "finalizers")
_NOT_COMPARED = {"apiVersion", "kind", "metadata", "status"}
_BUILTIN_GROUPS = frozenset({"", "apps", "batch", "autoscaling", "policy", "extensions"})
_QUANTITIES = frozenset(
    {
        *("limits", "requests", "capacity", "hard", "allocatable", "overhead", "sizeLimit", "divisor"),
        *("default", "defaultRequest", "min", "max", "maxLimitRequestRatio", "averageValue", "value"),
    }
)


def is_builtin(obj: ReadOnly) -> bool:
    """Tell whether the kind is part of Kubernetes, so that Go drops its empty values."""
    group = group_of(obj)
    return group in _BUILTIN_GROUPS or (
        group.endswith(".k8s.io") and group.count(".") == 2 and not group.startswith("gateway.")
    )


def differences(desired: ReadOnly, live: ReadOnly) -> tuple[Path, ...]:
    """Return where the live object does not have what the desired one names."""
    walk = _Walk(builtin=is_builtin(desired))
    found = list(walk.metadata(desired.get("metadata") or {}, live.get("metadata") or {}))
    skipped = _NOT_COMPARED | ({"rules"} if desired.get("aggregationRule") else set())
    atomic_selector = group_of(desired) == "" and desired.get("kind") == "Service"
    for key, value in desired.items():
        if key not in skipped:
            found += walk.compare(value, live.get(key), (key,))
    if atomic_selector:
        found += _extra(desired, live)
    return tuple(found)


def _extra(desired: ReadOnly, live: ReadOnly) -> Iterator[Path]:
    """A Service's selector is one value: a key that somebody added takes pods out of it."""
    wanted = (desired.get("spec") or {}).get("selector") or {}
    for key in (live.get("spec") or {}).get("selector") or {}:
        if wanted and key not in wanted:
            yield ("spec", "selector", key)


class _Walk:
    def __init__(self, *, builtin: bool) -> None:
        self._builtin = builtin

    def metadata(self, desired: ReadOnly, live: ReadOnly) -> Iterator[Path]:
        for field in _METADATA:
            wanted, present = desired.get(field) or {}, live.get(field) or {}
            if field == "finalizers":
                if any(item not in present for item in wanted):
                    yield ("metadata", field)
                continue
            for key, value in wanted.items():
                if key == APPLIED_SHAPE and key not in present:
                    continue  # never applied by us: taken over as it is
                if value != present.get(key) and not (value in ("", None) and key in present):
                    yield ("metadata", field, key)

    def compare(self, want: Any, have: Any, path: Path) -> Iterator[Path]:
        if want is None:
            return
        if have is None:
            if not self._is_dropped(want):
                yield path
        elif isinstance(want, Mapping):
            yield from self._mapping(want, have, path)
        elif isinstance(want, list):
            yield from self._list(want, have, path)
        elif not _same(want, have, path):
            yield path

    def _mapping(self, want: Mapping[str, Any], have: Any, path: Path) -> Iterator[Path]:
        if not isinstance(have, Mapping):
            yield path
            return
        for key, value in want.items():
            yield from self.compare(value, have.get(key), (*path, key))

    def _list(self, want: Sequence[Any], have: Any, path: Path) -> Iterator[Path]:
        if not isinstance(have, list):
            yield path
            return
        keyed = self._keyed(want, have, str(path[-1]))
        if keyed is not None:
            for index, item in enumerate(want):
                yield from self.compare(item, keyed[index], (*path, index))
        elif len(want) != len(have):
            yield path
        else:
            for index, item in enumerate(want):
                yield from self.compare(item, have[index], (*path, index))

    def _keyed(self, want: Sequence[Any], have: Sequence[Any], field: str) -> list[Any] | None:
        """Return the live item of each desired one by key; None when the list is compared by position.

        Lists of custom kinds are one value for the API server, so they count by position.
        """
        if not self._builtin or not want:
            return None
        by_key = {item_key(field, item): item for item in have}
        keys = [item_key(field, item) for item in want]
        if None in keys or None in by_key or len(set(keys)) != len(keys):
            return None
        return [by_key.get(key) for key in keys]

    def _is_dropped(self, value: Any) -> bool:
        """Tell whether the API server does not keep such a value, so that its absence is no difference."""
        if isinstance(value, Mapping):
            return all(self._is_dropped(item) for item in value.values())
        if isinstance(value, list):
            return not value
        return self._builtin and value in ("", False, 0)


def _same(want: Any, have: Any, path: Path) -> bool:
    if isinstance(want, bool) or isinstance(have, bool):
        return want is have
    if want == have:
        return True
    if isinstance(want, Mapping | list) or isinstance(have, Mapping | list):
        return False
    if _is_quantity(path):
        try:
            return canonical_quantity(want) == canonical_quantity(have)
        except ScalarError:
            return False
    return False


def _is_quantity(path: Path) -> bool:
    return any(part in _QUANTITIES for part in path[-3:])


def removed_fields(desired: ReadOnly, live: ReadOnly, last_applied: ReadOnly) -> tuple[Path, ...]:
    """Return the fields that a client-side apply set, that Git no longer names and that still exist."""
    return tuple(
        path
        for path in _missing(last_applied, desired, live, ())
        if path[:1] not in (("status",), ("apiVersion",), ("kind",))
    )


def _missing(old: Any, want: Any, have: Any, path: Path) -> Iterator[Path]:
    if not (isinstance(old, Mapping) and isinstance(have, Mapping)):
        return
    for key, value in old.items():
        if path == ("metadata",) and key not in ("labels", "annotations"):
            continue
        wanted = want.get(key) if isinstance(want, Mapping) else None
        if wanted is None and value not in (None, {}, [], "") and key in have:
            yield (*path, key)
        else:
            yield from _missing(value, wanted, have.get(key), (*path, key))


def was_applied_by_us(live: ReadOnly) -> bool:
    """Tell whether the live object carries the shape of an apply of ours."""
    return APPLIED_SHAPE in annotations_of(live)
