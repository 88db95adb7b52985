"""Two Services that take turns: no selector moves at the end of an update."""

from __future__ import annotations

from tests.unit.controllers.rollout.world import World, ping_pong


def updated() -> World:
    world = ping_pong([{"setWeight": 50}, {"pause": {}}])
    world.settle()
    assert world.status["canary"]["stablePingPong"] == "ping"
    world.deploy("web:v2")
    world.settle()
    return world


def test_the_other_service_gets_the_new_version_and_its_share() -> None:
    world = updated()
    assert (world.selects("stable"), world.selects("canary")) == ("v1", "v2")
    assert world.weights() == (50, 50)


def test_promotion_swaps_the_roles_and_no_selector() -> None:
    world = updated()
    world.user(pauseConditions=None)
    while world.status["stableRS"] != world.hash("v2"):
        world.reconcile()
        world.ready_pods()
        assert world.selects("stable") == "v1"
    assert world.status["canary"]["stablePingPong"] == "pong"
    world.settle()
    assert world.selects("canary") == "v2"
    assert world.weights() == (0, 100)
    assert world.phase == "Healthy"


def test_the_next_update_comes_in_through_the_first_service() -> None:
    world = updated()
    world.user(pauseConditions=None)
    world.settle()
    world.deploy("web:v3")
    world.settle()
    assert (world.selects("stable"), world.selects("canary")) == ("v3", "v2")
    assert world.weights() == (50, 50)


def test_the_service_selects_the_new_pods_before_they_are_ready() -> None:
    world = ping_pong([{"setWeight": 50}, {"pause": {}}])
    world.settle()
    world.deploy("web:v2")
    world.settle(pods=False)
    assert world.selects("canary") == "v2"
    assert world.weights() == (100, 0)
