"""A ReplicaSet that is there already follows what the Rollout says beside its pod template."""

from __future__ import annotations

from typing import Any

from rollouts.kube import objects
from rollouts.kube.objects import Manifest
from rollouts.workloads import labels
from tests.unit.controllers.rollout.world import KEY, World, basic

STEPS: list[dict[str, Any]] = [{"setWeight": 25}, {"pause": {}}]
APART: dict[str, Any] = {"requiredDuringSchedulingIgnoredDuringExecution": {}}


def replica_set(world: World, tag: str) -> Manifest:
    name = f"{KEY.name}-{world.hash(tag)}"
    return world.api.objects[(objects.REPLICASETS, name)]


def avoided(world: World, tag: str) -> list[str]:
    """Return the hashes whose nodes a version's pods avoid."""
    affinity = replica_set(world, tag)["spec"]["template"]["spec"].get("affinity") or {}
    terms = (affinity.get("podAntiAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution", ())
    return [
        value for t in terms for rule in t["labelSelector"]["matchExpressions"] for value in rule["values"]
    ]


def annotate(world: World, **annotations: Any) -> None:
    world.api.change(objects.ROLLOUTS, KEY.name, {"metadata": {"annotations": annotations}})


def test_min_ready_seconds_reach_the_version_that_runs() -> None:
    world = basic()
    world.settle()
    world.spec(minReadySeconds=7)
    world.settle()
    assert replica_set(world, "v1")["spec"]["minReadySeconds"] == 7
    assert world.sizes() == {"v1": 4}


def test_annotations_reach_the_version_that_runs_and_not_the_one_before() -> None:
    world = basic()
    world.settle()
    world.deploy("web:v2")
    annotate(world, **{"kubernetes.io/change-cause": "a new version"})
    world.settle()
    annotate(world, **{"kubernetes.io/change-cause": "said better", labels.BAKE: "0s"})
    world.settle()
    noted = objects.annotations_of(replica_set(world, "v2"))
    assert noted["kubernetes.io/change-cause"] == "said better"
    assert labels.BAKE not in noted
    assert "kubernetes.io/change-cause" not in objects.annotations_of(replica_set(world, "v1"))


def test_a_version_that_comes_back_avoids_the_nodes_of_the_present_stable_one() -> None:
    world = basic(STEPS, antiAffinity=APART)
    world.settle()
    for image in ("web:v2", "web:v1"):
        world.deploy(image)
        world.settle()
        world.user(promoteFull=True)
        world.settle()
    assert avoided(world, "v2") == [world.hash("v1")]
    world.deploy("web:v3")
    world.settle()
    world.user(promoteFull=True)
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert avoided(world, "v2") == [world.hash("v3")]
    assert replica_set(world, "v2")["metadata"]["annotations"][labels.REVISION] == "5"
