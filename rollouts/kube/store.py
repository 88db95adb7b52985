"""Objects of one resource in memory, with indexes. Pure bookkeeping; ``informer.py`` fills it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from rollouts.kube.cache import IndexFunc
from rollouts.kube.objects import Manifest, controller_owner, name_of, namespace_of, resource_version

_log = logging.getLogger(__name__)

Place = tuple[str, str]
"""Namespace ("" for cluster-scoped) and name."""


def reached(seen: str, wanted: str) -> bool:
    """Tell whether version ``seen`` is ``wanted`` or later.

    Numbers are compared as such (they count up in etcd and in the embedded cluster); versions that are not
    numbers are opaque, and only the same one is known to be reached.
    """
    if seen.isdecimal() and wanted.isdecimal():
        return int(seen) >= int(wanted)
    return seen == wanted


def by_owner(obj: Manifest) -> Sequence[str]:
    """Index function: the uid of the controlling owner."""
    owner = controller_owner(obj)
    return (str(owner.get("uid", "")),) if owner else ()


class Index:
    """From a value to the places of the objects that have it."""

    def __init__(self, func: IndexFunc) -> None:
        self._func = func
        self._values: dict[Place, Sequence[str]] = {}
        self._places: dict[str, set[Place]] = {}

    def put(self, place: Place, obj: Manifest) -> None:
        """Enter an object anew. One that the function cannot read has no values."""
        self.remove(place)
        try:
            values = tuple(self._func(obj))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            _log.warning("%s/%s is left out of an index, its form is unexpected: %r", *place, error)
            return
        if not values:
            return
        self._values[place] = values
        for value in values:
            self._places.setdefault(value, set()).add(place)

    def remove(self, place: Place) -> None:
        """Forget an object."""
        for value in self._values.pop(place, ()):
            places = self._places.get(value, set())
            places.discard(place)
            if not places:
                self._places.pop(value, None)

    def places(self, value: str) -> Sequence[Place]:
        """Return where the objects with ``value`` are, in order."""
        return sorted(self._places.get(value, ()))


class Store:
    """All objects of one resource."""

    def __init__(self) -> None:
        self._namespaces: dict[str, dict[str, Manifest]] = {}
        self._indexes: dict[str, Index] = {"owner": Index(by_owner)}

    def add_index(self, name: str, func: IndexFunc) -> None:
        """Add an index and enter what is already here. Raises ValueError when the name is taken."""
        if name in self._indexes:
            raise ValueError(f"an index named {name!r} exists already")
        index = self._indexes[name] = Index(func)
        for place in self.places():
            obj = self.get(*place)
            if obj is not None:
                index.put(place, obj)

    def get(self, namespace: str, name: str) -> Manifest | None:
        """Return one object."""
        return self._namespaces.get(namespace, {}).get(name)

    def version(self, namespace: str, name: str) -> str:
        """Return the resourceVersion that is held for an object, "" when there is none."""
        return resource_version(self.get(namespace, name) or {})

    def put(self, obj: Manifest) -> Manifest | None:
        """Hold an object and return the one it replaces."""
        place = namespace_of(obj), name_of(obj)
        names = self._namespaces.setdefault(place[0], {})
        old = names.get(place[1])
        names[place[1]] = obj
        for index in self._indexes.values():
            index.put(place, obj)
        return old

    def remove(self, namespace: str, name: str) -> Manifest | None:
        """Drop an object and return it."""
        names = self._namespaces.get(namespace, {})
        old = names.pop(name, None)
        if not names:
            self._namespaces.pop(namespace, None)
        for index in self._indexes.values():
            index.remove((namespace, name))
        return old

    def places(self) -> Iterator[Place]:
        """Yield where all objects are, by namespace and name."""
        for namespace in sorted(self._namespaces):
            for name in sorted(self._namespaces[namespace]):
                yield namespace, name

    def list(self, namespace: str | None = None) -> Sequence[Manifest]:
        """Return all objects, of one namespace unless None, by namespace and name."""
        chosen = sorted(self._namespaces) if namespace is None else [namespace]
        return [names[n] for ns in chosen for names in (self._namespaces.get(ns, {}),) for n in sorted(names)]

    def indexed(self, index: str, value: str) -> Sequence[Manifest]:
        """Return objects by an index. Raises KeyError for an index that was never added."""
        if index not in self._indexes:
            raise KeyError(f"there is no index named {index!r}, only {sorted(self._indexes)}")
        found = (self.get(*place) for place in self._indexes[index].places(value))
        return [obj for obj in found if obj is not None]
