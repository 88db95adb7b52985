"""One run of a scenario under a plan of faults, and what it showed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rollouts.simulation.ending import ending
from rollouts.simulation.faults import Fault, Once, Plan, Smooth
from rollouts.simulation.invariants import end_problems
from rollouts.simulation.loop import run_virtual
from rollouts.simulation.scenarios import Scenario
from rollouts.simulation.storm import Storm
from rollouts.simulation.world import World


@dataclass(frozen=True, slots=True)
class Report:
    """``writes`` are the controller's after the begin, in order. ``problems`` is empty when all is well."""

    end: Mapping[str, Any]
    created: Mapping[str, int]
    writes: tuple[str, ...]
    problems: tuple[str, ...]
    digest: str
    trace: str


def run(
    scenario: Scenario, seed: int = 1, plan: Callable[[], Plan] = Smooth, *, latency: float = 1.0
) -> Report:
    """Run a scenario; the plan begins once v1 is Healthy. Raises Stuck when it does not come to its end."""
    return run_virtual(_run(scenario, seed, plan, latency))


def run_with_fault(scenario: Scenario, fault: Fault, number: int) -> Report:
    """Run a scenario with one fault at one write."""
    return run(scenario, plan=lambda: Once(fault, number))


def run_in_storm(scenario: Scenario, seed: int, share: float = 0.08) -> Report:
    """Run a scenario in which everything goes wrong now and then."""
    return run(scenario, seed, lambda: Storm(seed, share), latency=STORM_LATENCY)


STORM_LATENCY = 8.0
"""Seconds that a storm may delay a watch event and the request after it, one behind the other."""


async def _run(scenario: Scenario, seed: int, plan: Callable[[], Plan], latency: float) -> Report:
    async with World.running(seed, latency=latency) as world:
        process = await world.start()
        await scenario.begin(world)
        process.count_from_here()
        before = len(world.writes)
        chosen = world.plan = plan()
        await scenario.play(world)
        if isinstance(chosen, Storm):
            chosen.calm = True
            await world.rest()
        return _report(scenario, world, before)


def _report(scenario: Scenario, world: World, before: int) -> Report:
    end = ending(world.mirror, world.rollout)
    problems = [*world.invariants.violations, *end_problems(world.mirror, world.rollout)]
    problems += [f"logged as an error: {text}" for text in world.errors]
    if end["stable"] != scenario.stable:
        problems.append(f"stable is {end['stable']}, not {scenario.stable}")
    return Report(
        end=end,
        created=dict(world.invariants.created),
        writes=tuple(str(one.write) for one in world.writes[before:] if one.write.number >= 0),
        problems=tuple(problems),
        digest=world.trace.digest(),
        trace="\n".join(world.trace.lines),
    )
