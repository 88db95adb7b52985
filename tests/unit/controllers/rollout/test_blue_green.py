"""The blue-green strategy: preview, switch, and the way back."""

from __future__ import annotations

import pytest

from rollouts.kube import objects
from tests.unit.controllers.rollout.world import World, blue_green


def updating(world: World) -> World:
    world.settle()
    assert world.phase == "Healthy"
    world.events.clear()
    world.deploy("web:v2")
    world.settle()
    return world


def test_first_deploy_points_both_services_at_the_only_version() -> None:
    world = blue_green()
    world.settle()
    assert (world.selects("active"), world.selects("preview")) == ("v1", "v1")
    assert world.phase == "Healthy"


def test_automatic_promotion_switches_when_the_new_version_is_whole() -> None:
    world = updating(blue_green())
    assert world.selects("active") == "v2"
    assert world.phase == "Healthy"
    assert world.sizes() == {"v1": 2, "v2": 2}
    world.wait(31)
    world.settle()
    assert world.sizes() == {"v1": 0, "v2": 2}


def test_switch_waits_for_all_pods() -> None:
    world = blue_green()
    world.settle()
    world.deploy("web:v2")
    world.settle(pods=False)
    assert (world.selects("active"), world.selects("preview")) == ("v1", "v2")


def test_manual_promotion_pauses_before_the_switch() -> None:
    world = updating(blue_green(autoPromotionEnabled=False))
    assert (world.phase, world.status["message"]) == ("Paused", "BlueGreenPause")
    assert (world.selects("active"), world.selects("preview")) == ("v1", "v2")
    world.user(pauseConditions=None)
    world.settle()
    assert world.selects("active") == "v2"
    assert world.phase == "Healthy"
    assert not world.status.get("controllerPause")


def test_automatic_promotion_after_seconds() -> None:
    world = updating(blue_green(autoPromotionSeconds=30))
    assert world.phase == "Paused"
    world.wait(30)
    world.settle()
    assert world.selects("active") == "v2"


def test_preview_count_holds_until_the_check_point() -> None:
    world = updating(blue_green(replicas=4, previewReplicaCount=1, autoPromotionEnabled=False))
    assert world.sizes() == {"v1": 4, "v2": 1}
    world.user(pauseConditions=None)
    world.settle()
    assert world.sizes()["v2"] == 4
    assert world.selects("active") == "v2"


def test_abort_before_the_switch_scales_the_preview_down_after_the_delay() -> None:
    world = updating(blue_green(autoPromotionEnabled=False))
    world.user(abort=True)
    world.settle()
    assert world.selects("active") == "v1"
    assert world.sizes() == {"v1": 2, "v2": 2}
    world.wait(31)
    world.settle()
    assert world.sizes() == {"v1": 2, "v2": 0}
    assert world.phase == "Degraded"


def test_quick_way_back_skips_the_pause() -> None:
    world = updating(blue_green(autoPromotionEnabled=False))
    world.user(pauseConditions=None)
    world.settle()
    world.deploy("web:v1")
    world.settle()
    assert world.selects("active") == "v1"
    assert world.phase == "Healthy"


@pytest.mark.parametrize("strategy", [{}, {"autoPromotionEnabled": True}], ids=["default", "explicit"])
def test_events_of_an_update_come_in_the_known_order(strategy: dict[str, object]) -> None:
    world = blue_green(previewService=None, **strategy)
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert world.reasons() == [
        "RolloutUpdated", "NewReplicaSetCreated", "ScalingReplicaSet", "RolloutCompleted",
        "SwitchService", "RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted",
        "ScalingReplicaSet", "SwitchService", "RolloutCompleted",
    ]  # fmt: skip


@pytest.mark.parametrize("selector", [{}, {"rollouts-pod-template-hash": "nobody"}], ids=["anew", "edited"])
def test_active_service_that_lost_its_version_goes_back_to_stable_and_clears_nothing(
    selector: dict[str, str],
) -> None:
    world = updating(blue_green(autoPromotionEnabled=False))
    service = world.api.objects[(objects.SERVICES, "active")]
    service["spec"]["selector"] = {"app": "web", **selector}
    world.settle()
    assert (world.selects("active"), world.selects("preview")) == ("v1", "v2")
    assert (world.phase, world.status["message"]) == ("Paused", "BlueGreenPause")
    assert world.status["stableRS"] == world.hash("v1")


def test_active_service_without_a_version_gets_the_new_one_when_stable_has_no_pods() -> None:
    world = updating(blue_green(autoPromotionEnabled=False))
    world.api.objects[(objects.SERVICES, "active")]["spec"]["selector"] = {"app": "web"}
    world.ready_pods({world.hash("v1"): 0})
    world.reconcile()
    world.reconcile()
    assert world.selects("active") == "v2"


def test_pause_by_a_person_does_not_keep_users_from_the_only_version_with_pods() -> None:
    world = updating(blue_green(autoPromotionEnabled=False))
    world.spec(paused=True)
    world.settle()
    gone = f"web-{world.hash('v1')}"
    del world.api.objects[(objects.REPLICASETS, gone)]
    world.settle()
    assert world.selects("active") == "v2"
