"""Watches: replay from a version, follow, select, bookmark, end in time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal

from rollouts.embedded.failures import expired
from rollouts.embedded.resources import ResourceType
from rollouts.embedded.selectors import Predicate, everything
from rollouts.embedded.store import Change, Collection, Entry, Store
from rollouts.kube.objects import Manifest

BOOKMARK_EVERY = 60.0
BOOKMARK_BEFORE_END = 2.0
BACKLOG = 20_000
"""Events that a watcher may fall behind before the server ends its watch."""

SeenType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as one watcher sees it; ``version`` is what the object's metadata says."""

    type: SeenType
    entry: Entry


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Query parameters of a watch. ``resource_version`` "" and "0" start with the present objects."""

    namespace: str | None = None
    resource_version: str = ""
    selector: Predicate = everything
    timeout_seconds: float = 1800.0
    bookmarks: bool = False


class Subscription:
    """A queue between the store and one watcher; its timers are those of the running loop."""

    def __init__(self, collection: Collection, options: WatchOptions) -> None:
        self._collection = collection
        self._pending: deque[Change] = deque()
        self._options = options
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._timers: list[asyncio.TimerHandle] = []
        self.ended = False
        self.bookmark_due = False

    def __enter__(self) -> Subscription:
        self._collection.subscribe(self._receive)
        timeout = self._options.timeout_seconds
        self._timers.append(self._loop.call_later(timeout, self._end))
        if self._options.bookmarks:
            early = timeout - BOOKMARK_BEFORE_END
            self._schedule_bookmark(min(BOOKMARK_EVERY, early) if early > 0 else timeout / 2)
        return self

    def __exit__(self, *_: object) -> None:
        self._collection.unsubscribe(self._receive)
        for timer in self._timers:
            timer.cancel()

    def _schedule_bookmark(self, delay: float) -> None:
        self._timers = [t for t in self._timers if not t.cancelled() and t.when() > self._loop.time()]
        self._timers.append(self._loop.call_later(delay, self._bookmark))

    def _bookmark(self) -> None:
        self.bookmark_due = True
        self._wake.set()
        self._schedule_bookmark(BOOKMARK_EVERY)

    def _end(self) -> None:
        self.ended = True
        self._wake.set()

    def _receive(self, change: Change) -> None:
        space = self._options.namespace
        if space is None or change.key.namespace == space:
            self._pending.append(change)
            self._wake.set()
            if len(self._pending) > BACKLOG:
                self._end()

    def stop(self) -> None:
        """End the watch, as a server does that shuts down or drops a connection."""
        self._end()

    async def changes(self) -> list[Change]:
        """Wait for something to happen and return the changes so far."""
        await self._wake.wait()
        self._wake.clear()
        taken = list(self._pending)
        self._pending.clear()
        return taken


class Watches:
    """Serves watches of one store, and can end them all."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[Subscription, None] = {}

    def stop(self) -> None:
        """End every open watch."""
        for subscription in list(self._open):
            subscription.stop()

    async def follow(self, kind: ResourceType, options: WatchOptions) -> AsyncGenerator[list[Seen], None]:
        """Yield batches of events. Raises 410 when the version is older than the history."""
        collection = self._store.collection(kind.group, kind.plural)
        first = self._initial(collection, options)
        with Subscription(collection, options) as subscription:
            self._open[subscription] = None
            try:
                if first:
                    yield first
                while not subscription.ended:
                    changes = await subscription.changes()
                    batch = [seen for c in changes if (seen := select(c, options.selector))]
                    if subscription.bookmark_due:
                        subscription.bookmark_due = False
                        batch.append(self._bookmark())
                    if batch:
                        yield batch
            finally:
                del self._open[subscription]

    def _initial(self, collection: Collection, options: WatchOptions) -> list[Seen]:
        asked = options.resource_version
        if asked in ("", "0"):
            present = collection.entries(options.namespace)
            return [Seen("ADDED", entry) for _, entry in present if options.selector(entry.object)]
        version = int(asked)
        if version < collection.floor:
            raise expired(f"too old resource version: {version} ({collection.floor})")
        space = options.namespace
        missed = (c for c in collection.since(version) if space is None or c.key.namespace == space)
        return [seen for change in missed if (seen := select(change, options.selector))]

    def _bookmark(self) -> Seen:
        version = self._store.version
        obj: Manifest = {"metadata": {"resourceVersion": str(version), "creationTimestamp": None}}
        return Seen("BOOKMARK", Entry(obj, version))


def select(change: Change, matches: Predicate) -> Seen | None:
    """Return what a watcher with a selector sees of a change, None when nothing."""
    if matches is everything:
        return Seen(change.type, change.entry)
    before = change.previous is not None and matches(change.previous.object)
    if change.type == "DELETED":
        return Seen("DELETED", change.entry) if before else None
    after = matches(change.entry.object)
    if after:
        return Seen("MODIFIED" if before else "ADDED", change.entry)
    if before and change.previous is not None:
        return Seen("DELETED", _at_version(change.previous, change.version))
    return None


def _at_version(entry: Entry, version: int) -> Entry:
    held = {**entry.object["metadata"], "resourceVersion": str(version)}
    return Entry({**entry.object, "metadata": held}, version)
