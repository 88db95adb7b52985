"""Writes that the API server refuses: people are told on the Rollout, and the same again changes nothing."""

from __future__ import annotations

import pytest

from rollouts.api.conditions import get_condition
from rollouts.kube import errors
from tests.unit.controllers.rollout.world import World, basic, routed

LONG_LABEL = "metadata.labels: must be no more than 63 bytes"


def refuse(world: World, start: str, error: type[errors.Refused], message: str) -> None:
    def before(what: str) -> None:
        if what.startswith(start):
            raise error(message)

    world.api.before_write = before


def refused_twice(world: World, error: type[errors.Refused]) -> str:
    """Reconcile until a write is refused, and again; return what the second try wrote to the Rollout."""
    with pytest.raises(error):
        world.settle()
    writes = len(world.api.writes)
    with pytest.raises(error):
        world.reconcile()
    return " ".join(world.api.writes[writes:])


def test_template_that_the_server_finds_invalid_is_an_invalid_spec() -> None:
    world = basic()
    refuse(world, "create ReplicaSet", errors.Invalid, LONG_LABEL)
    assert refused_twice(world, errors.Invalid) == ""
    assert world.phase == "Degraded"
    assert world.status["message"].startswith('InvalidSpec: The Rollout "web" is invalid: spec.template: ')
    assert LONG_LABEL in world.status["message"]
    assert world.reasons().count("InvalidSpec") == 1


def test_invalid_template_is_forgotten_when_it_is_mended() -> None:
    world = basic()
    refuse(world, "create ReplicaSet", errors.Invalid, LONG_LABEL)
    refused_twice(world, errors.Invalid)
    world.api.before_write = lambda what: None
    world.settle()
    assert world.phase == "Healthy"


def test_replica_set_that_may_not_be_created_is_told_once_as_failed_progress() -> None:
    world = basic()
    world.settle()
    world.deploy("web:v2")
    refuse(world, "create ReplicaSet", errors.Forbidden, "exceeded quota: replicasets")
    assert refused_twice(world, errors.Forbidden) == ""
    progressing = get_condition(world.status["conditions"], "Progressing")
    assert progressing is not None
    assert (progressing["status"], progressing["reason"]) == ("False", "ReplicaSetCreateError")
    assert "exceeded quota" in progressing["message"]
    assert world.reasons().count("ReplicaSetCreateError") == 1


def test_route_that_may_not_be_written_is_told_as_a_warning() -> None:
    world = routed([{"setWeight": 20}, {"pause": {}}])
    world.settle()
    world.accept_route()
    world.deploy("web:v2")
    refuse(world, "replace HTTPRoute", errors.Forbidden, "cannot update httproutes")
    with pytest.raises(errors.Forbidden):
        world.settle()
    (event,) = [event for event in world.events if event.reason == "TrafficRoutingError"]
    assert event.type == "Warning"
    assert "cannot update httproutes" in event.message
