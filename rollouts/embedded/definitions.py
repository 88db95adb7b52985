"""CustomResourceDefinitions: storing one activates its API, deleting one ends it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from rollouts.embedded.collector import CRD_CLEANUP
from rollouts.embedded.resources import Registry, custom_types
from rollouts.embedded.store import Change, Collection, Name, Store
from rollouts.embedded.writes import Writer
from rollouts.kube.objects import CRDS, Manifest


class Definitions:
    """Keeps the registry in step with the stored definitions."""

    def __init__(self, store: Store, registry: Registry, writer: Writer) -> None:
        self._store = store
        self._registry = registry
        self._writer = writer
        self._queue: deque[Change] = deque()

    def observe(self, collection: Collection, change: Change) -> None:
        """Queue a change of a definition."""
        if collection.plural == CRDS.plural and collection.group == CRDS.group:
            self._queue.append(change)

    def settle(self) -> None:
        """Serve what is defined now."""
        while self._queue:
            change = self._queue.popleft()
            if change.type == "DELETED":
                self._withdraw(change.entry.object)
            elif change.previous is None or change.previous.object["spec"] != change.entry.object["spec"]:
                self._serve(change.key, change.previous.object if change.previous else None)

    def _serve(self, key: Name, previous: Manifest | None) -> None:
        collection = self._store.collection(CRDS.group, CRDS.plural)
        entry = collection.get(key)
        if entry is None:
            return
        if previous is not None:
            self._unregister(previous)
        spec = entry.object["spec"]
        held = self._store.collection(spec["group"], spec["names"]["plural"])
        kinds = custom_types(entry.object)
        for kind in kinds:
            self._registry.add(kind)
        if previous is not None and kinds and kinds[0].schema is not None:
            for _, stored in held.entries():
                admitted, _ = kinds[0].schema.admit(stored.object)
                stored.replace_content(admitted)
        obj = {**entry.object, "metadata": dict(entry.object["metadata"])}
        obj["status"] = self._status(entry.object)
        if not obj["metadata"].get("deletionTimestamp"):
            present = obj["metadata"].get("finalizers") or []
            obj["metadata"]["finalizers"] = [*(f for f in present if f != CRD_CLEANUP), CRD_CLEANUP]
        self._store.put(collection, key, obj)

    def _status(self, crd: Mapping[str, Any]) -> Manifest:
        spec = crd["spec"]
        since = self._writer.now()
        conditions = [
            {
                "type": kind,
                "status": "True",
                "lastTransitionTime": since,
                "reason": reason,
                "message": message,
            }
            for kind, reason, message in (
                ("NamesAccepted", "NoConflicts", "no conflicts found"),
                ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            )
        ]
        stored = [v["name"] for v in spec["versions"] if v.get("storage")]
        return {"acceptedNames": spec["names"], "conditions": conditions, "storedVersions": stored}

    def _withdraw(self, crd: Mapping[str, Any]) -> None:
        self._unregister(crd)
        self._store.drop(crd["spec"]["group"], crd["spec"]["names"]["plural"])

    def _unregister(self, crd: Mapping[str, Any]) -> None:
        spec = crd["spec"]
        for version in spec["versions"]:
            self._registry.drop(spec["group"], version["name"], spec["names"]["plural"])
