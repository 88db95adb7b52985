"""The API server without a wire: one object that owns the store and offers every request as a method.

Writes are synchronous and atomic; what they cause (definitions served, dependents collected) has happened
when they return. HTTP (``server.py``) and the in-process client (``local.py``) are thin shells around it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from rollouts.clock import Clock, Randomness
from rollouts.embedded.collector import Collector
from rollouts.embedded.definitions import Definitions
from rollouts.embedded.deletion import DeleteOptions, Deleter
from rollouts.embedded.failures import method_not_allowed, no_such_path
from rollouts.embedded.reads import ListOptions, Page, list_page
from rollouts.embedded.resources import Registry, ResourceType
from rollouts.embedded.store import HISTORY, Entry, Name, Store
from rollouts.embedded.subresources import Bindings, Evictions, Scales
from rollouts.embedded.watching import Seen, Watches, WatchOptions
from rollouts.embedded.writes import Options, Writer, Written
from rollouts.kube.api import PatchKind
from rollouts.kube.objects import CRDS, NAMESPACES

VERSION: Mapping[str, str] = {
    "major": "1",
    "minor": "35",
    "gitVersion": "v1.35.4+embedded",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "linux/amd64",
}
FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_BOOT = Options(manager="kube-apiserver")


class ApiServer:
    """All requests of the Kubernetes API that the embedded cluster promises."""

    def __init__(self, clock: Clock, randomness: Randomness, *, history: int = HISTORY) -> None:
        self.clock = clock
        self.store = Store(history)
        self.registry = Registry.with_builtins()
        self.watches = Watches(self.store)
        self._writer = Writer(self.store, clock, randomness)
        self._deleter = Deleter(self._writer, clock)
        self._scales = Scales(self._writer)
        self._evictions = Evictions(self._writer, self._deleter, self.registry)
        self._bindings = Bindings(self._writer)
        self._definitions = Definitions(self.store, self.registry, self._writer)
        self._collector = Collector(self.store, self.registry, self._writer, self._deleter)
        self.store.observe(self._definitions.observe)
        self.store.observe(self._collector.observe)
        namespaces = self.registry.of(NAMESPACES)
        for name in FIRST_NAMESPACES:
            self.create(namespaces, "", {"metadata": {"name": name}}, _BOOT)

    def compact(self) -> None:
        """Forget the history of everything, so that watches and pages from before get 410."""
        for collection in self.store.collections():
            collection.compact(self.store.version)

    # --- reads

    def get(self, kind: ResourceType, key: Name) -> Entry:
        """Return one object. Raises 404."""
        return self._writer.current(kind, key)

    def page(self, kind: ResourceType, options: ListOptions) -> Page:
        """Return one page of a list."""
        return list_page(self.store, kind, options)

    def watch(self, kind: ResourceType, options: WatchOptions) -> AsyncGenerator[list[Seen], None]:
        """Yield batches of events. Raises 410."""
        return self.watches.follow(kind, options)

    def get_subresource(self, kind: ResourceType, key: Name, subresource: str) -> Entry:
        """Return the status view (the object) or the Scale."""
        self._check_subresource(kind, subresource)
        if subresource == "scale":
            return self._scales.get(kind, key)
        if subresource != "status":
            raise method_not_allowed("GET")
        return self.get(kind, key)

    # --- writes

    def create(
        self, kind: ResourceType, namespace: str, body: Mapping[str, Any], options: Options
    ) -> Written:
        """Store a new object; a review is answered and not stored."""
        if kind.verbs == ("create",):
            return Written(_review(kind, body), created=True)
        written = self._writer.create(kind, namespace, body, options)
        self._settle()
        return self._fresh(kind, written)

    def create_subresource(
        self, kind: ResourceType, key: Name, subresource: str, body: Mapping[str, Any], options: Options
    ) -> Written:
        """Evict or bind a pod."""
        self._check_subresource(kind, subresource)
        if subresource == "eviction":
            answer = self._evictions.evict(kind, key, body, dry_run=options.dry_run)
        elif subresource == "binding":
            answer = self._bindings.bind(kind, key, body, dry_run=options.dry_run)
        else:
            raise method_not_allowed("POST")
        self._settle()
        return Written(Entry(answer, self.store.version), created=True)

    def replace(
        self, kind: ResourceType, key: Name, body: Mapping[str, Any], options: Options, subresource: str = ""
    ) -> Written:
        """PUT an object, its status or its Scale."""
        if subresource:
            self._check_subresource(kind, subresource)
        if subresource == "scale":
            written = self._scales.replace(kind, key, body, options)
        else:
            written = self._writer.replace(kind, key, body, options, subresource)
        self._settle()
        return written

    def patch(
        self,
        kind: ResourceType,
        key: Name,
        patch: Any,
        content: PatchKind,
        options: Options,
        subresource: str = "",
    ) -> Written:
        """PATCH an object, its status or its Scale."""
        if subresource:
            self._check_subresource(kind, subresource)
        if subresource == "scale":
            written = self._scales.patch(kind, key, patch, content, options)
        else:
            written = self._writer.patch(kind, key, patch, content, options, subresource)
        self._settle()
        return self._fresh(kind, written) if written.created else written

    def delete(self, kind: ResourceType, key: Name, options: DeleteOptions) -> tuple[Entry, bool]:
        """Delete an object. Returns (last state, whether it is gone)."""
        entry, gone = self._deleter.delete(kind, key, options)
        self._settle()
        return entry, gone

    def delete_all(self, kind: ResourceType, listed: ListOptions, options: DeleteOptions) -> list[Entry]:
        """Delete what a list would return."""
        chosen = list_page(self.store, kind, listed).entries
        out: list[Entry] = []
        for entry in chosen:
            held = entry.object["metadata"]
            key = Name(held.get("namespace", ""), held["name"])
            if self.store.collection(kind.group, kind.plural).get(key) is not None:
                out.append(self.delete(kind, key, options)[0])
        return out

    def _check_subresource(self, kind: ResourceType, subresource: str) -> None:
        if subresource not in kind.served_subresources():
            raise no_such_path()

    def _settle(self) -> None:
        self._definitions.settle()
        self._collector.settle()

    def _fresh(self, kind: ResourceType, written: Written) -> Written:
        """Show a new definition as established, since that is what it is when the answer leaves."""
        if kind.resource != CRDS:
            return written
        held = written.entry.object["metadata"]
        entry = self.store.collection(kind.group, kind.plural).get(Name("", held["name"]))
        return Written(entry, written.created, written.warnings) if entry is not None else written


def _review(kind: ResourceType, body: Mapping[str, Any]) -> Entry:
    obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}, **body}
    obj["status"] = {"allowed": True, "reason": "the embedded cluster allows everything"}
    return Entry(obj, 0)
