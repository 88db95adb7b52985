"""A canary beside an autoscaler: the pods of an update are no load, so an update scales nothing up."""

from __future__ import annotations

import asyncio
import math

import pytest

from rollouts.simulation.loop import run_virtual
from rollouts.simulation.scenarios import Scenario, routed
from rollouts.simulation.world import World

PODS = 10
SYNC_SECONDS = 15.0
TOLERANCE = 0.1
PAUSE = {"pause": {"duration": "2m"}}
STEPS = [{"setWeight": 10}, PAUSE, {"setWeight": 50}, PAUSE, {"setWeight": 90}, PAUSE]


class Autoscaler:
    """Does what a HorizontalPodAutoscaler does with a metric from outside and an average per pod as target.

    Within its tolerance it takes the count that the scale subresource reports for the wanted one.
    """

    def __init__(self, world: World, load: float) -> None:
        self._world = world
        self.load = load
        self.asked: list[int] = []

    async def run(self) -> None:
        while True:
            await self._world.clock.sleep(SYNC_SECONDS)
            reported = int(self._world.state.get("HPAReplicas", 0))
            wanted = math.ceil(self.load)
            if reported and abs(self.load / reported - 1) <= TOLERANCE:
                wanted = reported
            if wanted != self._world.rollout["spec"]["replicas"]:
                self.asked.append(wanted)
                await self._world.spec(replicas=wanted)


async def play(strategy: dict[str, object], ends: str) -> list[int]:
    async with World.running(1) as world:
        await world.start()
        scenario = Scenario("autoscaled", routed(STEPS, **strategy), _none, replicas=PODS)
        await scenario.begin(world)
        scaler = Autoscaler(world, load=float(PODS))
        task = asyncio.create_task(scaler.run())
        await world.rest(60)
        await world.deploy("v2")
        if ends == "Degraded":
            await world.step(3)
            await world.clock.sleep(40)
            await world.status(abort=True)
        await world.phase(ends)
        await world.rest()
        assert not world.invariants.violations
        during = list(scaler.asked)
        scaler.load = 2.0 * PODS
        await world.rest(60)
        assert scaler.asked[len(during) :] == [2 * PODS], "real load is still followed"
        task.cancel()
        return during


async def _none(world: World) -> None:
    """Do nothing."""


@pytest.mark.parametrize("ends", ["Healthy", "Degraded"])
@pytest.mark.parametrize("dynamic", [False, True], ids=["stable stays", "stable shrinks"])
def test_an_update_scales_nothing_up(ends: str, dynamic: bool) -> None:
    strategy: dict[str, object] = {"dynamicStableScale": True} if dynamic else {}
    assert run_virtual(play(strategy, ends)) == []
