"""What the ReplicaSet of the present version follows of the Rollout beside its pod template."""

from __future__ import annotations

from typing import Any

from rollouts.controllers.rollout.actions import PatchReplicaSet
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.kube import objects
from rollouts.workloads import antiaffinity, replicaset
from rollouts.workloads.replicaset import ReplicaSet

_NOBODY = (False, None)


def follow_rollout(d: Draft) -> bool:
    """Bring annotations, minReadySeconds and the distance to the stable version's nodes up to date."""
    new = d.s.new
    assert new is not None  # noqa: S101 - create_new_replica_set ran before
    if new.deleting:
        return False
    held = objects.annotations_of(new.manifest)
    notes = {k: v for k, v in replicaset.copied_annotations(d.s.manifest).items() if held.get(k) != v}
    spec: dict[str, Any] = {}
    wanted = d.s.spec.min_ready_seconds
    if int((new.manifest.get("spec") or {}).get("minReadySeconds") or 0) != wanted:
        spec["minReadySeconds"] = wanted
    affinity = _affinity(d, new)
    if affinity is not None:
        spec["template"] = {"spec": {"affinity": affinity}}
    if notes or spec:
        patch = PatchReplicaSet(
            name=new.name, uid=new.uid, hash=new.hash, before=new.desired, annotations=notes, spec=spec
        )
        d.do(patch)
    return False


def _affinity(d: Draft, new: ReplicaSet) -> objects.Manifest | None:
    """Return the affinity of a version that comes back beside another stable one, None for as it is."""
    needed, weight = _distance(d)
    stable = d.s.status.stable_rs
    pod_spec = (new.manifest["spec"].get("template") or {}).get("spec") or {}
    if not needed or stable == new.hash or stable in antiaffinity.avoided_hashes(pod_spec):
        return None
    clean = antiaffinity.without_anti_affinity(pod_spec)
    return antiaffinity.affinity_apart_from(clean, stable, weight, d.s.namespace)


def apart_from_stable(d: Draft, body: objects.Manifest) -> objects.Manifest:
    """Keep a new version's pods off the nodes of the stable ones where the strategy asks for it."""
    needed, weight = _distance(d)
    return antiaffinity.with_anti_affinity(body, d.s.status.stable_rs, weight) if needed else body


def _distance(d: Draft) -> tuple[bool, int | None]:
    """Return (is distance to the stable version wanted, how much: None where it is a must)."""
    strategy = d.s.canary or d.s.blue_green
    wanted = strategy.anti_affinity if strategy else None
    if wanted is None or not d.s.status.stable_rs:
        return _NOBODY
    if wanted.required_during_scheduling_ignored_during_execution is not None:
        return True, None
    preferred = wanted.preferred_during_scheduling_ignored_during_execution
    return _NOBODY if preferred is None else (True, preferred.weight)
