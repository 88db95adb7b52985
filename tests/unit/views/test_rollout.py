"""The picture of a Rollout."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.kube import objects
from rollouts.views.rollout import RolloutView, age, phase_and_message, rollout_view
from rollouts.workloads import labels
from tests.unit.controllers.rollout.world import World, basic, blue_green, routed


def view(world: World) -> RolloutView:
    sets, runs = world.cache.list(objects.REPLICASETS), world.cache.list(objects.ANALYSIS_RUNS)
    return rollout_view(world.rollout, sets, (), runs, world.now)


def test_a_paused_canary_shows_step_weights_and_roles() -> None:
    world = routed([{"setWeight": 25}, {"pause": {}}])
    world.settle()
    world.deploy("web:v2")
    for _ in range(3):
        world.settle()
        world.accept_route()
    seen = view(world)
    assert (seen.phase, seen.message, seen.step) == ("Paused", "CanaryPauseStep", "1/2")
    assert (seen.set_weight, seen.actual_weight) == (25, 25)
    assert [(v.revision, v.roles, v.images, v.desired) for v in seen.versions] == [
        (2, ("canary",), ("web:v2",), 1),
        (1, ("stable",), ("web:v1",), 4),
    ]


def test_without_a_router_the_actual_weight_is_the_share_of_the_pods() -> None:
    world = basic([{"setWeight": 50}, {"pause": {}}])
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert view(world).actual_weight == 50


def test_a_blue_green_rollout_shows_active_and_preview() -> None:
    world = blue_green(autoPromotionEnabled=False)
    world.settle()
    world.deploy("web:v2")
    world.settle()
    seen = view(world)
    assert [(v.revision, v.roles) for v in seen.versions] == [(2, ("preview",)), (1, ("stable", "active"))]
    assert (seen.strategy, seen.step) == ("BlueGreen", "")
    assert (seen.set_weight, seen.actual_weight) == (None, None)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        pytest.param({}, ("Progressing", "waiting for a controller to take note of the Rollout"), id="new"),
        pytest.param(
            {"observedGeneration": "1", "phase": "Healthy"},
            ("Progressing", "waiting for rollout spec update to be observed"),
            id="spec not seen",
        ),
        pytest.param(
            {"observedGeneration": "2", "phase": "Paused", "controllerPause": True},
            ("Progressing", "waiting for rollout to unpause"),
            id="just promoted",
        ),
        pytest.param(
            {"observedGeneration": "6f5c9b", "phase": "Healthy"},
            ("Healthy", ""),
            id="generation of old times",
        ),
        pytest.param(
            {"observedGeneration": "1366344857", "phase": "Healthy"},
            ("Healthy", ""),
            id="generation of old times that reads as a number",
        ),
        pytest.param(
            {"observedGeneration": "2", "phase": "Degraded", "message": "m"},
            ("Degraded", "m"),
            id="as written",
        ),
    ],
)
def test_a_status_behind_the_spec_is_not_believed(status: dict[str, Any], told: tuple[str, str]) -> None:
    assert phase_and_message({"metadata": {"generation": 2}, "status": status}) == told


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        ("1", "waiting for rollout spec update to be observed for the reference workload"),
        ("2", ""),
        ("10", ""),
    ],
)
def test_a_status_behind_the_workload_is_not_believed(observed: str, message: str) -> None:
    rollout = {
        "metadata": {"generation": 1, "annotations": {labels.WORKLOAD_GENERATION: "2"}},
        "spec": {"workloadRef": {"kind": "Deployment", "name": "web"}},
        "status": {"observedGeneration": "1", "workloadObservedGeneration": observed, "phase": "Healthy"},
    }
    assert phase_and_message(rollout) == ("Progressing" if message else "Healthy", message)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(42, "42s"), (120, "2m"), (312, "5m12s"), (3600, "60m"), (7200, "2h"), (200000, "2d")],
)
def test_ages_read_as_those_of_kubectl(seconds: int, text: str) -> None:
    assert age(seconds) == text
