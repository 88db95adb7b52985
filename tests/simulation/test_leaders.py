"""Two processes: one that loses its lease stops in time, and the other goes on where it was."""

import pytest

from rollouts.kube.lease import Terms
from rollouts.kube.objects import EVENTS, LEASES
from rollouts.simulation.chance import SeededRandomness
from rollouts.simulation.ending import ending
from rollouts.simulation.invariants import end_problems
from rollouts.simulation.loop import run_virtual
from rollouts.simulation.scenarios import SCENARIOS
from rollouts.simulation.world import World, Written
from tests.simulation.baseline import smooth

LEASE = Terms(namespace="kube-system", identity="").duration


def of_process(writes: list[Written], name: str) -> list[Written]:
    return [one for one in writes if one.process == name and one.write.resource not in (LEASES, EVENTS)]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ["routed-abort", "routed-retry", "blue-green-checked", "canary-scaled"])
def test_a_leader_that_cannot_renew_writes_nothing_after_its_lease(name: str, seed: int) -> None:
    scenario, wanted = SCENARIOS[name], smooth(name)

    async def run() -> None:
        async with World.running(seed) as world:
            first = await world.start("first", elect=True)
            await scenario.begin(world)
            second = await world.start("second", elect=True)
            assert first.leadership.held()
            assert not second.leadership.held()

            assert first.api is not None
            await world.clock.sleep(SeededRandomness(seed, "cut").uniform(0, 20))
            first.api.lease_cut = True
            ends = first.leadership.deadline()
            assert ends <= world.clock.monotonic() + LEASE
            await scenario.play(world)

            late = [one for one in of_process(world.writes, "first") if one.at > ends]
            assert not late
            assert of_process(world.writes, "second"), "the second never had anything to do"
            assert second.leadership.held()
            assert not world.invariants.violations
            assert not world.errors
            assert not list(end_problems(world.mirror, world.rollout))
            assert ending(world.mirror, world.rollout) == wanted.end

    run_virtual(run())


@pytest.mark.parametrize("name", SCENARIOS)
def test_two_that_both_believe_to_lead_do_no_harm(name: str) -> None:
    """Fencing makes this impossible; should it ever happen, preconditions and idempotence still hold."""
    scenario, wanted = SCENARIOS[name], smooth(name)

    async def run() -> None:
        async with World.running(3) as world:
            await world.start("first")
            await world.start("second")
            await scenario.begin(world)
            await scenario.play(world)
            assert not world.invariants.violations
            assert not list(end_problems(world.mirror, world.rollout))
            end = ending(world.mirror, world.rollout)
            assert (end["stable"], end["phase"]) == (scenario.stable, scenario.ends)
            assert world.invariants.created["replicasets"] == wanted.created["replicasets"]

    run_virtual(run())
