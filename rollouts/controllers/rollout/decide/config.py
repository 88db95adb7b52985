"""The copies of ConfigMaps that a version mounts: there before its pods, and kept as long as it is. Pure."""

from __future__ import annotations

from rollouts.controllers.rollout.actions import CopyConfig, Event, OwnConfigCopy
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.workloads import configcopies, replicaset


def keep_config_copies(d: Draft) -> bool:
    """Make what the new version's ReplicaSet mounts, before it has pods, and let it be an owner.

    The plan ends at the first failure, so no pod starts before its config is there.
    """
    new, settles_at = d.s.new, d.s.config.settles_at
    if settles_at is not None:
        d.look_again(settles_at)
        d.wait("changed config to settle, so that several edits make one revision")
    if new is None or not d.s.config.copies:
        return False
    mounted = configcopies.references(replicaset.template_of(new))
    owner = configcopies.owner_of_copy(new.manifest)
    for copy in d.s.config.copies:
        if copy.name not in mounted:
            continue
        if copy.foreign or (not copy.version and not copy.digest):
            why = "another object has its name" if copy.foreign else "its content is in no ConfigMap any more"
            d.wait(f"ConfigMap {copy.name}, the copy of {copy.source} that {new.name} mounts: {why}")
        elif not copy.version:
            made = Event("ConfigCopied", f"Copied ConfigMap {copy.source} to {copy.name} for {new.name}")
            d.do(CopyConfig(name=copy.name, source=copy.source, digest=copy.digest, owner=owner, event=made))
        elif all(known.get("uid") != new.uid for known in copy.owners):
            owners = (*copy.owners, owner)
            d.do(OwnConfigCopy(name=copy.name, uid=copy.uid, version=copy.version, owners=owners))
    return False


def settling_phase(d: Draft, phase: str, message: str) -> tuple[str, str]:
    """Return the phase of a Rollout whose config has just changed, else the one given."""
    if d.s.config.settles_at is None or d.invalid or phase != "Healthy":
        return phase, message
    return "Progressing", "waiting for changed config to settle"
