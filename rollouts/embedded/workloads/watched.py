"""A live copy of all objects of one resource, kept by list and watch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence

from rollouts.clock import Clock
from rollouts.kube.api import KubeApi
from rollouts.kube.errors import Gone, KubeError, NotFound
from rollouts.kube.objects import Key, Manifest, Resource, controller_owner, key_of, resource_version

log = logging.getLogger(__name__)

Listener = Callable[[Manifest | None, Manifest | None], None]
"""Called as ``listener(old, new)``, on the event loop; None stands for "not there"."""

_RETRY_SECONDS = 0.5
_BETWEEN_WATCHES = 0.05
_MISSING_RETRY_SECONDS = 2.0


class Watched:
    """Objects by key and by owner, fed by one list and then a watch; lists again after 410 Gone."""

    def __init__(self, api: KubeApi, resource: Resource, clock: Clock) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        self._api = api
        self._clock = clock
        self._objects: dict[Key, Manifest] = {}
        self._by_owner: dict[str, set[Key]] = {}
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` on every change from now on."""
        self._listeners.append(listener)

    def get(self, key: Key) -> Manifest | None:
        """Return one object; do not change it."""
        return self._objects.get(key)

    def all(self) -> Sequence[Manifest]:
        """Return all objects, ordered by key."""
        return [self._objects[key] for key in sorted(self._objects)]

    def in_namespace(self, namespace: str) -> Iterator[Manifest]:
        """Yield the objects of one namespace, ordered by name."""
        return (self._objects[key] for key in sorted(self._objects) if key.namespace == namespace)

    def owned_by(self, uid: str) -> Sequence[Manifest]:
        """Return the objects whose controller has this uid, ordered by key."""
        return [self._objects[key] for key in sorted(self._by_owner.get(uid, ()))]

    async def run(self) -> None:
        """Follow the resource until cancelled. A resource that is not served yet is asked for again."""
        while True:
            try:
                await self._follow()
            except Gone:
                continue
            except NotFound:
                await self._clock.sleep(_MISSING_RETRY_SECONDS)
            except KubeError as error:
                log.info("watch of %s ended: %s; listing again", self.resource, error.message)
                await self._clock.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        listing = await self._api.list(self.resource)
        self._replace_all(listing.items)
        self.synced.set()
        version = listing.resource_version
        while True:
            async for event in self._api.watch(self.resource, resource_version=version):
                version = resource_version(event.object) or version
                if event.type == "DELETED":
                    self._store(key_of(event.object), None)
                elif event.type != "BOOKMARK":
                    self._store(key_of(event.object), event.object)
            await self._clock.sleep(_BETWEEN_WATCHES)

    def _replace_all(self, items: Sequence[Manifest]) -> None:
        fresh = {key_of(item): item for item in items}
        for key in [key for key in self._objects if key not in fresh]:
            self._store(key, None)
        for key, item in fresh.items():
            self._store(key, item)

    def _store(self, key: Key, new: Manifest | None) -> None:
        old = self._objects.pop(key, None)
        if old is not None and (owner := controller_owner(old)):
            self._by_owner.get(str(owner["uid"]), set()).discard(key)
        if new is not None:
            self._objects[key] = new
            if owner := controller_owner(new):
                self._by_owner.setdefault(str(owner["uid"]), set()).add(key)
        for listener in self._listeners:
            listener(old, new)
