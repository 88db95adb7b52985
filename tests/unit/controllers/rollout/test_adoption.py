"""A Rollout that was deleted without its ReplicaSets, and is created anew."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.kube import objects
from tests.unit.controllers.rollout.world import KEY, World, basic


def created_anew(*, owners: list[dict[str, Any]]) -> World:
    """Let a Rollout take the place of one that left a ReplicaSet with the owners given."""
    world = basic()
    world.settle()
    before = world.api.objects.pop((objects.ROLLOUTS, KEY.name))
    (rs,) = world.cache.list(objects.REPLICASETS)
    world.api.change(objects.REPLICASETS, objects.name_of(rs), {"metadata": {"ownerReferences": owners}})
    world.api.put(objects.ROLLOUTS, {"metadata": {"name": KEY.name}, "spec": before["spec"]})
    world.api.writes.clear()
    return world


def test_replica_sets_left_behind_are_adopted_and_keep_their_pods() -> None:
    world = created_anew(owners=[{"kind": "Backup", "uid": "other"}])
    (rs,) = world.cache.list(objects.REPLICASETS)
    world.settle()
    (kept,) = world.cache.list(objects.REPLICASETS)
    assert objects.uid_of(kept) == objects.uid_of(rs)
    owner = objects.controller_owner(kept)
    assert owner is not None
    assert owner["uid"] == objects.uid_of(world.rollout)
    assert {"kind": "Backup", "uid": "other"} in kept["metadata"]["ownerReferences"]
    assert world.phase == "Healthy"
    assert "create ReplicaSet" not in " ".join(world.api.writes)


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"ownerReferences": [{"kind": "Deployment", "uid": "d", "controller": True}]}},
        {"metadata": {"labels": {"app": "other"}}},
        {"metadata": {"labels": {"rollouts-pod-template-hash": None}}},
        {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
        {"metadata": {"annotations": {"experiment.argoproj.io/name": "exp"}}},
    ],
    ids=["of a Deployment", "of other pods", "never of a Rollout", "going", "of an Experiment"],
)
def test_other_replica_sets_are_left_alone(change: dict[str, Any]) -> None:
    world = created_anew(owners=[])
    (rs,) = world.cache.list(objects.REPLICASETS)
    world.api.change(objects.REPLICASETS, objects.name_of(rs), change)
    assert world.snapshot().orphans == ()


def test_one_that_lost_its_owner_in_the_middle_of_an_update_is_adopted_again() -> None:
    world = basic([{"setWeight": 25}, {"pause": {}}])
    world.settle()
    world.deploy("web:v2")
    world.settle()
    before = world.sizes()
    stable = f"web-{world.hash('v1')}"
    world.api.change(objects.REPLICASETS, stable, {"metadata": {"ownerReferences": []}})
    world.settle()
    assert world.sizes() == before
    assert (world.phase, world.status["stableRS"]) == ("Paused", world.hash("v1"))
    owner = objects.controller_owner(world.api.objects[(objects.REPLICASETS, stable)]) or {}
    assert owner.get("uid") == objects.uid_of(world.rollout)


def test_one_that_no_longer_matches_stays_owned() -> None:
    world = basic()
    world.settle()
    (rs,) = world.cache.list(objects.REPLICASETS)
    name = objects.name_of(rs)
    world.api.change(objects.REPLICASETS, name, {"metadata": {"labels": {"app": "other"}}})
    world.api.writes.clear()
    world.settle()
    owner = objects.controller_owner(world.api.objects[(objects.REPLICASETS, name)]) or {}
    assert owner.get("uid") == objects.uid_of(world.rollout)
    assert world.phase == "Healthy"
