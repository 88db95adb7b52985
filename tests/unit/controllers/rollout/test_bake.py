"""The bake: all traffic is on the new version, and the old one is still the stable one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollouts.kube import objects
from rollouts.workloads import labels
from tests.unit.controllers.rollout.world import KEY, World, basic, blue_green, routed

STEPS = [{"setWeight": 50}]
METRIC = {"name": "errors", "provider": {"prometheus": {"address": "http://prometheus", "query": "errors"}}}


def bakes(world: World, length: str = "20m") -> World:
    note = {"metadata": {"annotations": {labels.BAKE: length}}}
    world.api.change(objects.ROLLOUTS, KEY.name, note)
    world.settle()
    assert "RolloutBakes" not in world.reasons(), "the first version has nothing to go back to"
    world.deploy("web:v2")
    world.settle()
    return world


def stable(world: World) -> str:
    return "v2" if world.status["stableRS"] == world.hash("v2") else "v1"


def test_all_traffic_comes_first_and_stable_only_after_the_bake() -> None:
    world = bakes(routed(STEPS))
    assert (world.weights(), stable(world)) == ((0, 100), "v1")
    assert world.sizes() == {"v1": 4, "v2": 4}
    assert world.requeue_at is not None
    assert world.requeue_at <= world.now + timedelta(minutes=20)
    assert world.reasons().count("RolloutBakes") == 1
    world.wait(19 * 60)
    world.settle()
    assert stable(world) == "v1"
    world.wait(61)
    world.settle()
    assert (stable(world), world.phase) == ("v2", "Healthy")


def test_an_abort_in_the_bake_goes_back_to_the_old_version() -> None:
    world = bakes(routed(STEPS))
    world.wait(300)
    world.user(abort=True)
    world.settle()
    assert (world.weights(), stable(world), world.phase) == ((100, 0), "v1", "Degraded")


def test_a_background_analysis_goes_on_in_the_bake_and_can_end_it() -> None:
    world = routed(STEPS, analysis={"templates": [{"templateName": "slo"}]})
    template = {"metadata": {"name": "slo"}, "spec": {"metrics": [METRIC]}}
    world.api.put(objects.ANALYSIS_TEMPLATES, template)
    bakes(world)
    world.wait(600)
    world.settle()
    (name,) = world.runs()
    assert not world.runs()[name]["spec"].get("terminate")
    world.finish_run(name, "Failed", "the SLO is broken")
    world.settle()
    assert (world.weights(), stable(world), world.phase) == ((100, 0), "v1", "Degraded")


def test_a_full_promotion_ends_it() -> None:
    world = bakes(routed(STEPS))
    world.user(promoteFull=True)
    world.settle()
    assert (stable(world), world.phase) == ("v2", "Healthy")


def test_without_a_router_and_with_blue_green_it_is_the_same() -> None:
    for made in (basic(STEPS), basic(), blue_green()):
        world = bakes(made)
        assert stable(world) == "v1"
        world.wait(1201)
        world.settle()
        assert stable(world) == "v2"


def test_blue_green_switches_users_back_after_an_abort() -> None:
    world = bakes(blue_green())
    assert world.selects("active") == "v2"
    world.user(abort=True)
    world.settle()
    assert (world.selects("active"), world.phase) == ("v1", "Degraded")


def test_a_bake_longer_than_the_progress_deadline_is_no_missed_one() -> None:
    for made in (routed(STEPS), blue_green()):
        world = bakes(made, "3h")
        for _ in range(20):
            world.wait(500)
            world.settle()
            assert world.phase == "Progressing"
        world.wait(1000)
        world.settle()
        assert (stable(world), world.phase) == ("v2", "Healthy")


def test_the_next_version_and_a_retry_bake_anew() -> None:
    world = bakes(routed(STEPS))
    world.wait(1000)
    world.user(abort=True)
    world.settle()
    world.user(abort=False)
    world.settle()
    world.wait(1000)
    world.settle()
    assert (stable(world), world.weights()) == ("v1", (0, 100))
    world.deploy("web:v3")
    world.settle()
    world.wait(1100)
    world.settle()
    assert stable(world) == "v1"
    assert world.reasons().count("RolloutBakes") == 3


def test_a_length_that_cannot_be_read_is_an_invalid_spec() -> None:
    world = basic(STEPS)
    world.settle()
    note = {"metadata": {"annotations": {labels.BAKE: "soon"}}}
    world.api.change(objects.ROLLOUTS, KEY.name, note)
    world.settle()
    assert world.phase == "Degraded"
    assert "metadata.annotations[rollouts.dev/bake]" in world.status["message"]


@pytest.mark.parametrize("length", ["", "0s"])
def test_no_length_is_no_bake(length: str) -> None:
    world = bakes(routed(STEPS), length)
    assert stable(world) == "v2"
    assert labels.BAKING not in world.rollout["metadata"]["annotations"]
