"""The watched part of a cluster in memory: one reflector per resource, behind the ``Cache`` port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from rollouts.clock import Clock, Randomness
from rollouts.kube import errors
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Handler, IndexFunc
from rollouts.kube.objects import Manifest, Resource
from rollouts.kube.projections import Projection, without_managed_fields
from rollouts.kube.reflector import Reflector, Scope
from rollouts.kube.store import Store


class InformerCache:
    """Watched resources by name, in one namespace or in all.

    ``start`` declares what is watched; watching begins with ``run`` (at once when that runs already). A
    resource can be started and stopped at any time. Objects that are returned are shared: never change them.
    """

    def __init__(
        self, api: KubeApi, clock: Clock, randomness: Randomness, *, namespace: str | None = None
    ) -> None:
        self._api = api
        self._clock = clock
        self._randomness = randomness
        self._namespace = namespace
        self._stores: dict[Resource, Store] = {}
        self._handlers: dict[Resource, list[Handler]] = {}
        self._reflectors: dict[Resource, Reflector] = {}
        self._tasks: dict[Resource, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    # --- what is watched

    def start(
        self,
        resource: Resource,
        *,
        label_selector: str = "",
        field_selector: str = "",
        project: Projection | None = None,
        namespace: str | None = None,
    ) -> None:
        """Watch a resource, in one namespace only when one is given.

        A second call must ask for the same, or for nothing in particular. Raises ValueError when two callers
        want different parts of the same resource.
        """
        usual = self._namespace if resource.namespaced else None
        place = namespace if namespace and resource.namespaced else usual
        scope = Scope(place, label_selector, field_selector, project or without_managed_fields)
        present = self._reflectors.get(resource)
        if present is not None:
            if scope not in (present.scope, replace(Scope(), namespace=usual)):
                raise ValueError(f"{resource} is already watched with another selector or projection")
            return
        self._reflectors[resource] = Reflector(
            self._api,
            self._clock,
            self._randomness,
            resource,
            scope,
            self._store(resource),
            self._handlers.setdefault(resource, []),
        )
        self._begin(resource)

    async def stop(self, resource: Resource) -> None:
        """Stop watching a resource and forget its objects, without telling anybody of deletions."""
        self._reflectors.pop(resource, None)
        task = self._tasks.pop(resource, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        for place in list(self._store(resource).places()):
            self._store(resource).remove(*place)

    async def relist(self, *resources: Resource, listed_before: float = float("inf")) -> None:
        """List the named resources (all when none is named) anew and consistently, then go on watching.

        Lists that began at the monotonic moment ``listed_before`` or later are good enough.
        """
        chosen = resources or tuple(self._reflectors)
        for resource in chosen:
            if self._reflectors[resource].listed_at >= listed_before:
                continue
            task = self._tasks.pop(resource, None)
            if task is not None:
                task.cancel()
            self._reflectors[resource].settled.clear()
            self._begin(resource)
        await self.wait_synced(*chosen)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for resource in self._reflectors:
                    self._begin(resource)
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None
                self._tasks.clear()

    async def wait_synced(self, *resources: Resource) -> None:
        """Wait until each resource (all when none is named) is listed, or known to be refused."""
        for resource in resources or tuple(self._reflectors):
            await self._reflectors[resource].settled.wait()

    def refusal(self, resource: Resource) -> errors.Refused | None:
        """Return why a resource cannot be watched at present (not served, forbidden), if so."""
        reflector = self._reflectors.get(resource)
        return reflector.refusal if reflector else None

    def add_index(self, resource: Resource, name: str, func: IndexFunc) -> None:
        """Add an index to a resource, watched already or later. Raises ValueError for a name in use."""
        self._store(resource).add_index(name, func)

    # --- Cache

    def watched(self, resource: Resource) -> bool:
        """See Cache.watched."""
        reflector = self._reflectors.get(resource)
        return reflector is not None and not isinstance(reflector.refusal, errors.NotFound)

    def synced(self, resource: Resource) -> bool:
        """See Cache.synced."""
        reflector = self._reflectors.get(resource)
        return reflector is not None and reflector.synced

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """See Cache.get."""
        return self._store(resource).get(namespace, name)

    def list(self, resource: Resource, namespace: str | None = None) -> Sequence[Manifest]:
        """See Cache.list."""
        return self._store(resource).list(namespace)

    def indexed(self, resource: Resource, index: str, value: str) -> Sequence[Manifest]:
        """See Cache.indexed. Raises KeyError for an index that was never added."""
        return self._store(resource).indexed(index, value)

    def on_change(self, resource: Resource, handler: Handler) -> None:
        """See Cache.on_change."""
        self._handlers.setdefault(resource, []).append(handler)
        for obj in self._store(resource).list():
            handler("resync", obj, obj)

    # --- own writes

    def resource_version_of(self, resource: Resource, namespace: str, name: str) -> str:
        """Return the version that is held of an object, "" when none is."""
        return self._store(resource).version(namespace, name)

    def reached(self, resource: Resource, namespace: str, name: str, version: str) -> bool:
        """Tell whether the object is held at ``version`` or later, or the watch is past that version."""
        reflector = self._reflectors.get(resource)
        return reflector is None or reflector.reached(namespace, name, version)

    async def wait_for(
        self, resource: Resource, namespace: str, name: str, version: str, timeout: float
    ) -> bool:
        """Wait until ``reached``; False when it is not within ``timeout`` seconds."""
        return await self.wait_until(
            resource, lambda: self.reached(resource, namespace, name, version), timeout
        )

    async def wait_until(self, resource: Resource, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``condition`` holds, looked at after every change of the resource."""
        reflector = self._reflectors.get(resource)
        return condition() if reflector is None else await reflector.wait_until(condition, timeout)

    async def refresh(self, resource: Resource, namespace: str, name: str) -> None:
        """Read one object live and hold the answer. Raises KubeError when the read fails."""
        before = self.resource_version_of(resource, namespace, name)
        try:
            live: Manifest | None = await self._api.get(resource, namespace or None, name)
        except errors.NotFound:
            live = None
        reflector = self._reflectors.get(resource)
        if reflector is not None:
            reflector.absorb(namespace, name, live, before)

    def _store(self, resource: Resource) -> Store:
        store = self._stores.get(resource)
        if store is None:
            store = self._stores[resource] = Store()
        return store

    def _begin(self, resource: Resource) -> None:
        if self._group is not None and resource not in self._tasks:
            run = self._reflectors[resource].run()
            self._tasks[resource] = self._group.create_task(run, name=f"watch {resource}")
