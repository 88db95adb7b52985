"""The watchman himself: whoever does what must never happen is found out."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rollouts.kube.objects import HTTP_ROUTES, PODS, REPLICASETS, ROLLOUTS, SERVICES, Manifest
from rollouts.simulation.loop import run_virtual
from rollouts.simulation.scenarios import PAUSE, Scenario, basic, routed, update
from rollouts.simulation.world import NAME, NAMESPACE, World

STEPS = [{"setWeight": 40}, PAUSE, {"setWeight": 60}, {"pause": {}}]
ROUTED = Scenario("routed", routed(STEPS), update)
BASIC = Scenario("basic", basic(STEPS), update)


async def change(world: World, resource: Any, name: str, body: Manifest, **options: Any) -> None:
    await world.api.patch(resource, NAMESPACE, name, body, **options)


async def raise_weight(world: World, weight: int) -> None:
    refs = [
        {"name": "stable", "port": 80, "weight": 100 - weight},
        {"name": "canary", "port": 80, "weight": weight},
    ]
    await change(world, HTTP_ROUTES, NAME, {"spec": {"rules": [{"backendRefs": refs}]}})


def replica_set(world: World, status_field: str) -> str:
    return f"{NAME}-{world.state[status_field]}"


async def empties_stable(world: World) -> None:
    await change(world, REPLICASETS, replica_set(world, "stableRS"), {"spec": {"replicas": 0}})


async def goes_beyond_the_step(world: World) -> None:
    await raise_weight(world, 90)


async def goes_on_after_an_abort(world: World) -> None:
    await world.status(abort=True)
    await world.clock.sleep(0.5)
    await raise_weight(world, 61)


async def goes_on_long_after_an_abort(world: World) -> None:
    for process in world.processes.values():
        process.stop()
        process.kill()
    await world.status(abort=True)
    await world.clock.sleep(5)
    await raise_weight(world, 61)


async def points_at_nothing(world: World) -> None:
    selector = {"spec": {"selector": {"rollouts-pod-template-hash": "nothing"}}}
    await change(world, SERVICES, "stable", selector)


async def asks_for_too_many(world: World) -> None:
    await change(world, REPLICASETS, replica_set(world, "currentPodHash"), {"spec": {"replicas": 9}})


async def loses_pods(world: World) -> None:
    for pod in list(world.mirror.all("pods")):
        await world.api.delete(PODS, NAMESPACE, pod)


@pytest.mark.parametrize(
    ("scenario", "deed", "words"),
    [
        (ROUTED, empties_stable, "shrank to 0 while Service stable reaches it"),
        (ROUTED, goes_beyond_the_step, "the committed step allows 60"),
        (ROUTED, goes_on_after_an_abort, "after the controller had seen the abort"),
        (ROUTED, goes_on_long_after_an_abort, "5000 ms after the abort"),
        (ROUTED, points_at_nothing, "no pod of nothing is ready"),
        (BASIC, asks_for_too_many, "pods are asked for, 4 are allowed"),
        (BASIC, loses_pods, "pods are ready, 3 must be"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_misdeed_is_seen(scenario: Scenario, deed: Callable[[World], Awaitable[None]], words: str) -> None:
    async def check() -> list[str]:
        async with World.running(1, latency=0.4) as world:
            await world.start()
            await scenario.begin(world)
            await world.deploy("v2")
            await world.phase("Paused")
            await world.step(3)
            await world.rest(5)
            assert not world.invariants.violations
            await deed(world)
            return world.invariants.violations

    assert any(words in violation for violation in run_virtual(check()))


def test_a_rollout_that_nobody_handles_is_reported_as_stuck() -> None:
    async def check() -> None:
        async with World.running(1) as world:
            await world.create(ROLLOUTS, BASIC.rollout())
            await world.phase("Healthy")

    with pytest.RaisesGroup(AssertionError):
        run_virtual(check())
