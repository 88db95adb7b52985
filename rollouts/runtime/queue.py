"""A work queue of keys: each at most once in it, each processed by at most one worker at a time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)


class QueueObserver(Protocol):
    """What the queue reports for metrics. Times are seconds on the event loop's clock."""

    def depth(self, size: int) -> None:
        """Note how many keys wait now."""
        ...

    def added(self) -> None:
        """Note that a key was added."""
        ...

    def waited(self, seconds: float) -> None:
        """Note how long a key waited until a worker took it."""
        ...


URGENT_IN_A_ROW = 8
"""So many urgent keys are taken before one of the others has its turn."""


class WorkQueue(Generic[K]):
    """First in, first out, without duplicates; urgent keys come before others.

    A key that is added while it is processed comes again afterwards. A key may also be due at a later moment;
    of several moments the earliest counts, and adding it at once makes the later one void.
    """

    def __init__(self, observer: QueueObserver | None = None) -> None:
        self._observer = observer
        self._waiting: OrderedDict[K, float] = OrderedDict()
        self._urgent: OrderedDict[K, float] = OrderedDict()
        self._in_a_row = 0
        self._processing: set[K] = set()
        self._again: dict[K, bool] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._takers: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting) + len(self._urgent)

    @property
    def processing(self) -> int:
        """Return how many keys are being processed."""
        return len(self._processing)

    def is_processed(self, key: K) -> bool:
        """Tell whether a worker has the key now."""
        return key in self._processing

    def add(self, key: K, *, urgent: bool = False) -> None:
        """Add a key, unless it waits already; one that waits can become urgent."""
        if self._closed or key in self._urgent:
            return
        if key in self._waiting or key in self._again:
            self._hurry(key, urgent)
            return
        self._cancel_timer(key)
        if self._observer is not None:
            self._observer.added()
        if key in self._processing:
            self._again[key] = urgent
        else:
            self._enqueue(key, urgent)

    def add_after(self, key: K, seconds: float) -> None:
        """Add a key after a while; an earlier moment that is set already stays."""
        if self._closed:
            return
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        present = self._timers.get(key)
        if present is not None and present.when() <= due:
            return
        self._cancel_timer(key)
        self._timers[key] = loop.call_at(due, self._due, key)

    def due_in(self, key: K) -> float | None:
        """Return the seconds until a delayed key is added, None when none is set."""
        timer = self._timers.get(key)
        return None if timer is None else timer.when() - asyncio.get_running_loop().time()

    async def get(self) -> K | None:
        """Return the next key and mark it as processed until ``done``; None once the queue is closed."""
        while not len(self):
            if self._closed:
                return None
            taker = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            await taker
        if self._closed:
            return None
        key, added_at = self._next_lane().popitem(last=False)
        self._processing.add(key)
        if self._observer is not None:
            self._observer.waited(asyncio.get_running_loop().time() - added_at)
            self._observer.depth(len(self))
        return key

    def done(self, key: K) -> None:
        """Note that the processing of a key has ended."""
        self._processing.discard(key)
        if key in self._again:
            urgent = self._again.pop(key)
            if not self._closed:
                self._enqueue(key, urgent)

    def close(self) -> None:
        """Hand out no more keys, and forget those that wait."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._waiting.clear()
        self._urgent.clear()
        self._again.clear()
        while self._takers:
            self._wake()

    def _next_lane(self) -> OrderedDict[K, float]:
        urgent = bool(self._urgent) and (not self._waiting or self._in_a_row < URGENT_IN_A_ROW)
        self._in_a_row = self._in_a_row + 1 if urgent else 0
        return self._urgent if urgent else self._waiting

    def _hurry(self, key: K, urgent: bool) -> None:
        if urgent and key in self._waiting:
            self._urgent[key] = self._waiting.pop(key)
        elif urgent:
            self._again[key] = True

    def _enqueue(self, key: K, urgent: bool) -> None:
        lane = self._urgent if urgent else self._waiting
        lane[key] = asyncio.get_running_loop().time()
        if self._observer is not None:
            self._observer.depth(len(self))
        self._wake()

    def _wake(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel_timer(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
