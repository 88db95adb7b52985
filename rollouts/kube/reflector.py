"""Keeps one resource in memory: list, watch, and again, whatever the server does.

A watch continues from the last version seen, bookmarks included. 410 means a new list, whose difference to
what is held goes out as added, modified and deleted. Every failure is answered with growing, jittered
back-off; so is a server that ends every watch at once. A resource that is not served or not allowed is asked
for again slowly.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from rollouts.clock import Clock, Randomness
from rollouts.kube import errors
from rollouts.kube.api import KubeApi, Listing, PagedApi, WatchEvent
from rollouts.kube.cache import Change, Handler
from rollouts.kube.objects import Manifest, Resource, name_of, namespace_of, resource_version
from rollouts.kube.projections import Projection, typed, without_managed_fields
from rollouts.kube.store import Store, reached

_log = logging.getLogger(__name__)

QUICK = (0.05, 30.0)
"""First and longest back-off after a failure, seconds."""
SLOW = (5.0, 60.0)
"""First and longest wait for a resource that is not served or not allowed, seconds."""
LIVED = 1.0
"""A watch that lasted this many seconds was a good one: back-off starts anew after it."""
WATCH_SECONDS = (240.0, 295.0)
BREATH = 64
"""After this many events without a pause others get the event loop."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What part of a resource is watched, and what is kept of each object."""

    namespace: str | None = None
    label_selector: str = ""
    field_selector: str = ""
    project: Projection = without_managed_fields


class Reflector:
    """One resource, one scope, one store."""

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        randomness: Randomness,
        resource: Resource,
        scope: Scope,
        store: Store,
        handlers: list[Handler],
    ) -> None:
        self.resource = resource
        self.scope = scope
        self.store = store
        self.synced = False
        self.refusal: errors.Refused | None = None
        self.settled = asyncio.Event()
        self.listed_at = float("-inf")
        self._api = api
        self._clock = clock
        self._randomness = randomness
        self._handlers = handlers
        self._version = ""
        self._failures = 0
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    async def run(self) -> None:
        """Keep the store up to date until cancelled. Begins with a consistent list."""
        self._version = ""
        while True:
            pause = await self._round()
            if pause:
                await self._clock.sleep(pause)

    async def _round(self) -> float:
        """List if needed, then watch once; return the seconds to wait before the next round."""
        try:
            if not self._version:
                await self._list()
            await self._watch()
        except errors.Gone:
            self._version = ""
            _log.info("%s: the watch fell too far behind, listing anew", self.resource)
        except errors.Refused as error:
            return self._refused(error)
        except errors.KubeError as error:
            _log.debug("%s: %s", self.resource, error.message)
        return self._back_off(*QUICK)

    def _refused(self, error: errors.Refused) -> float:
        if type(error) is not type(self.refusal):
            if isinstance(error, errors.NotFound):
                _log.info("%s is not served here; asking again slowly", self.resource)
            else:
                _log.warning(
                    "%s cannot be watched, asking again slowly: %s (the role must allow list and watch)",
                    self.resource,
                    error.message,
                )
            self._failures = 0
        self.refusal = error
        self._version = ""
        self.settled.set()
        return self._back_off(*SLOW)

    def _back_off(self, first: float, longest: float) -> float:
        self._failures += 1
        ceiling = min(longest, first * 2.0 ** min(self._failures - 1, 20))
        return self._randomness.uniform(ceiling / 2, ceiling)

    async def _list(self) -> None:
        self.listed_at = self._clock.monotonic()
        missing = set(self.store.places())
        version = ""
        with _collector_paused(first=not self.synced):
            async for page in self._pages():
                version = page.resource_version
                for item in page.items:
                    obj = self._kept(item)
                    missing.discard((namespace_of(obj), name_of(obj)))
                    self._put(obj)
                await self._clock.sleep(0)
        for namespace, name in missing:
            held = self.store.version(namespace, name)
            if reached(version, held) or not held.isdecimal():
                self._drop(namespace, name)
        self._version = version
        self.synced, self.refusal = True, None
        self.settled.set()
        self._wake()

    async def _pages(self) -> AsyncIterator[Listing]:
        selectors = {
            "label_selector": self.scope.label_selector,
            "field_selector": self.scope.field_selector,
        }
        if isinstance(self._api, PagedApi):
            async for page in self._api.pages(self.resource, self.scope.namespace, **selectors):
                yield page
        else:
            yield await self._api.list(self.resource, self.scope.namespace, **selectors)

    async def _watch(self) -> None:
        began = self._clock.monotonic()
        events = self._api.watch(
            self.resource,
            self.scope.namespace,
            resource_version=self._version,
            label_selector=self.scope.label_selector,
            field_selector=self.scope.field_selector,
            timeout_seconds=int(self._randomness.uniform(*WATCH_SECONDS)),
        )
        count = 0
        try:
            async with aclosing(events):  # type: ignore[type-var]
                async for event in events:
                    self._take(event)
                    count += 1
                    if count % BREATH == 0:
                        await self._clock.sleep(0)
        finally:
            if self._clock.monotonic() - began >= LIVED:
                self._failures = 0

    def _take(self, event: WatchEvent) -> None:
        version = resource_version(event.object)
        if event.type in ("ADDED", "MODIFIED"):
            self._put(self._kept(event.object))
        elif event.type == "DELETED":
            place = namespace_of(event.object), name_of(event.object)
            held = self.store.version(*place)
            if reached(version, held) or not held.isdecimal():
                self._drop(*place, self._kept(event.object))
        self._version = version or self._version
        self._wake()

    def _kept(self, obj: Manifest) -> Manifest:
        return self.scope.project(typed(self.resource, obj))

    def _put(self, obj: Manifest) -> None:
        """Hold an object unless what is held is as new; a live read may have been ahead of the watch."""
        held = self.store.version(namespace_of(obj), name_of(obj))
        if held and reached(held, resource_version(obj)):
            return
        old = self.store.put(obj)
        self._tell("added" if old is None else "modified", old, obj)

    def _drop(self, namespace: str, name: str, last: Manifest | None = None) -> None:
        old = self.store.remove(namespace, name)
        if old is not None:
            self._tell("deleted", last or old, None)

    def _tell(self, change: Change, old: Manifest | None, new: Manifest | None) -> None:
        for handler in self._handlers:
            handler(change, old, new)

    # --- own writes

    def absorb(self, namespace: str, name: str, live: Manifest | None, before: str) -> None:
        """Take over the answer of a live read (None: NotFound), which may be ahead of the watch.

        ``before`` is the version held when the read began: what came since is newer than a NotFound.
        """
        if live is not None:
            self._put(self._kept(live))
        elif self.store.version(namespace, name) == before:
            self._drop(namespace, name)
        self._wake()

    def reached(self, namespace: str, name: str, version: str) -> bool:
        """Tell whether the store shows the object at ``version`` or later, or has passed its deletion."""
        held = self.store.version(namespace, name)
        if held and reached(held, version):
            return True
        # Versions of one resource come in order, so a watch that is past one has shown it.
        return self._version.isdecimal() and reached(self._version, version)

    async def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``condition`` holds, looked at after every change; False after ``timeout`` seconds."""
        if condition():
            return True
        waiter = condition, asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter[1]
        except TimeoutError:
            return condition()
        finally:
            self._waiters.remove(waiter)
        return True

    def _wake(self) -> None:
        for condition, future in self._waiters:
            if not future.done() and condition():
                future.set_result(None)


_pauses = 0


@contextmanager
def _collector_paused(*, first: bool) -> Iterator[None]:
    """Keep Python's cyclic collector out of a first list: it would walk the growing store again and again."""
    global _pauses
    if not first or (not _pauses and not gc.isenabled()):
        yield
        return
    _pauses += 1
    gc.disable()
    try:
        yield
    finally:
        _pauses -= 1
        if not _pauses:
            gc.enable()
