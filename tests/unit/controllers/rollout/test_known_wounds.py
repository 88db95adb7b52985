"""Faults that users of the peer reported, each named after the behaviour that it must not have here."""

from __future__ import annotations

import asyncio

import pytest

from rollouts.controllers.rollout.apply import Apply
from rollouts.controllers.rollout.decide import decide
from rollouts.kube import errors, objects
from tests.unit.controllers.rollout.world import KEY, World, basic, routed

STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 80}, {"pause": {}}]


def updating(world: World, promotions: int = 0) -> World:
    world.settle()
    world.deploy("web:v2")
    world.settle()
    for _ in range(promotions):
        world.user(pauseConditions=None)
        world.settle()
    return world


def test_a_users_abort_is_never_overwritten_by_a_decision_made_before_it() -> None:
    world = updating(basic(STEPS))
    world.user(pauseConditions=None)
    snapshot = world.snapshot()
    decision = decide(snapshot)
    world.user(abort=True)
    apply = Apply(world.api, snapshot, lambda event: None, world._resource_of, world._reached)  # type: ignore[arg-type]
    with pytest.raises(errors.Conflict):
        asyncio.run(apply.run(decision))
    world.settle()
    assert world.status["abort"] is True
    assert world.phase == "Degraded"


def test_fast_way_back_gives_a_small_stable_only_what_it_can_carry() -> None:
    world = updating(routed(STEPS, replicas=5, dynamicStableScale=True), promotions=1)
    assert world.sizes() == {"v1": 1, "v2": 4}
    assert world.weights() == (20, 80)
    stable = world.hash("v1")
    world.deploy("web:v1")
    for _ in range(6):
        world.reconcile()
        world.ready_pods({stable: 2})
        assert world.weights()[0] <= 40
    world.ready_pods({stable: 4})
    world.settle(pods=False)
    assert world.weights() == (80, 20)
    world.settle()
    assert world.weights() == (100, 0)
    assert world.phase == "Healthy"


def test_abort_with_dynamic_stable_walks_down_as_stable_comes_back_and_never_up() -> None:
    world = updating(routed(STEPS, replicas=5, dynamicStableScale=True), promotions=1)
    stable = world.hash("v1")
    world.user(abort=True)
    seen = []
    for ready in (1, 2, 1, 3, 2, 4, 5, 5):
        world.reconcile()
        world.ready_pods({stable: ready})
        world.reconcile()
        seen.append(world.weights()[1])
    assert seen == sorted(seen, reverse=True)
    world.settle()
    assert world.weights() == (100, 0)
    assert world.sizes() == {"v1": 5, "v2": 0}


def test_abort_with_dynamic_stable_and_a_delay_keeps_the_canary_whole_until_its_traffic_is_gone() -> None:
    world = updating(
        routed(STEPS, replicas=4, dynamicStableScale=True, abortScaleDownDelaySeconds=10), promotions=1
    )
    assert (world.sizes(), world.weights()) == ({"v1": 1, "v2": 4}, (20, 80))
    world.user(abort=True)
    seen = []
    for ready in (1, 3, 4):
        for _ in range(4):
            world.reconcile()
            world.ready_pods({world.hash("v1"): ready})
        seen.append((ready, world.sizes()["v2"], world.weights()[1], waits_for_its_end(world, "v2")))
    assert seen == [(1, 4, 75, False), (3, 4, 25, False), (4, 4, 0, True)]
    world.wait(10)
    world.settle()
    assert world.sizes() == {"v1": 4, "v2": 0}
    assert (world.selects("canary"), world.selects("stable")) == ("v1", "v1")


def waits_for_its_end(world: World, tag: str) -> bool:
    name = f"web-{world.hash(tag)}"
    notes = world.api.objects[(objects.REPLICASETS, name)]["metadata"]["annotations"]
    return "scale-down-deadline" in notes


@pytest.mark.parametrize("to", ["v1", "v3"], ids=["back to stable", "to a third version"])
def test_overtaken_canary_that_still_carries_traffic_is_what_the_weights_name(to: str) -> None:
    world = updating(routed(STEPS, replicas=5, dynamicStableScale=True))
    stable, overtaken = world.hash("v1"), world.hash("v2")
    assert (world.sizes(), world.weights()) == ({"v1": 4, "v2": 1}, (80, 20))
    world.deploy(f"web:{to}")
    for _ in range(6):
        world.reconcile()
        world.ready_pods({stable: 4, world.hash(to): 4 if to == "v1" else 0})
        assert (world.weights(), world.selects("canary")) == ((80, 20), "v2")
    weights = world.status["canary"]["weights"]
    assert (weights["canary"]["weight"], weights["canary"]["podTemplateHash"]) == (20, overtaken)
    assert (weights["stable"]["weight"], weights["stable"]["podTemplateHash"]) == (80, stable)
    world.settle()
    weights, share = world.status["canary"]["weights"], 0 if to == "v1" else 20
    assert (weights["canary"]["weight"], weights["canary"]["podTemplateHash"]) == (share, world.hash(to))
    assert (world.weights(), world.selects("canary")) == ((100 - share, share), to)
    world.wait(31)
    world.settle()
    assert world.sizes()["v2"] == 0


def header_steps() -> list[dict[str, object]]:
    match = [{"headerName": "x-canary", "headerValue": {"exact": "yes"}}]
    return [
        {"setCanaryScale": {"replicas": 1}},
        {"setHeaderRoute": {"name": "staff", "match": match}},
        {"pause": {}},
    ]


def with_headers() -> World:
    config = {"httpRoutes": [{"name": "web", "useHeaderRoutes": True}]}
    routing = {
        "plugins": {"argoproj-labs/gatewayAPI": config},
        "managedRoutes": [{"name": "staff"}],
    }
    return updating(routed(header_steps(), trafficRouting=routing))


def rules(world: World) -> list[str]:
    found = world.api.objects[(objects.HTTP_ROUTES, "web")]["spec"]["rules"]
    return [rule.get("name", "") for rule in found]


def test_header_route_is_there_while_its_step_is_in_force() -> None:
    world = with_headers()
    assert "staff" in rules(world)
    assert world.status["currentStepIndex"] == 2


@pytest.mark.parametrize("way", ["abort", "new version", "promotion"])
def test_header_routes_are_never_left_behind(way: str) -> None:
    world = with_headers()
    match way:
        case "abort":
            world.user(abort=True)
        case "new version":
            world.deploy("web:v1")
        case _:
            world.user(pauseConditions=None)
    world.settle()
    assert rules(world) == [""]


def test_header_route_survives_canary_pods_that_restart() -> None:
    world = with_headers()
    world.ready_pods({world.hash("v2"): 0})
    world.settle(pods=False)
    assert "staff" not in rules(world)
    world.settle()
    assert "staff" in rules(world)


def test_an_overtaking_version_does_not_make_counts_swing() -> None:
    world = updating(basic(STEPS, replicas=5))
    world.deploy("web:v3")
    sizes = []
    for _ in range(12):
        world.reconcile()
        world.ready_pods()
        sizes.append(dict(world.sizes()))
    for tag, growing in (("v3", True), ("v2", False)):
        counts = [size.get(tag, 0) for size in sizes]
        assert counts == sorted(counts, reverse=not growing)


def test_a_finished_update_is_not_aborted_by_a_later_missed_deadline() -> None:
    world = basic(STEPS[:1])
    world.spec(progressDeadlineSeconds=30, progressDeadlineAbort=True)
    updating(world)
    assert world.phase == "Healthy"
    world.ready_pods({world.hash("v2"): 1})
    world.settle(pods=False)
    world.wait(60)
    world.settle(pods=False)
    assert not world.status.get("abort")
    assert world.sizes() == {"v1": 0, "v2": 4}


def test_abort_after_full_promotion_was_asked_for_wins() -> None:
    world = updating(basic(STEPS))
    world.user(promoteFull=True)
    world.reconcile()
    world.user(abort=True)
    world.settle()
    assert world.phase == "Degraded"
    assert world.sizes() == {"v1": 4, "v2": 0}
    assert not world.status.get("promoteFull")


def test_full_promotion_after_an_abort_wins() -> None:
    world = updating(basic(STEPS))
    world.user(abort=True)
    world.settle()
    world.user(promoteFull=True)
    world.settle()
    assert world.phase == "Healthy"
    assert world.sizes() == {"v1": 0, "v2": 4}


def test_weight_is_taken_from_a_canary_that_lost_all_its_pods() -> None:
    world = updating(routed(STEPS))
    assert world.weights() == (80, 20)
    world.ready_pods({world.hash("v2"): 0})
    world.settle(pods=False)
    assert world.weights() == (100, 0)
    world.settle()
    assert world.weights() == (80, 20)


def test_promotion_waits_for_all_traffic_to_be_accepted() -> None:
    world = routed([{"setWeight": 50}])
    world.settle()
    world.accept_route()
    world.deploy("web:v2")
    for _ in range(12):
        world.reconcile()
        world.ready_pods()
    assert world.status["stableRS"] == world.hash("v1")
    for _ in range(6):
        world.accept_route()
        world.settle()
    assert world.status["stableRS"] == world.hash("v2")
    assert world.phase == "Healthy"


def test_scaling_while_updating_keeps_the_ratio() -> None:
    world = updating(basic([{"setWeight": 50}, {"pause": {}}]))
    assert world.sizes() == {"v1": 2, "v2": 2}
    world.spec(replicas=8)
    world.settle()
    assert world.sizes() == {"v1": 4, "v2": 4}
    assert (world.phase, world.status["currentStepIndex"]) == ("Paused", 1)


def test_scaling_while_aborted_scales_stable_alone() -> None:
    world = updating(basic([{"setWeight": 50}, {"pause": {}}]))
    world.user(abort=True)
    world.settle()
    world.spec(replicas=6)
    world.settle()
    assert world.sizes() == {"v1": 6, "v2": 0}
    assert KEY.name == "web"


def test_scaling_to_nothing_works_behind_services() -> None:
    world = updating(routed(STEPS))
    world.spec(replicas=0)
    world.settle()
    assert sum(world.sizes().values()) == 0
