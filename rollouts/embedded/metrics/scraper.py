"""Reads every target's metrics once per interval and keeps the samples."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp

from rollouts.clock import Clock, Randomness
from rollouts.embedded.metrics.exposition import read_exposition
from rollouts.embedded.metrics.samples import NAME, Labels, SampleStore, make_labels
from rollouts.embedded.metrics.targets import Target, target_of
from rollouts.kube.api import KubeApi
from rollouts.kube.informer import InformerCache
from rollouts.kube.objects import PODS


class Scraper:
    """Discovers pods through ``api`` and scrapes them; also writes ``up`` per target.

    A series that a target no longer exposes, and every series of a target that failed or went, is marked as
    ended at that moment, so that an instant query does not see it any more.
    """

    def __init__(
        self,
        api: KubeApi,
        store: SampleStore,
        clock: Clock,
        randomness: Randomness,
        *,
        interval: float = 1.0,
        timeout: float = 1.0,
    ) -> None:
        self._cache = InformerCache(api, clock, randomness)
        self._cache.start(PODS)
        self._store = store
        self._clock = clock
        self._interval = interval
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._exposed: dict[Target, set[Labels]] = {}
        self.last_errors: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Scrape until ``stop`` is set."""
        async with (
            aiohttp.ClientSession(timeout=self._timeout, trust_env=False) as session,
            asyncio.TaskGroup() as group,
        ):
            tasks = [group.create_task(self._cache.run()), group.create_task(self._repeat(session))]
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _repeat(self, session: aiohttp.ClientSession) -> None:
        await self._cache.wait_synced()
        while True:
            began = self._clock.monotonic()
            await self.scrape(session)
            await self._clock.sleep(self._interval - (self._clock.monotonic() - began))

    async def scrape(self, session: aiohttp.ClientSession) -> None:
        """Scrape every present target once, all at the same time."""
        targets = {target for pod in self._cache.list(PODS) if (target := target_of(pod)) is not None}
        now = self._now()
        for gone in self._exposed.keys() - targets:
            self._end(self._exposed.pop(gone) | {_up(gone)}, now)
            self.last_errors.pop(gone.url, None)
        await asyncio.gather(*(self._scrape_one(session, target) for target in sorted_targets(targets)))
        self._store.trim(now)

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    async def _scrape_one(self, session: aiohttp.ClientSession, target: Target) -> None:
        at = self._now()
        before = self._exposed.get(target, set())
        try:
            async with session.get(target.url) as response:
                response.raise_for_status()
                samples = dict(read_exposition(await response.text(), dict(target.labels)))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self.last_errors[target.url] = f"{type(error).__name__}: {error}"
            samples = {}
        else:
            self.last_errors.pop(target.url, None)
        self._keep(samples, at)
        self._end(before - samples.keys(), at)
        self._exposed[target] = set(samples)
        self._store.append(_up(target), at, float(target.url not in self.last_errors))

    def _keep(self, samples: Mapping[Labels, float], at: int) -> None:
        for labels, value in samples.items():
            self._store.append(labels, at, value)

    def _end(self, series: set[Labels], at: int) -> None:
        for labels in series:
            self._store.end(labels, at)


def _up(target: Target) -> Labels:
    return make_labels({**dict(target.labels), NAME: "up"})


def sorted_targets(targets: set[Target]) -> list[Target]:
    """Return the targets in a stable order."""
    return sorted(targets, key=lambda target: target.url)
