"""The canary behind a router: weights follow readiness, Services and the committed step."""

from __future__ import annotations

from datetime import timedelta

from rollouts.controllers.rollout.observe import Observer
from rollouts.kube import objects
from tests.unit.controllers.rollout.world import RESOURCES, World, routed

STEPS = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]


def updating(world: World) -> World:
    world.settle()
    world.events.clear()
    world.deploy("web:v2")
    world.settle()
    return world


def test_first_deploy_sends_all_traffic_to_stable() -> None:
    world = routed(STEPS)
    world.settle()
    assert world.weights() == (100, 0)
    assert (world.selects("stable"), world.selects("canary")) == ("v1", "v1")
    assert world.phase == "Healthy"


def test_step_scales_the_canary_then_shifts_the_weight() -> None:
    world = updating(routed(STEPS))
    assert world.sizes() == {"v1": 4, "v2": 1}
    assert world.weights() == (75, 25)
    assert (world.selects("stable"), world.selects("canary")) == ("v1", "v2")
    weights = world.status["canary"]["weights"]
    assert weights["canary"] == {
        "weight": 25, "serviceName": "canary", "podTemplateHash": world.hash("v2"),
    }  # fmt: skip
    assert world.phase == "Paused"


def test_weight_does_not_rise_before_canary_pods_are_ready() -> None:
    world = routed(STEPS)
    world.settle()
    world.deploy("web:v2")
    world.settle(pods=False)
    assert world.weights() == (100, 0)
    assert world.status["currentStepIndex"] == 0


def test_promotion_ends_with_all_traffic_on_the_new_stable() -> None:
    world = updating(routed(STEPS))
    for _ in range(2):
        world.user(pauseConditions=None)
        world.settle()
    assert world.phase == "Healthy"
    assert world.weights() == (100, 0)
    assert (world.selects("stable"), world.selects("canary")) == ("v2", "v2")
    assert world.sizes() == {"v1": 4, "v2": 4}
    world.wait(31)
    world.settle()
    assert world.sizes() == {"v1": 0, "v2": 4}


def test_abort_moves_traffic_first_and_pods_after_the_delay() -> None:
    world = updating(routed(STEPS))
    world.user(abort=True)
    world.settle()
    assert world.weights() == (100, 0)
    assert world.sizes() == {"v1": 4, "v2": 1}
    world.wait(31)
    world.settle()
    assert world.sizes() == {"v1": 4, "v2": 0}
    assert world.selects("canary") == "v1"
    assert world.phase == "Degraded"


def test_step_waits_until_the_gateway_has_accepted_the_weight() -> None:
    world = routed(STEPS)
    world.accept_route()
    world.settle()
    world.accept_route()
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert world.weights() == (75, 25)
    assert world.status["currentStepIndex"] == 0
    assert world.status["canary"]["weights"]["verified"] is False
    world.accept_route()
    world.settle()
    assert world.status["currentStepIndex"] == 1
    assert world.status["canary"]["weights"]["verified"] is True


def test_third_version_starts_from_no_traffic() -> None:
    world = updating(routed(STEPS))
    world.deploy("web:v3")
    world.settle(pods=False)
    assert world.weights() == (100, 0)
    world.settle()
    assert world.weights() == (75, 25)
    assert world.selects("canary") == "v3"
    world.wait(31)
    world.settle()
    assert world.sizes() == {"v1": 4, "v2": 0, "v3": 1}


def test_set_canary_scale_is_apart_from_the_weight() -> None:
    steps = [{"setCanaryScale": {"replicas": 3}}, {"setWeight": 5}, {"pause": {}}]
    world = updating(routed(steps))
    assert world.sizes() == {"v1": 4, "v2": 3}
    assert world.weights() == (95, 5)


def test_dynamic_stable_scale_gives_stable_only_what_its_traffic_needs() -> None:
    world = updating(routed([{"setWeight": 50}, {"pause": {}}], dynamicStableScale=True))
    assert world.sizes() == {"v1": 2, "v2": 2}
    assert world.weights() == (50, 50)
    world.user(abort=True)
    world.settle()
    assert world.weights() == (100, 0)
    assert world.sizes() == {"v1": 4, "v2": 0}


def test_foreign_weight_is_corrected() -> None:
    world = updating(routed(STEPS))
    refs = [{"name": "stable", "port": 80, "weight": 10}, {"name": "canary", "port": 80, "weight": 90}]
    world.api.change(objects.HTTP_ROUTES, "web", {"spec": {"rules": [{"backendRefs": refs}]}})
    world.settle()
    assert world.weights() == (75, 25)


def test_missing_route_is_reported_and_nothing_else_stops() -> None:
    world = routed(STEPS)
    del world.api.objects[(objects.HTTP_ROUTES, "web")]
    world.settle()
    assert world.sizes() == {"v1": 4}
    errors = [e for e in world.events if e.reason == "TrafficRoutingError"]
    assert "HTTPRoute shop/web not found" in errors[0].message
    assert errors[0].type == "Warning"


def test_full_promotion_keeps_the_weight_until_the_new_version_is_whole() -> None:
    world = updating(routed(STEPS))
    world.user(promoteFull=True)
    world.settle()
    assert world.phase == "Healthy"
    assert world.weights() == (100, 0)
    assert world.selects("stable") == "v2"


def test_rollback_to_stable_takes_traffic_from_the_canary() -> None:
    world = updating(routed(STEPS))
    world.deploy("web:v1")
    world.settle()
    assert world.weights() == (100, 0)
    assert world.phase == "Healthy"
    world.wait(31)
    world.settle()
    assert world.sizes() == {"v1": 4, "v2": 0}


def test_an_accepted_weight_counts_only_once_data_planes_had_their_time() -> None:
    world = routed([{"setWeight": 25}, {"setWeight": 50}, {"pause": {}}])
    world.settle()
    world.deploy("web:v2")
    world.accept_route("example.com/gw")
    world.settle()
    world.accept_route("example.com/gw")
    world.settle()
    assert (world.weights(), world.status["currentStepIndex"]) == ((75, 25), 0)
    assert world.status["canary"]["weights"]["verified"] is False
    assert world.requeue_at == world.now + timedelta(seconds=2.5)

    world.wait(2.4)
    world.settle()
    assert world.status["currentStepIndex"] == 0
    world.wait(0.1)
    world.settle()
    assert (world.weights(), world.status["currentStepIndex"]) == ((50, 50), 1)


def test_after_a_restart_a_weight_that_was_in_force_is_not_doubted_again() -> None:
    world = routed([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}])
    world.settle()
    world.deploy("web:v2")
    world.settle()
    world.accept_route("example.com/gw")
    world.settle()
    world.wait(3)
    world.settle()
    assert world.status["canary"]["weights"]["verified"] is True

    world.observer = Observer(world.cache, lambda group, kind: RESOURCES.get(kind))
    world.settle()
    assert world.status["canary"]["weights"]["verified"] is True


def test_a_new_route_that_nobody_reports_on_is_waited_for_a_while_and_then_taken_as_written() -> None:
    world = routed([{"setWeight": 25}, {"pause": {}}])
    route = world.api.objects[(objects.HTTP_ROUTES, "web")]
    route["metadata"]["creationTimestamp"] = objects.format_time(world.now)
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert (world.weights(), world.status["currentStepIndex"]) == ((75, 25), 0)
    assert "has not reported yet" in " ".join(world.decide().waits)

    world.wait(10)
    world.settle()
    assert world.status["currentStepIndex"] == 1
    assert "verified" not in world.status["canary"]["weights"]


def set_weights(world: World, stable: int, canary: int) -> None:
    """Change the route as somebody who is not the controller."""
    refs = [
        {"name": "stable", "port": 80, "weight": stable},
        {"name": "canary", "port": 80, "weight": canary},
    ]
    world.api.change(objects.HTTP_ROUTES, "web", {"spec": {"rules": [{"backendRefs": refs}]}})


def test_a_weight_that_somebody_else_changed_is_set_back_and_told_of_once() -> None:
    world = updating(routed(STEPS))
    world.events.clear()
    set_weights(world, 40, 60)
    world.settle()
    assert world.weights() == (75, 25)
    told = [event for event in world.events if event.reason == "TrafficWeightChanged"]
    assert [event.type for event in told] == ["Warning"]
    assert "HTTPRoute shop/web: the canary weight was 60 of 100" in told[0].message
    assert "had written 25" in told[0].message


def test_the_controllers_own_changes_of_weight_are_nobody_elses() -> None:
    world = updating(routed(STEPS))
    world.user(pauseConditions=None)
    world.settle()
    world.user(abort=True)
    world.settle()
    assert world.weights() == (100, 0)
    assert "TrafficWeightChanged" not in world.reasons()


def test_nothing_shrinks_while_a_weight_is_written_but_not_in_force() -> None:
    world = routed([{"setWeight": 50}, {"pause": {}}], dynamicStableScale=True)
    for _ in range(3):
        world.accept_route()
        world.settle()
    world.deploy("web:v2")
    for _ in range(8):
        world.reconcile()
        world.ready_pods()
    assert world.weights() == (50, 50)
    assert world.sizes() == {"v1": 4, "v2": 2}
    for _ in range(4):
        world.accept_route()
        world.settle()
        world.wait(10)
    assert world.sizes() == {"v1": 2, "v2": 2}
