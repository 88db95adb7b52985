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
    ],
    ids=["of a Deployment", "of other pods", "never of a Rollout", "going"],
)
def test_other_replica_sets_are_left_alone(change: dict[str, Any]) -> None:
    world = created_anew(owners=[])
    (rs,) = world.cache.list(objects.REPLICASETS)
    world.api.change(objects.REPLICASETS, objects.name_of(rs), change)
    assert world.snapshot().orphans == ()
