"""The judge under the controller: on our CRD and on upstream's, over restarts of the process, to its end."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from analysis.providers.canary.config import NAME
from analysis.providers.canary.provider import CanaryProvider
from analysis.providers.canary.replay import RECORD_KEY, STATE_KEY, replay
from analysis.providers.registry import ProviderRegistry
from rollouts.controllers.analysisrun import controller
from rollouts.kube.lease import AlwaysLeader
from rollouts.kube.objects import ANALYSIS_RUNS, JOBS
from rollouts.runtime.manager import Manager
from rollouts.runtime.metrics import new_registry
from rollouts.settings import Settings
from tests.unit.analysis.providers.canary.fleet import CANARY, STABLE, FakeBackend, Pod, configured, pods
from tests.unit.controllers.analysisrun.world import OURS, UPSTREAM, new_cluster
from tests.unit.kube.world import Dice, LoopClock, virtual

CRDS = [
    pytest.param(OURS, id="our-crd"),
    pytest.param(
        UPSTREAM,
        id="upstream-crd",
        marks=pytest.mark.skipif(not UPSTREAM.exists(), reason=f"no folder {UPSTREAM.parent}"),
    ),
]


def fleet(now: float, factor: float) -> list[Pod]:
    old = pods(STABLE, 20)
    for pod in old:
        pod.born = now - 2_400
    return old + pods(CANARY, 2, rate=2.6, born=now, bad=lambda _: 0.002 * factor)


class World:
    """An API server that outlives the processes of the controller."""

    def __init__(self, cluster: Any, clock: Any, backend: FakeBackend) -> None:
        self.cluster, self.clock, self.backend = cluster, clock, backend
        self.api = cluster.api()

    async def process(self, seconds: float) -> None:
        """Run one process of the controller for a while."""
        settings = Settings()
        manager = Manager(self.api, self.clock, Dice(), settings, new_registry(), AlwaysLeader())
        manager.cache.start(ANALYSIS_RUNS)
        manager.cache.start(JOBS)
        controller.add(manager, settings, ProviderRegistry([], [CanaryProvider(self.backend)]))
        stop = asyncio.Event()
        task = asyncio.ensure_future(manager.run(stop))
        try:
            await asyncio.sleep(seconds)
        finally:
            stop.set()
            await task

    async def status(self) -> Any:
        return (await self.api.get(ANALYSIS_RUNS, "ns", "run")).get("status") or {}


async def world(crd: Path, factor: float, **config: Any) -> World:
    clock = LoopClock()
    cluster = await new_cluster(clock, crd)
    made = World(cluster, clock, FakeBackend(fleet(clock.now().timestamp(), factor)))
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "run", "namespace": "ns"},
        "spec": {"metrics": [{"name": "errors", "provider": {"plugin": {NAME: configured(**config)}}}]},
    }
    await made.api.create(ANALYSIS_RUNS, "ns", body)
    return made


@pytest.mark.parametrize("crd", CRDS)
@virtual
async def test_a_bad_version_fails_although_the_process_is_replaced_every_minute(crd: Path) -> None:
    made = await world(crd, 8.0, duration="15m")
    for _ in range(12):
        await made.process(61)
    status = await made.status()
    assert status["phase"] == "Failed"
    result = status["metricResults"][0]
    assert len(result["measurements"]) == 1, "one measurement went on over all processes"
    assert "worse than stable" in status["message"]
    again = replay(result["metadata"])
    assert again.same
    assert repr(again.steps[-1].judgement.evidence.total) == result["measurements"][0]["metadata"]["logE"]
    assert len(json.dumps(status)) < 100_000
    await made.cluster.close()


@pytest.mark.parametrize("crd", CRDS)
@virtual
async def test_a_good_version_goes_through_and_shows_how_it_stands(crd: Path) -> None:
    made = await world(crd, 1.0, duration="5m")
    await made.process(100)
    status = await made.status()
    running = status["metricResults"][0]["measurements"][0]
    assert (status["phase"], running["phase"]) == ("Running", "Running")
    assert running["message"] == "no evidence against the canary"
    assert running["value"].startswith("e=")
    assert {STATE_KEY, RECORD_KEY} <= set(status["metricResults"][0]["metadata"])
    await made.process(300)
    assert (await made.status())["phase"] == "Successful"
    await made.cluster.close()


@virtual
async def test_a_wrong_configuration_ends_the_run_and_names_the_field() -> None:
    made = await world(OURS, 1.0, tresholds=3)
    await made.process(60)
    status = await made.status()
    assert status["phase"] == "Error"
    assert f'provider.plugin["{NAME}"].tresholds: Extra inputs are not permitted' in status["message"]
    await made.cluster.close()
