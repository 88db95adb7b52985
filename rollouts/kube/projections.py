"""What is kept of an object in memory. Projections run right after decoding and never change their input.

A projection keeps apiVersion, kind and the metadata that identity, ownership and the own-writes gate need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rollouts.kube.objects import Manifest, Resource

Projection = Callable[[Manifest], Manifest]

_POD_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "labels",
    "annotations",
    "ownerReferences",
    "creationTimestamp",
    "deletionTimestamp",
)
_POD_STATUS = ("phase", "reason", "conditions", "podIP", "startTime")
_CONTAINER_STATUS = ("name", "ready", "started", "restartCount", "state", "lastState")


def typed(resource: Resource, obj: Manifest) -> Manifest:
    """Return the object with apiVersion and kind, which the items of a list may lack."""
    if "kind" in obj and "apiVersion" in obj:
        return obj
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def without_managed_fields(obj: Manifest) -> Manifest:
    """Return the object without metadata.managedFields: the default projection."""
    meta = obj.get("metadata")
    if not meta or "managedFields" not in meta:
        return obj
    return {**obj, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}


def whole(obj: Manifest) -> Manifest:
    """Return the object as it is, for those that need managedFields."""
    return obj


def pod(obj: Manifest) -> Manifest:
    """Return what readiness, crash loops and ownership need of a pod: a tenth of its size."""
    status = obj.get("status") or {}
    kept = _pick(status, _POD_STATUS)
    for field in ("containerStatuses", "initContainerStatuses"):
        if status.get(field):
            kept[field] = [_pick(container, _CONTAINER_STATUS) for container in status[field]]
    spec = _pick(obj.get("spec") or {}, ("nodeName", "readinessGates", "containers"))
    spec["containers"] = [_pick(container, ("name", "image")) for container in spec.get("containers") or ()]
    return {
        "apiVersion": obj.get("apiVersion", "v1"),
        "kind": obj.get("kind", "Pod"),
        "metadata": _pick(obj.get("metadata") or {}, _POD_METADATA),
        "spec": spec,
        "status": kept,
    }


def _pick(source: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: source[field] for field in fields if field in source}
