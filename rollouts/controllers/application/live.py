"""Live objects of any kind, watched from the moment that an Application needs the kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from rollouts.clock import Clock
from rollouts.gitops.diff.tracking import Method, owner_instance
from rollouts.gitops.targets import Served
from rollouts.kube import objects
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Change
from rollouts.kube.informer import InformerCache
from rollouts.kube.objects import Manifest, ObjectKey, Resource

INDEX = "application"
SYNC_SECONDS = 10.0
DISCOVERY_SECONDS = 2.0

Wake = Callable[[str], None]
"""Called with the tracking name of an Application whose object has changed."""


class Live:
    """What is live, by Application; and what the API server serves."""

    def __init__(self, cache: InformerCache, clock: Clock, method: Method, wake: Wake) -> None:
        self._cache = cache
        self._clock = clock
        self._method = method
        self._wake = wake
        self._watched: dict[Resource, None] = {}
        self._served: Served | None = None
        self._asked_at = 0.0
        self._lock = asyncio.Lock()

    async def served(self, api: KubeApi, *, incomplete: bool = False) -> Served:
        """Return what the server serves; asked again, not too often, when the answer was ``incomplete``."""
        async with self._lock:
            age = self._clock.monotonic() - self._asked_at
            if self._served is None or (incomplete and age >= DISCOVERY_SECONDS):
                self._served = Served(await api.served())
                self._asked_at = self._clock.monotonic()
            return self._served

    async def watch(self, resources: Iterable[Resource]) -> Mapping[str, str]:
        """Watch the resources, and wait for their first lists. Return those that cannot be watched, and why.

        The answer names kinds; a kind whose list is still on its way is among them.
        """
        wanted = [resource for resource in sorted(resources)]
        for resource in wanted:
            if resource not in self._watched:
                self._begin(resource)
        open_ones = [r for r in wanted if not self._cache.synced(r) and self._cache.refusal(r) is None]
        if open_ones:
            try:
                async with asyncio.timeout(SYNC_SECONDS):
                    await self._cache.wait_synced(*open_ones)
            except TimeoutError:
                pass
        return {str(r): self._reason(r) for r in wanted if not self._cache.synced(r)}

    def _reason(self, resource: Resource) -> str:
        refusal = self._cache.refusal(resource)
        if refusal is None:
            return f"the list of {resource} has not arrived yet"
        return (
            f"{resource} cannot be watched: {refusal.message}; allow get, list, watch and patch on it in the "
            "controller's RBAC role"
        )

    def _begin(self, resource: Resource) -> None:
        self._watched[resource] = None
        self._cache.add_index(resource, INDEX, self._instances)
        self._cache.on_change(resource, self._changed)
        self._cache.start(resource)

    def _instances(self, obj: Manifest) -> Sequence[str]:
        instance = owner_instance(obj, self._method)
        return (instance,) if instance else ()

    def _changed(self, change: Change, old: Manifest | None, new: Manifest | None) -> None:
        if change == "resync":
            return
        for instance in {i for obj in (old, new) if obj is not None for i in self._instances(obj)}:
            self._wake(instance)

    def tracked(self, instance: str) -> Mapping[ObjectKey, Manifest]:
        """Return the live objects that carry an Application's mark, each once."""
        found: dict[ObjectKey, Manifest] = {}
        seen: set[str] = set()
        for resource in self._watched:
            for obj in self._cache.indexed(resource, INDEX, instance):
                uid = objects.uid_of(obj)
                if uid not in seen:
                    seen.add(uid)
                    key = ObjectKey(resource, objects.namespace_of(obj), objects.name_of(obj))
                    found[key] = obj
        return found

    def get(self, key: ObjectKey) -> Manifest | None:
        """Return one live object."""
        return self._cache.get(key.resource, key.namespace, key.name)
