"""Puts the parts together and runs them: cache, election, events, controllers; and ends them in order.

The cache runs with or without leadership. Controllers run while the lease is held, on a cache that was listed
after it was taken. At the end: no more keys are taken, those in work are finished, events are written, the
lease is given back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from prometheus_client import CollectorRegistry

from rollouts import logs
from rollouts.clock import Clock, Randomness
from rollouts.kube.api import KubeApi
from rollouts.kube.events import Recorder
from rollouts.kube.informer import InformerCache
from rollouts.kube.lease import Leadership
from rollouts.kube.objects import Key
from rollouts.runtime.metrics import RuntimeMetrics
from rollouts.runtime.scoped import NoLedger, ScopedApi
from rollouts.runtime.waiting import first
from rollouts.runtime.worker import Controller, ControllerLoop
from rollouts.runtime.writes import OwnWrites

_log = logging.getLogger(__name__)

HEAD_START = 1.0
"""Seconds that the election gets before the first lists begin: lists from before it would be taken again."""
DRAIN_SECONDS = 20.0
FLUSH_SECONDS = 5.0


class RuntimeSettings(Protocol):
    """What the runtime reads of the settings."""

    @property
    def namespace(self) -> str:
        """The only namespace to watch; "" for all."""
        ...

    @property
    def write_timeout(self) -> float:
        """Seconds within which a write has ended, one way or another."""
        ...


class Manager:
    """Runs controllers over one API server.

    Controllers take ``cache`` and ``recorder`` from here. Before ``run``: ``cache.start(…)`` for every
    resource that is read, ``add(…)`` for every controller. ``standby_ready`` is set once the cache has its
    first lists.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        randomness: Randomness,
        settings: RuntimeSettings,
        registry: CollectorRegistry,
        leadership: Leadership,
    ) -> None:
        self.api = api
        self.clock = clock
        self.randomness = randomness
        self.registry = registry
        self.leadership = leadership
        self.metrics = RuntimeMetrics(registry)
        self.standby_ready = asyncio.Event()
        self.cache = InformerCache(api, clock, randomness, namespace=settings.namespace or None)
        self._write_timeout = settings.write_timeout
        self.recorder = Recorder(
            ScopedApi(api, leadership, settings.write_timeout, NoLedger()),
            clock,
            randomness,
            redact=logs.scrub,
            observe=self.metrics.event,
        )
        self._loops: dict[str, ControllerLoop] = {}
        self._alongside: dict[str, Callable[[], Awaitable[None]]] = {}

    def add(self, controller: Controller) -> None:
        """Register a controller. Raises ValueError for a name in use."""
        if controller.name in self._loops:
            raise ValueError(f"a controller named {controller.name!r} is registered already")
        writes = OwnWrites(self.api, self.cache, self.leadership, write_timeout=self._write_timeout)
        self._loops[controller.name] = ControllerLoop(
            controller, self.cache, writes, self.clock, self.randomness, self.metrics
        )

    def enqueue(self, controller: str, key: Key) -> None:
        """Have a key of a controller reconciled soon, for news that is not in the cache."""
        self._loops[controller].enqueue(key)

    def alongside(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run something while the controllers run, and cancel it after them. It must not end by itself."""
        self._alongside[name] = run

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set, then end in order. An error in any part ends all and is raised."""
        async with asyncio.TaskGroup() as group:
            election = group.create_task(self.leadership.run(), name="election")
            events = group.create_task(self.recorder.run(), name="events")
            await first(stop.wait(), self.leadership.acquired(), self.clock.sleep(HEAD_START))
            cache = group.create_task(self.cache.run(), name="cache")
            ready = group.create_task(self._note_ready(), name="ready")
            while not stop.is_set():
                await first(stop.wait(), self.leadership.acquired())
                if not stop.is_set():
                    await self._lead(stop)
            if not await self.recorder.flush(FLUSH_SECONDS):
                _log.warning("some events were not written before the end")
            for task in (election, events, cache, ready):
                task.cancel()
                await asyncio.wait([task])

    async def _note_ready(self) -> None:
        await self.cache.wait_synced()
        self.standby_ready.set()

    async def _lead(self, stop: asyncio.Event) -> None:
        """Run the controllers until the lease is lost or ``stop`` is set; return when they have ended."""
        gauge = self.metrics.leader.labels("rollouts")
        await first(
            stop.wait(), self.leadership.lost(), self.cache.relist(listed_before=self.leadership.since())
        )
        if stop.is_set():
            return
        gauge.set(1)
        _log.info("leading, %d controllers start", len(self._loops))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(loop.run(), name=name) for name, loop in self._loops.items()]
                others = [
                    group.create_task(_awaited(run), name=name) for name, run in self._alongside.items()
                ]
                await first(stop.wait(), self.leadership.lost())
                await self._drain(tasks)
                for other in others:
                    other.cancel()
        finally:
            gauge.set(0)

    async def _drain(self, tasks: list[asyncio.Task[None]]) -> None:
        """Take no more keys, let those in work finish, and cancel what has not after a while."""
        for loop in self._loops.values():
            loop.stop()
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
        for task in late:
            _log.warning("%s did not finish within %.0f s and is cancelled", task.get_name(), DRAIN_SECONDS)
            task.cancel()


async def _awaited(run: Callable[[], Awaitable[None]]) -> None:
    await run()
