"""Keys in, one reconcile at a time per key, with delays from the Clock port."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from rollouts.clock import Clock
from rollouts.kube.errors import Conflict, KubeError, NotFound
from rollouts.kube.objects import Key

log = logging.getLogger(__name__)

Reconcile = Callable[[Key], Awaitable[float | None]]
"""Brings one key up to date; returns the seconds after which to look again, or None."""

_FIRST_RETRY = 0.05
_LAST_RETRY = 5.0


class KeyLoop:
    """A de-duplicating queue with workers. An error of the API server delays the key, a bug ends the loop."""

    def __init__(self, name: str, reconcile: Reconcile, clock: Clock, *, workers: int = 4) -> None:
        self._name = name
        self._reconcile = reconcile
        self._clock = clock
        self._workers = workers
        self._queue: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._busy: set[Key] = set()
        self._again: set[Key] = set()
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._group: asyncio.TaskGroup | None = None

    def add(self, key: Key) -> None:
        """Ask for a reconcile of ``key`` soon; asking twice before it starts counts once."""
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._queue.put_nowait(key)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            self._waiting.discard(key)
            self._busy.add(key)
            delay = await self._attempt(key)
            self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
            if delay is not None:
                self._add_later(key, delay)

    async def _attempt(self, key: Key) -> float | None:
        try:
            delay = await self._reconcile(key)
        except KubeError as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            if not isinstance(error, Conflict | NotFound):
                log.warning("%s %s: %s; trying again", self._name, key, error.message)
            return min(_LAST_RETRY, _FIRST_RETRY * 2.0 ** min(failures - 1, 10))
        self._failures.pop(key, None)
        return delay

    def _add_later(self, key: Key, seconds: float) -> None:
        due = self._clock.monotonic() + max(0.0, seconds)
        if self._due.get(key, due + 1.0) <= due or self._group is None:
            return
        self._due[key] = due
        self._group.create_task(self._wake(key, due, seconds))

    async def _wake(self, key: Key, due: float, seconds: float) -> None:
        await self._clock.sleep(seconds)
        if self._due.get(key) == due:
            del self._due[key]
        self.add(key)
