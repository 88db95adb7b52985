"""A user's abort races a step's completion: whoever is first, no weight rises once the abort is known."""

from collections import Counter

import pytest

from rollouts.kube.objects import parse_time
from rollouts.simulation.chance import SeededRandomness
from rollouts.simulation.faults import Delivery, Smooth
from rollouts.simulation.loop import START, run_virtual
from rollouts.simulation.mirror import backend_weights
from rollouts.simulation.scenarios import Scenario, routed, update
from rollouts.simulation.world import NAME, World

ALL_PODS = {"setCanaryScale": {"replicas": 3}}
STEPS = [ALL_PODS, {"setWeight": 20}, {"pause": {"duration": 1}}, {"setWeight": 90}, {"pause": {}}]
"""The pods are there beforehand, so that a weight rises at the moment at which its step begins."""
RACE = Scenario("race", routed(STEPS), update)

LONGEST_WAY = 0.003
WATCH_LATENCY = 0.003
WINDOW = WATCH_LATENCY + LONGEST_WAY + 0.0001
"""A request that was sent before the abort was seen arrives within this time after the abort, seconds."""


class Jitter(Smooth):
    """Every way takes up to ``LONGEST_WAY``, every watch event up to ``WATCH_LATENCY``."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._die = SeededRandomness(seed, "jitter")

    def latency(self) -> float:
        return self._die.uniform(0.0005, LONGEST_WAY)

    def deliver(self, resource: object) -> Delivery:
        return Delivery(self._die.uniform(0.0005, WATCH_LATENCY))


async def race(world: World, die: SeededRandomness) -> str:
    """Abort around one of three moments at which the weight is about to rise; return what came of it."""
    kind = int(die.uniform(0, 2.999))
    if kind == 0:
        await world.clock.sleep(die.uniform(0, 0.05))
    elif kind == 1:
        await world.until(lambda st: weight(world) > 0, "the first weight")
        await world.clock.sleep(die.uniform(0, 0.3))
    else:
        await world.until(lambda st: bool(st.get("pauseConditions")), "the pause")
        since = parse_time(world.state["pauseConditions"][0]["startTime"])
        assert since is not None
        end = (since - START).total_seconds() + 1
        await world.clock.sleep(end - world.clock.monotonic() + die.uniform(-0.01, 0.03))
    before = weight(world)
    await world.status(abort=True)
    await world.phase("Degraded")
    await world.until(lambda st: weight(world) == 0, "no traffic on the canary")
    await world.status(abort=None)
    return f"{kind} at {before}"


def weight(world: World) -> int:
    return backend_weights(world.mirror.all("httproutes")[NAME])["canary"]


def races(count: int, seed: int) -> Counter[str]:
    async def run() -> Counter[str]:
        async with World.running(seed, Jitter(seed), latency=WINDOW) as world:
            await world.start()
            await RACE.begin(world)
            await world.deploy("v2")
            await world.step(0)
            die = SeededRandomness(seed, "race")
            seen = Counter([await race(world, die) for _ in range(count)])
            assert not world.invariants.violations
            assert not world.errors
            return seen

    return run_virtual(run())


@pytest.mark.parametrize("seed", range(4))
def test_no_weight_rises_after_any_of_a_thousand_aborts(seed: int) -> None:
    seen = races(250, seed)
    assert {"0 at 0", "0 at 20", "1 at 20", "2 at 20", "2 at 90"} <= set(seen), "the moments do not vary"
    assert seen.total() == 250
