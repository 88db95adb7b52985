"""Labels and annotations that pods carry only while their version plays a role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollouts.api.argoproj import rollout as api
from rollouts.controllers.rollout.actions import DecoratePods
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.kube import objects
from rollouts.workloads import labels, replicaset
from rollouts.workloads.replicaset import ReplicaSet

Metadata = Mapping[str, Mapping[str, str]]
PARTS = ("labels", "annotations")


def follow_ephemeral_metadata(d: Draft) -> bool:
    """Give the pods of each version the metadata of its role, and take away that of the last one."""
    s = d.s
    for rs in {rs.name: rs for rs in (s.new, s.stable) if rs is not None}.values():
        _decorate(d, rs, metadata_of_role(d, is_stable=_is_stable(d, rs)))
    return False


def _is_stable(d: Draft, rs: ReplicaSet) -> bool:
    """Tell whether the version plays the stable (or active) role now."""
    s = d.s
    if s.blue_green is not None:
        active = s.service_hash(s.blue_green.active_service)
        return rs.hash == (active or s.status.stable_rs)
    return not s.status.stable_rs or rs.hash == s.status.stable_rs


def metadata_of_role(d: Draft, *, is_stable: bool) -> Metadata:
    """Return the metadata that the strategy gives to a role."""
    s = d.s
    if s.canary is not None:
        wanted = s.canary.stable_metadata if is_stable else s.canary.canary_metadata
    elif s.blue_green is not None:
        wanted = s.blue_green.active_metadata if is_stable else s.blue_green.preview_metadata
    else:
        wanted = None
    wanted = wanted or api.ObjectMetadata()
    return {"labels": wanted.labels, "annotations": wanted.annotations}


def _decorate(d: Draft, rs: ReplicaSet, wanted: Metadata) -> None:
    raw = objects.annotations_of(rs.manifest).get(labels.EPHEMERAL_METADATA, "")
    now = replicaset.parse_ephemeral(raw) if raw else {part: {} for part in PARTS}
    if {part: dict(now[part]) for part in PARTS} == {part: dict(wanted[part]) for part in PARTS}:
        return
    patch: dict[str, Any] = {}
    for part in PARTS:
        gone: dict[str, str | None] = {key: None for key in now[part] if key not in wanted[part]}
        changes = {**gone, **wanted[part]}
        if changes:
            patch[part] = changes
    d.do(
        DecoratePods(
            name=rs.name,
            uid=rs.uid,
            hash=rs.hash,
            metadata=patch,
            annotation=replicaset.format_ephemeral(wanted),
        )
    )
