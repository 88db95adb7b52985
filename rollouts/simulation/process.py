"""One controller process: the product's own manager and controllers; it can end and come again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from analysis.providers.job import UID_LABEL, JobProvider
from analysis.providers.pods import PodsProvider
from analysis.providers.protocol import Provider
from analysis.providers.registry import ProviderRegistry
from rollouts.clock import Clock
from rollouts.controllers.analysisrun import controller as analysisrun
from rollouts.controllers.analysisrun.jobs import ClusterJobs
from rollouts.controllers.analysisrun.pods import ClusterPods
from rollouts.controllers.experiment import controller as experiment
from rollouts.controllers.rollout import controller as rollout
from rollouts.kube.api import KubeApi
from rollouts.kube.lease import AlwaysLeader, Election, Leadership, Terms
from rollouts.kube.objects import ANALYSIS_RUNS, JOBS
from rollouts.runtime.manager import Manager
from rollouts.runtime.metrics import new_registry
from rollouts.settings import Settings
from rollouts.simulation.chance import SeededRandomness
from rollouts.simulation.faults import FaultyApi, Observer, Plan

RESTART_SECONDS = 1.0
LEASE_NAMESPACE = "kube-system"


class ControllerProcess:
    """Runs the controllers again and again until stopped; ``kill`` ends the present life at once.

    With ``elect`` it contends for the Lease, which then fences its writes; else it is the only one there is.
    """

    def __init__(
        self,
        name: str,
        api: KubeApi,
        clock: Clock,
        seed: int,
        provider: Provider,
        plan: Callable[[], Plan],
        observer: Observer,
        *,
        elect: bool = False,
        plugins: Sequence[Provider] = (),
    ) -> None:
        self.name = name
        self.lives = 0
        self.api: FaultyApi | None = None
        self.leadership: Leadership = AlwaysLeader()
        self.ready = asyncio.Event()
        self._clock = clock
        self._seed = seed
        self._provider = provider
        self._plan = plan
        self._observer = observer
        self._elect = elect
        self._plugins = plugins
        self._cluster = api
        self._writes = 0
        self._stop = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Live until ``stop``; after a kill the next life begins with empty memory."""
        while not self._stop.is_set():
            async with asyncio.TaskGroup() as group:
                self._life = group.create_task(self._live())
            if not self._stop.is_set():
                await self._clock.sleep(RESTART_SECONDS)

    def kill(self) -> None:
        """End at once: nothing more leaves the process."""
        if self.api is not None:
            self.api.cut()
        if self._life is not None:
            self._life.cancel()

    def stop(self) -> None:
        """End in order, as on SIGTERM, and stay away."""
        self._stop.set()

    def count_from_here(self) -> None:
        """Number the process's writes from 0 again."""
        if self.api is not None:
            self.api.next_number = 0

    async def _live(self) -> None:
        self.lives += 1
        before = self.api.next_number if self.api is not None else 0
        api = FaultyApi(self._cluster, self._clock, self._plan, self._observer, self.kill)
        api.next_number = before
        self.api = api
        manager = self._manager(api)
        announce = manager.standby_ready
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(self._announce(announce))
            await manager.run(self._stop)
            waiting.cancel()

    async def _announce(self, ready: asyncio.Event) -> None:
        await ready.wait()
        self.ready.set()

    def _manager(self, api: FaultyApi) -> Manager:
        randomness = SeededRandomness(self._seed, f"{self.name}/{self.lives}")
        self.leadership = self._election(api, randomness) if self._elect else AlwaysLeader()
        settings = Settings()
        manager = Manager(api, self._clock, randomness, settings, new_registry(), self.leadership)
        rollout.register(manager, settings)
        experiment.register(manager, settings)
        manager.cache.start(ANALYSIS_RUNS)
        manager.cache.start(JOBS, label_selector=UID_LABEL)
        jobs = JobProvider(ClusterJobs(api, manager.cache))
        pods = PodsProvider(ClusterPods(api))
        analysisrun.add(manager, settings, ProviderRegistry([self._provider, jobs], [*self._plugins, pods]))
        return manager

    def _election(self, api: FaultyApi, randomness: SeededRandomness) -> Election:
        terms = Terms(namespace=LEASE_NAMESPACE, identity=f"{self.name}-{self.lives}")
        return Election(api, self._clock, randomness, terms)
