"""What other controllers of a cluster do when something goes: owner collection, namespaces, definitions.

It follows the garbage collector's rules: dependents without a living owner go; foreground deletion waits for
the dependents that block it; orphaning cuts the references first. A namespace or a CustomResourceDefinition
that is being deleted takes its objects with it and goes last. Work is queued by the store's changes and done
by ``settle`` after the write that caused it, so the order is that of a real cluster, only sooner.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from rollouts.embedded import meta
from rollouts.embedded.deletion import DeleteOptions, Deleter
from rollouts.embedded.resources import Registry, ResourceType
from rollouts.embedded.store import Change, Collection, Entry, Name, Place, Store
from rollouts.embedded.writes import Options, Writer
from rollouts.kube.objects import Manifest

_OPTIONS = Options(manager="kube-controller-manager")
CRD_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


class Collector:
    """Collects in one store."""

    def __init__(self, store: Store, registry: Registry, writer: Writer, deleter: Deleter) -> None:
        self._store = store
        self._registry = registry
        self._writer = writer
        self._deleter = deleter
        self._queue: deque[Callable[[], None]] = deque()
        self._draining: dict[tuple[str, str], Place] = {}
        self._settling = False

    def observe(self, collection: Collection, change: Change) -> None:
        """Queue what a change asks for."""
        held = change.entry.object["metadata"]
        place = Place(collection, change.key)
        if change.type == "DELETED":
            self._observe_end(collection, change, held)
            return
        owners = held.get("ownerReferences")
        if owners and (change.previous is None or not _same_owners(change.previous, owners)):
            self._queue.append(lambda: self._collect(place))
            self._queue_waiting_owners(held, change.previous)
        if held.get("deletionTimestamp"):
            self._queue.append(lambda: self._continue_deletion(place))

    def _observe_end(self, collection: Collection, change: Change, held: Mapping[str, Any]) -> None:
        for dependent in self._store.dependents(held["uid"]):
            self._queue.append(lambda d=dependent: self._collect(d))  # type: ignore[misc]
        self._queue_waiting_owners(held, None)
        self._draining.pop((collection.plural, change.key.name), None)
        if self._draining:
            self._queue.append(self._continue_draining)

    def _queue_waiting_owners(self, held: Mapping[str, Any], previous: Entry | None) -> None:
        before = previous.object["metadata"].get("ownerReferences") or () if previous else ()
        for owner in (*(held.get("ownerReferences") or ()), *before):
            place = self._store.living(owner.get("uid", ""))
            if place is not None:
                self._queue.append(lambda p=place: self._continue_deletion(p))  # type: ignore[misc]

    def settle(self) -> None:
        """Do the queued work, and the work that it causes."""
        if self._settling:
            return
        self._settling = True
        try:
            while self._queue:
                self._queue.popleft()()
        finally:
            self._settling = False

    # --- dependents

    def _collect(self, place: Place) -> None:
        """Delete an object that has lost all its owners, or cut the references to lost ones."""
        entry = place.collection.get(place.key)
        kind = self._kind(place)
        if entry is None or kind is None or entry.object["metadata"].get("deletionTimestamp"):
            return
        held = entry.object["metadata"]
        owners: list[Manifest] = held.get("ownerReferences") or []
        if not owners:
            return
        solid = [o for o in owners if self._state_of(o, place.key) == "solid"]
        if solid:
            if len(solid) < len(owners):
                self._set_owners(kind, place, entry, solid)
            return
        waited_for = any(self._state_of(o, place.key) == "waiting" for o in owners)
        finalizers = held.get("finalizers") or ()
        policy = "Background"
        if meta.ORPHAN in finalizers:
            policy = "Orphan"
        elif meta.FOREGROUND in finalizers or (waited_for and self._store.dependents(held["uid"])):
            policy = "Foreground"
        self._deleter.delete(kind, place.key, DeleteOptions(uid=held["uid"], propagation=policy))

    def _state_of(self, owner: Mapping[str, Any], dependent: Name) -> str:
        place = self._store.living(owner.get("uid", ""))
        if place is None or place.key.namespace not in ("", dependent.namespace):
            return "lost"
        entry = place.collection.get(place.key)
        if entry is None or entry.object["kind"] != owner.get("kind"):
            return "lost"
        held = entry.object["metadata"]
        waiting = held.get("deletionTimestamp") and meta.FOREGROUND in (held.get("finalizers") or ())
        return "waiting" if waiting else "solid"

    def _set_owners(self, kind: ResourceType, place: Place, entry: Entry, owners: list[Manifest]) -> None:
        held = {**entry.object["metadata"], "ownerReferences": owners}
        self._writer.update(kind, place.key, entry, {**entry.object, "metadata": held}, _OPTIONS)

    # --- owners that are being deleted

    def _continue_deletion(self, place: Place) -> None:
        entry = place.collection.get(place.key)
        kind = self._kind(place)
        if entry is None or kind is None:
            return
        held = entry.object["metadata"]
        if not held.get("deletionTimestamp"):
            return
        finalizers = held.get("finalizers") or ()
        if meta.ORPHAN in finalizers:
            self._orphan(held["uid"])
            self._drop_finalizer(kind, place, meta.ORPHAN)
        elif meta.FOREGROUND in finalizers:
            self._wait_for_dependents(kind, place, held["uid"])
        self._start_draining(kind, place)

    def _wait_for_dependents(self, kind: ResourceType, place: Place, uid: str) -> None:
        blocking = [d for d in self._store.dependents(uid) if self._blocks(d, uid)]
        if not blocking:
            self._drop_finalizer(kind, place, meta.FOREGROUND)
            return
        for dependent in blocking:
            self._collect(dependent)

    def _blocks(self, dependent: Place, uid: str) -> bool:
        entry = dependent.collection.get(dependent.key)
        owners = entry.object["metadata"].get("ownerReferences") or () if entry else ()
        return any(o.get("uid") == uid and o.get("blockOwnerDeletion") for o in owners)

    def _orphan(self, uid: str) -> None:
        for dependent in self._store.dependents(uid):
            entry = dependent.collection.get(dependent.key)
            kind = self._kind(dependent)
            if entry is not None and kind is not None:
                owners = entry.object["metadata"].get("ownerReferences") or ()
                left = [o for o in owners if o.get("uid") != uid]
                self._set_owners(kind, dependent, entry, left)

    def _drop_finalizer(self, kind: ResourceType, place: Place, finalizer: str) -> None:
        entry = place.collection.get(place.key)
        if entry is None:
            return
        held = dict(entry.object["metadata"])
        held["finalizers"] = [f for f in held.get("finalizers") or () if f != finalizer]
        self._writer.update(kind, place.key, entry, {**entry.object, "metadata": held}, _OPTIONS)

    # --- namespaces and definitions

    def _start_draining(self, kind: ResourceType, place: Place) -> None:
        if kind.kind not in ("Namespace", "CustomResourceDefinition"):
            return
        mark = (kind.plural, place.key.name)
        if mark in self._draining or place.collection.get(place.key) is None:
            return
        self._draining[mark] = place
        for content in self._contents(place):
            content_kind = self._kind(content)
            if content_kind is not None and content.collection.get(content.key) is not None:
                self._deleter.delete(content_kind, content.key, DeleteOptions())
        self._queue.append(self._continue_draining)

    def _contents(self, place: Place) -> list[Place]:
        entry = place.collection.get(place.key)
        if entry is None:
            return []
        if place.collection.plural == "customresourcedefinitions":
            spec = entry.object["spec"]
            held = self._store.collection(spec["group"], spec["names"]["plural"])
            return [Place(held, key) for key, _ in held.entries()]
        return [
            Place(collection, key)
            for collection in self._store.collections()
            for key, _ in collection.entries(place.key.name)
        ]

    def _continue_draining(self) -> None:
        for mark, place in list(self._draining.items()):
            kind = self._kind(place)
            entry = place.collection.get(place.key)
            if kind is None or entry is None:
                self._draining.pop(mark, None)
            elif not self._contents(place):
                self._draining.pop(mark, None)
                self._let_go(kind, place, entry)

    def _let_go(self, kind: ResourceType, place: Place, entry: Entry) -> None:
        if kind.kind == "CustomResourceDefinition":
            self._drop_finalizer(kind, place, CRD_CLEANUP)
            return
        obj = {**entry.object, "spec": {**entry.object.get("spec", {}), "finalizers": []}}
        if obj["metadata"].get("finalizers"):
            self._store.put(place.collection, place.key, {**obj, "metadata": dict(obj["metadata"])})
        else:
            self._store.remove(place.collection, place.key, {**obj, "metadata": dict(obj["metadata"])})

    def _kind(self, place: Place) -> ResourceType | None:
        return self._registry.stored(place.collection.group, place.collection.plural)


def _same_owners(previous: Entry, owners: list[Manifest]) -> bool:
    return (previous.object["metadata"].get("ownerReferences") or []) == owners
