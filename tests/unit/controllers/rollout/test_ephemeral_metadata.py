"""Labels that pods carry only while their version plays a role."""

from __future__ import annotations

from typing import Any

from rollouts.kube import objects
from rollouts.kube.api import Listing
from rollouts.kube.objects import Manifest
from tests.unit.controllers.rollout.world import MemoryApi, World, basic


class ApiWithPods(MemoryApi):
    async def list(self, resource: Any, namespace: str | None = None, **options: Any) -> Listing:
        found = [obj for (kind, _), obj in self.objects.items() if kind == resource]
        return Listing(found, str(self.version))


def with_pods(world: World) -> World:
    world.api.__class__ = ApiWithPods
    return world


def template_labels(world: World, tag: str) -> Manifest:
    for rs in world.cache.list(objects.REPLICASETS):
        if rs["spec"]["template"]["spec"]["containers"][0]["image"].endswith(tag):
            found: Manifest = rs["spec"]["template"]["metadata"]["labels"]
            return found
    raise AssertionError(tag)


def test_roles_follow_the_update() -> None:
    world = with_pods(
        basic(
            [{"setWeight": 25}, {"pause": {}}],
            canaryMetadata={"labels": {"role": "canary"}, "annotations": {"since": "now"}},
            stableMetadata={"labels": {"role": "stable"}},
        )
    )
    world.settle()
    assert template_labels(world, "v1")["role"] == "stable"
    world.deploy("web:v2")
    world.settle()
    assert template_labels(world, "v2")["role"] == "canary"
    owner = next(rs for rs in world.cache.list(objects.REPLICASETS) if rs["spec"]["replicas"] == 1)
    reference = {"kind": "ReplicaSet", "uid": objects.uid_of(owner), "name": "x", "controller": True}
    pod = {"metadata": {"name": "p", "ownerReferences": [reference], "labels": {"role": "canary"}}}
    world.api.put(objects.PODS, pod)
    world.user(pauseConditions=None)
    world.settle()
    assert world.phase == "Healthy"
    assert template_labels(world, "v2")["role"] == "stable"
    live = world.api.objects[(objects.PODS, "p")]["metadata"]
    assert live["labels"]["role"] == "stable"
    assert "since" not in live.get("annotations", {})


def test_injected_labels_do_not_change_the_version() -> None:
    world = with_pods(basic(canaryMetadata={"labels": {"role": "canary"}}))
    world.settle()
    assert len(world.sizes()) == 1
    assert world.snapshot().new is not None
