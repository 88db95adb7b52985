"""The error-budget gate in the whole controller on virtual time: what wakes it, and what a crash leaves."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.kube import objects
from rollouts.kube.objects import ROLLOUTS, SERVICE_LEVEL_OBJECTIVES, Manifest
from rollouts.simulation.faults import Fault, Once
from rollouts.simulation.loop import run_virtual
from rollouts.simulation.scenarios import SCENARIOS
from rollouts.simulation.world import NAME, NAMESPACE, World
from rollouts.workloads import labels

CRD = Path(__file__).parents[2] / "crds" / "rollouts.dev_servicelevelobjectives.yaml"
SPEC = {"objective": 0.999, "indicator": {"ratio": {"total": "hits_total", "bad": "errors_total"}}}


async def annotate(world: World, **notes: str) -> None:
    named = {"gate": labels.BUDGET_GATE, "override": labels.BUDGET_OVERRIDE}
    patch = {"metadata": {"annotations": {named[key]: value for key, value in notes.items()}}}
    await world.api.patch(ROLLOUTS, NAMESPACE, NAME, patch)


async def budget(world: World, state: str) -> None:
    """Write an objective's status, as its controller would."""
    status = {
        "state": state,
        "message": f"it is {state}",
        "checkedAt": objects.format_time(world.clock.now()),
        "observedGeneration": 1,
    }
    await world.api.patch(
        SERVICE_LEVEL_OBJECTIVES, NAMESPACE, "budget", {"status": status}, subresource="status"
    )


def versions(world: World) -> dict[str, Manifest]:
    found = world.mirror.all("replicasets").values()
    return {str(rs["spec"]["template"]["spec"]["containers"][0]["image"])[-2:]: dict(rs) for rs in found}


def play(story: Callable[[World], Awaitable[None]], *, installed: bool = True) -> None:
    """Begin with v1 Healthy, the gate asked for and v2 pushed; end without harm."""

    async def run() -> None:
        async with World.running(1) as world:
            if installed:
                world.cluster.install_crds([yaml.load(CRD.read_text(), Loader=yaml.CSafeLoader)])
                await world.create(SERVICE_LEVEL_OBJECTIVES, {"metadata": {"name": "budget"}, "spec": SPEC})
                await budget(world, "blocked")
            await world.start()
            await SCENARIOS["routed"].begin(world)
            await annotate(world, gate="budget")
            await world.deploy("v2")
            await world.phase("Paused")
            assert list(versions(world)) == ["v1"]
            await story(world)
            assert not world.errors
            assert not world.invariants.violations

    run_virtual(run())


def test_it_starts_at_once_when_the_objective_says_so() -> None:
    async def story(world: World) -> None:
        await world.rest(3600)
        assert list(versions(world)) == ["v1"]
        await budget(world, "ok")
        await world.rest(1)
        assert "v2" in versions(world)
        await world.phase("Healthy")

    play(story)


def test_where_the_kind_is_not_served_it_waits_for_a_while_only() -> None:
    async def story(world: World) -> None:
        assert "there is no such ServiceLevelObjective" in str(world.state["message"])
        await world.rest(280)
        assert list(versions(world)) == ["v1"]
        await world.rest(30)
        assert "v2" in versions(world)

    play(story, installed=False)


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("fault", [Fault.KILLED_AFTER, Fault.KILLED_BEFORE, Fault.ANSWER_LOST])
def test_a_crash_on_the_way_in_leaves_one_new_version_and_the_override_on_record(
    fault: Fault, after: int
) -> None:
    async def story(world: World) -> None:
        process = world.processes["controller"]
        process.count_from_here()
        world.plan = Once(fault, after)
        until = objects.format_time(world.clock.now() + timedelta(hours=1))
        await annotate(world, override=f"mends it; until={until}")
        await world.phase("Healthy")
        made: Any = versions(world)["v2"]
        assert len(versions(world)) == 2
        assert "mends it" in objects.annotations_of(made)[labels.BUDGET_VERDICT]

    play(story)
