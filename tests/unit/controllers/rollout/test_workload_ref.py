"""A template that a Deployment holds, behind a blue-green Rollout: coming, going, and taken back inline."""

from __future__ import annotations

from rollouts.kube import objects
from rollouts.workloads import labels
from tests.unit.controllers.rollout.test_operations import DEPLOYMENT, set_image
from tests.unit.controllers.rollout.world import World, rollout_spec

REF = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "legacy"}


def referencing() -> World:
    spec = rollout_spec({"blueGreen": {"activeService": "active"}}, replicas=1, progressDeadlineSeconds=5)
    del spec["template"], spec["selector"]
    return World({**spec, "workloadRef": REF}, services=("active",))


def deployed() -> World:
    world = referencing()
    world.api.put(objects.DEPLOYMENTS, DEPLOYMENT)
    world.settle()
    assert world.phase == "Healthy"
    return world


def test_a_template_beside_the_reference_is_told_in_one_condition_and_nothing_else() -> None:
    world = referencing()
    world.spec(template={"metadata": {"labels": {"app": "web"}}}, selector={"matchLabels": {"app": "x"}})
    world.settle()
    (condition,) = world.status["conditions"]
    assert condition["type"] == "InvalidSpec"
    assert "template must be empty for workload reference rollout" in condition["message"]
    assert (world.phase, world.sizes()) == ("Degraded", {})


def test_the_service_gets_a_version_only_once_its_template_and_its_pods_are_there() -> None:
    world = referencing()
    world.settle()
    assert (world.phase, world.selects("active")) == ("Degraded", "")
    world.api.put(objects.DEPLOYMENTS, DEPLOYMENT)
    world.settle(pods=False)
    assert (world.phase, world.selects("active")) == ("Progressing", "")
    world.settle()
    assert (world.phase, world.selects("active")) == ("Healthy", "v1")
    assert world.status["workloadObservedGeneration"] == "1"
    assert not {"template", "selector"} & set(world.rollout["spec"])


def test_a_workload_that_breaks_and_is_mended_is_followed() -> None:
    world = deployed()
    set_image(world, "web:broken")
    world.settle(pods=False)
    world.wait(7)
    world.settle(pods=False)
    assert (world.phase, world.selects("active")) == ("Degraded", "v1")
    assert world.status["workloadObservedGeneration"] == "2"
    set_image(world, "web:v3")
    world.settle()
    assert (world.phase, world.selects("active")) == ("Healthy", "v3")


def test_a_reference_that_leads_nowhere_for_a_while_changes_nothing() -> None:
    world = deployed()
    before = world.sizes()
    world.spec(workloadRef={**REF, "name": "nobody"})
    world.settle()
    assert (world.phase, world.selects("active")) == ("Degraded", "v1")
    world.spec(workloadRef=REF)
    world.settle()
    assert (world.phase, world.sizes()) == ("Healthy", before)


def test_the_same_template_taken_back_inline_is_no_new_version_and_leaves_no_trace_of_the_workload() -> None:
    world = deployed()
    inline = rollout_spec({})
    world.spec(workloadRef=None, template=inline["template"], selector=inline["selector"])
    world.settle()
    assert (world.phase, world.sizes()) == ("Healthy", {"v1": 1})
    assert "workloadObservedGeneration" not in world.status
    assert labels.WORKLOAD_GENERATION not in world.rollout["metadata"]["annotations"]
