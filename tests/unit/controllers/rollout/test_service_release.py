"""Services are given back when no Rollout uses them."""

from __future__ import annotations

import asyncio

from rollouts.controllers.rollout.service_release import ServiceReconciler
from rollouts.kube import objects
from rollouts.kube.objects import Key
from rollouts.runtime.reconciler import Request
from rollouts.workloads import labels
from tests.unit.controllers.rollout.world import KEY, World, routed


def look(world: World, name: str) -> None:
    request = Request(key=Key(KEY.namespace, name), now=world.now, api=world.api)  # type: ignore[arg-type]
    asyncio.run(ServiceReconciler(world.cache).reconcile(request))


def marked(world: World, name: str) -> bool:
    service = world.api.objects[(objects.SERVICES, name)]
    mark = labels.MANAGED_BY in objects.annotations_of(service)
    assert mark == (labels.POD_TEMPLATE_HASH in service["spec"]["selector"])
    return mark


def test_a_service_in_use_is_left_alone() -> None:
    world = routed()
    world.settle()
    look(world, "stable")
    assert marked(world, "stable")


def test_the_service_of_a_deleted_rollout_selects_by_its_own_labels_again() -> None:
    world = routed()
    world.settle()
    del world.api.objects[(objects.ROLLOUTS, KEY.name)]
    look(world, "stable")
    assert not marked(world, "stable")
    assert world.api.objects[(objects.SERVICES, "stable")]["spec"]["selector"] == {"app": "web"}


def test_a_service_that_the_rollout_names_no_more_is_given_back() -> None:
    world = routed()
    world.settle()
    world.spec(strategy={"canary": {"stableService": "other"}})
    look(world, "stable")
    assert not marked(world, "stable")


def test_a_rollout_of_another_instance_is_asked_for_live() -> None:
    world = routed()
    world.settle()
    rollout = world.api.objects[(objects.ROLLOUTS, KEY.name)]

    class OthersRollout(type(world.cache)):  # type: ignore[misc]
        def get(self, resource: object, namespace: str, name: str) -> object:
            return None if resource == objects.ROLLOUTS else super().get(resource, namespace, name)

    world.cache.__class__ = OthersRollout
    look(world, "stable")
    assert rollout is not None
    assert marked(world, "stable")
