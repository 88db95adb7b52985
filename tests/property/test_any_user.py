"""Whatever users do, in any order and whatever goes wrong meanwhile: nothing improper, and a good end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollouts.simulation.backend import BAD, GOOD
from rollouts.simulation.faults import Plan, Smooth
from rollouts.simulation.invariants import end_problems
from rollouts.simulation.loop import run_virtual
from rollouts.simulation.scenarios import (
    ANALYSED,
    CHECK,
    MANUAL,
    STEPS,
    WATCH,
    Scenario,
    basic,
    blue_green,
    routed,
    update,
)
from rollouts.simulation.storm import Storm
from rollouts.simulation.trial import STORM_LATENCY
from rollouts.simulation.world import World

STRATEGIES: Mapping[str, Mapping[str, Any]] = {
    "basic": basic(ANALYSED),
    "basic with Services": basic(STEPS, stableService="stable", canaryService="canary"),
    "routed": routed(ANALYSED),
    "routed by hand": routed(MANUAL, analysis=WATCH),
    "routed, dynamic": routed(STEPS, dynamicStableScale=True),
    "blue-green": blue_green(prePromotionAnalysis=CHECK),
    "blue-green by hand": blue_green(autoPromotionEnabled=False, postPromotionAnalysis=CHECK),
    "blue-green, small preview": blue_green(previewReplicaCount=1, autoPromotionSeconds=3),
}


async def deploy(world: World, number: int) -> None:
    await world.deploy(f"v{1 + number % 4}")


async def abort(world: World, number: int) -> None:
    await world.status(abort=True)


async def retry(world: World, number: int) -> None:
    await world.status(abort=None)


async def promote(world: World, number: int) -> None:
    await world.status(pauseConditions=None)


async def promote_full(world: World, number: int) -> None:
    await world.status(promoteFull=True)


async def scale(world: World, number: int) -> None:
    await world.spec(replicas=1 + number % 5)


async def pause(world: World, number: int) -> None:
    await world.spec(paused=number % 2 == 0)


async def metrics(world: World, number: int) -> None:
    world.backend.value = BAD if number % 2 else GOOD


DEEDS = (deploy, deploy, abort, retry, promote, promote_full, scale, pause, metrics)
deeds = st.lists(
    st.tuples(st.sampled_from(DEEDS), st.integers(0, 9), st.floats(0, 8)), min_size=1, max_size=8
)


def live(strategy: str, plan: Callable[[], Plan], story: list[tuple[Any, int, float]], seed: int) -> None:
    """Play a story, then let somebody sensible bring v9 in: it must become Healthy."""
    scenario = Scenario("any", STRATEGIES[strategy], update)

    async def run() -> None:
        async with World.running(seed, latency=STORM_LATENCY) as world:
            await world.start()
            await scenario.begin(world)
            chosen = world.plan = plan()
            for deed, number, seconds in story:
                await deed(world, number)
                await world.clock.sleep(seconds)
            await world.rest(60)
            if isinstance(chosen, Storm):
                chosen.calm = True
            world.backend.value = GOOD
            await world.spec(paused=False)
            await world.deploy("v9")
            await world.clock.sleep(60)
            await world.status(promoteFull=True)
            await world.phase("Healthy")
            await world.rest()
            assert not world.invariants.violations, world.trace.tail(400)
            assert not world.errors
            assert not list(end_problems(world.mirror, world.rollout))

    run_virtual(run())


common = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True}


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=4, **common)
@given(story=deeds, seed=st.integers(0, 1000))
def test_any_story_ends_well(strategy: str, story: list[tuple[Any, int, float]], seed: int) -> None:
    live(strategy, lambda: Storm(seed, 0.1) if seed % 2 else Smooth(), story, seed)


@pytest.mark.soak
@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=300, **common)
@given(story=deeds, seed=st.integers(0, 10**6))
def test_very_many_stories_end_well(strategy: str, story: list[tuple[Any, int, float]], seed: int) -> None:
    live(strategy, lambda: Storm(seed, 0.1) if seed % 2 else Smooth(), story, seed)
