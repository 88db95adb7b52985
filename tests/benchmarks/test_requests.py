"""Requests for one 4-step canary, by verb and kind: what a cluster pays for a release."""

from collections import Counter

import pytest

from rollouts.kube.objects import EVENTS
from rollouts.simulation.faults import Write
from rollouts.simulation.loop import run_virtual
from rollouts.simulation.scenarios import Scenario, basic, routed, update
from rollouts.simulation.world import World
from tests.benchmarks.table import Table

PAUSE = {"pause": {"duration": "1s"}}
STEPS = [part for weight in (20, 40, 60, 80) for part in ({"setWeight": weight}, PAUSE)]
REPLICAS = 5
BUDGET = 30
EVENTS_AT_MOST = 35
PEER = {"basic": "48 + 16 events", "routed": "48 + 16 events"}


def title(write: Write) -> str:
    sub = f"/{write.subresource}" if write.subresource else ""
    return f"{write.verb} {write.resource.kind}{sub}"


def requests(strategy: str) -> tuple[Counter[str], int]:
    """Return the requests by verb and kind, and the reads, from the change of the spec until Healthy."""
    made = basic(STEPS) if strategy == "basic" else routed(STEPS)
    scenario = Scenario("benchmark", made, update, replicas=REPLICAS)

    async def run() -> tuple[Counter[str], int]:
        async with World.running(1) as world:
            process = await world.start()
            await scenario.begin(world)
            await world.rest()
            assert process.api is not None
            before, reads = len(world.writes), process.api.reads
            await scenario.script(world)
            await world.phase("Healthy")
            count = Counter(title(one.write) for one in world.writes[before:])
            return count, process.api.reads - reads

    return run_virtual(run())


@pytest.mark.parametrize("strategy", ["basic", "routed"])
def test_requests_of_a_canary_stay_within_the_budget(strategy: str, table: Table) -> None:
    count, reads = requests(strategy)
    events = sum(number for what, number in count.items() if what.endswith(f" {EVENTS.kind}"))
    rest = count.total() - events
    parts = ", ".join(f"{number} {what}" for what, number in sorted(count.items()))
    way = "without a router" if strategy == "basic" else "with an HTTPRoute"
    table.add(
        f"requests of a 4-step canary, 5 replicas, {way}",
        f"{rest} + {events} events, {reads} reads ({parts})",
        f"≤ {BUDGET} + events, no GET",
        PEER[strategy],
    )
    assert rest <= BUDGET
    assert events <= EVENTS_AT_MOST
    assert reads == 0


def test_one_status_write_stands_for_one_state_that_a_person_sees(table: Table) -> None:
    """Each of 9 steps to go (8 and the end) has one write that begins it and at most one on its way."""
    count, _ = requests("basic")
    writes = count["patch Rollout/status"]
    table.add("status writes of the same canary, without a router", str(writes), "≤ 18", "31–32")
    assert writes <= 18
