"""Objects, resource versions and the history that watches replay.

Pure state: no clock, no I/O. One counter numbers all writes. A ``Collection`` holds the objects of one
resource in every served version and its last changes; what is older than the kept history is compacted
away, and whoever asks for it gets "too old". The ``Store`` also indexes live uids and dependents by owner
uid, so that nothing ever scans all objects.

Objects handed to ``put`` belong to the store afterwards and are never changed in place.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import orjson

from rollouts.kube.objects import Manifest

FIRST_VERSION = 1000
"""Where the counter starts: well above 1, so that "watch from 1" is as expired as on a real server."""

HISTORY = 10_000
"""Changes kept for each collection."""

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


class Name(NamedTuple):
    """Namespace ("" for cluster-scoped objects) and name; its order is the order of lists."""

    namespace: str
    name: str


class Entry:
    """One stored version of an object, with its JSON encoded at most once."""

    __slots__ = ("_rest", "object", "version")

    def __init__(self, obj: Manifest, version: int) -> None:
        self.object = obj
        self.version = version
        self._rest: bytes | None = None

    @property
    def bare(self) -> bytes:
        """Return the JSON without ``kind`` and ``apiVersion``, as built-in lists carry their items."""
        if self._rest is None:
            body = {k: v for k, v in self.object.items() if k not in ("kind", "apiVersion")}
            self._rest = orjson.dumps(body)
        return self._rest

    def replace_content(self, obj: Manifest) -> None:
        """Show the same version in another form, as when a new schema gives it defaults on reading."""
        self.object = obj
        self._rest = None

    def encode(self, api_version: str, kind: str) -> bytes:
        """Return the JSON as served in ``api_version``."""
        bare = self.bare
        head = f'{{"kind":"{kind}","apiVersion":"{api_version}"'.encode()
        return head + (b"," + bare[1:] if len(bare) > 2 else b"}")

    def copy_bare(self) -> Manifest:
        """Return a fresh object without ``kind`` and ``apiVersion``."""
        obj: Manifest = orjson.loads(self.bare)
        return obj

    def copy(self, api_version: str, kind: str) -> Manifest:
        """Return a fresh object that the caller may change."""
        return {"apiVersion": api_version, "kind": kind, **self.copy_bare()}


@dataclass(frozen=True, slots=True)
class Change:
    """One write: ``entry`` is the state after it (for DELETED the last one, at the delete's version)."""

    version: int
    type: ChangeType
    key: Name
    entry: Entry
    previous: Entry | None


Listener = Callable[[Change], None]


class Collection:
    """The objects of one resource. Create through ``Store.collection``."""

    def __init__(self, group: str, plural: str, floor: int, history: int) -> None:
        self.group = group
        self.plural = plural
        self.floor = floor
        self._entries: dict[str, dict[str, Entry]] = {}
        self._names: dict[str, list[str]] = {}
        self._namespaces: list[str] = []
        self._history: deque[Change] = deque()
        self._kept = history
        self._listeners: dict[Listener, None] = {}

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def get(self, key: Name) -> Entry | None:
        """Return the present state of one object."""
        return self._entries.get(key.namespace, {}).get(key.name)

    def entries(
        self, namespace: str | None = None, after: Name | None = None
    ) -> Iterator[tuple[Name, Entry]]:
        """Yield present objects ordered by namespace and name, those behind ``after`` only."""
        for space in self._spaces(namespace, after):
            names = self._names[space]
            start = bisect_right(names, after.name) if after and after.namespace == space else 0
            held = self._entries[space]
            for name in names[start:]:
                yield Name(space, name), held[name]

    def _spaces(self, namespace: str | None, after: Name | None) -> list[str]:
        if namespace is not None:
            return [namespace] if namespace in self._entries else []
        start = bisect_left(self._namespaces, after.namespace) if after else 0
        return self._namespaces[start:]

    def entries_at(
        self, version: int, namespace: str | None = None, after: Name | None = None
    ) -> Iterator[tuple[Name, Entry]]:
        """Yield the objects as they were at ``version`` (the caller has checked that it is kept)."""
        before: dict[Name, Entry | None] = {}
        for change in reversed(self._history):
            if change.version <= version:
                break
            before[change.key] = change.previous
        if not before:
            yield from self.entries(namespace, after)
            return
        present = dict(self.entries(namespace, after))
        for key, entry in before.items():
            if (namespace is not None and key.namespace != namespace) or (after and key <= after):
                continue
            if entry is None:
                present.pop(key, None)
            else:
                present[key] = entry
        yield from sorted(present.items())

    def since(self, version: int) -> list[Change]:
        """Return the kept changes after ``version``, oldest first."""
        found: list[Change] = []
        for change in reversed(self._history):
            if change.version <= version:
                break
            found.append(change)
        found.reverse()
        return found

    def compact(self, version: int) -> None:
        """Forget the changes up to ``version``."""
        while self._history and self._history[0].version <= version:
            self._history.popleft()
        self.floor = max(self.floor, version)

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` with every change from now on."""
        self._listeners[listener] = None

    def unsubscribe(self, listener: Listener) -> None:
        """Stop calling ``listener``."""
        self._listeners.pop(listener, None)

    def record(self, change: Change) -> None:
        """Take over one change; for ``Store`` only."""
        space, name = change.key
        if change.type == "DELETED":
            self._forget(space, name)
        else:
            held = self._entries.get(space)
            if held is None:
                held = self._entries[space] = {}
                self._names[space] = []
                insort(self._namespaces, space)
            if name not in held:
                insort(self._names[space], name)
            held[name] = change.entry
        self._history.append(change)
        if len(self._history) > self._kept:
            self.floor = self._history.popleft().version
        for listener in tuple(self._listeners):
            listener(change)

    def _forget(self, space: str, name: str) -> None:
        held, names = self._entries[space], self._names[space]
        del held[name]
        del names[bisect_left(names, name)]
        if not held:
            del self._entries[space], self._names[space]
            del self._namespaces[bisect_left(self._namespaces, space)]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lives."""

    collection: Collection
    key: Name


class Store:
    """All collections and the one counter of versions."""

    def __init__(self, history: int = HISTORY) -> None:
        self.version = FIRST_VERSION
        self._history = history
        self._collections: dict[tuple[str, str], Collection] = {}
        self._by_uid: dict[str, Place] = {}
        self._dependents: dict[str, dict[tuple[str, str, Name], Place]] = {}
        self._observers: list[Callable[[Collection, Change], None]] = []

    def observe(self, observer: Callable[[Collection, Change], None]) -> None:
        """Call ``observer`` with every change of every collection, before the write returns."""
        self._observers.append(observer)

    def collection(self, group: str, plural: str) -> Collection:
        """Return the collection of a resource, made on first use."""
        found = self._collections.get((group, plural))
        if found is None:
            found = Collection(group, plural, self.version, self._history)
            self._collections[group, plural] = found
        return found

    def drop(self, group: str, plural: str) -> None:
        """Forget an empty collection (its resource is served no more)."""
        self._collections.pop((group, plural), None)

    def collections(self) -> Iterable[Collection]:
        """Return all collections."""
        return tuple(self._collections.values())

    def put(self, collection: Collection, key: Name, obj: Manifest) -> Entry:
        """Store ``obj`` under the next version, which is written into its metadata."""
        previous = collection.get(key)
        entry = self._stamp(obj)
        kind: ChangeType = "ADDED" if previous is None else "MODIFIED"
        self._index(collection, key, previous, entry)
        self._record(collection, Change(entry.version, kind, key, entry, previous))
        return entry

    def remove(self, collection: Collection, key: Name, last: Manifest) -> Entry:
        """Remove the object; ``last`` is its final state, as the DELETED event shows it."""
        previous = collection.get(key)
        entry = self._stamp(last)
        self._index(collection, key, previous, None)
        self._record(collection, Change(entry.version, "DELETED", key, entry, previous))
        return entry

    def _record(self, collection: Collection, change: Change) -> None:
        collection.record(change)
        for observer in self._observers:
            observer(collection, change)

    def living(self, uid: str) -> Place | None:
        """Return where the object with ``uid`` lives now."""
        return self._by_uid.get(uid)

    def dependents(self, uid: str) -> list[Place]:
        """Return the live objects that name ``uid`` as an owner, in the order they came to do so."""
        return list(self._dependents.get(uid, {}).values())

    def _stamp(self, obj: Manifest) -> Entry:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        return Entry(obj, self.version)

    def _index(self, collection: Collection, key: Name, old: Entry | None, new: Entry | None) -> None:
        before, after = _owners(old), _owners(new)
        if old is not None and new is None:
            self._by_uid.pop(old.object["metadata"]["uid"], None)
        elif old is None and new is not None:
            self._by_uid[new.object["metadata"]["uid"]] = Place(collection, key)
        if before == after:
            return
        mark = (collection.group, collection.plural, key)
        for uid in before - after:
            held = self._dependents[uid]
            held.pop(mark, None)
            if not held:
                del self._dependents[uid]
        for uid in after - before:
            self._dependents.setdefault(uid, {})[mark] = Place(collection, key)


def _owners(entry: Entry | None) -> frozenset[str]:
    if entry is None:
        return frozenset()
    return frozenset(o["uid"] for o in entry.object["metadata"].get("ownerReferences") or () if o.get("uid"))
