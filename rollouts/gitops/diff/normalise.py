"""A rendered manifest as it would be applied: what no cluster keeps is taken out. Pure."""

from __future__ import annotations

import base64
from typing import Any

from rollouts.api.fields import without_nulls
from rollouts.kube.objects import Manifest

_SERVER_METADATA = (
    *("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"),
    *("deletionTimestamp", "deletionGracePeriodSeconds"),
)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def normalised(manifest: Manifest, *, namespaced: bool, namespace: str) -> Manifest:
    """Return a copy without status, server metadata and nulls, in ``namespace`` if it names none.

    A Secret's stringData becomes data, as the API server does it.
    """
    obj: Manifest = without_nulls(manifest)
    obj.pop("status", None)
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in _SERVER_METADATA}
    if not namespaced:
        meta.pop("namespace", None)
    elif not meta.get("namespace") and namespace:
        meta["namespace"] = namespace
    for field in ("labels", "annotations"):
        if not meta.get(field):
            meta.pop(field, None)
    annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if k != LAST_APPLIED}
    if annotations:
        meta["annotations"] = annotations
    obj["metadata"] = meta
    return _secret(obj) if obj.get("apiVersion") == "v1" and obj.get("kind") == "Secret" else obj


def _secret(obj: Manifest) -> Manifest:
    data: dict[str, Any] = {k: _unwrapped(v) for k, v in (obj.get("data") or {}).items()}
    for key, value in (obj.pop("stringData", None) or {}).items():
        data[key] = base64.b64encode(str(value).encode()).decode()
    if data:
        obj["data"] = data
    return obj


def _unwrapped(value: Any) -> Any:
    return "".join(value.split()) if isinstance(value, str) else value
