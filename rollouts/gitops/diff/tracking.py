"""Which Application an object belongs to, as Argo CD marks it. Pure."""

from __future__ import annotations

from typing import Literal

from rollouts.kube.objects import Manifest, ReadOnly, annotations_of, labels_of, name_of, namespace_of

TRACKING_ID = "argocd.argoproj.io/tracking-id"
INSTANCE_LABEL = "app.kubernetes.io/instance"

Method = Literal["annotation", "label", "annotation+label"]


def instance_name(app_namespace: str, app_name: str, control_namespace: str) -> str:
    """Return the name that tracking uses: qualified when the Application lives outside the control plane."""
    return app_name if app_namespace == control_namespace else f"{app_namespace}_{app_name}"


def group_of(obj: ReadOnly) -> str:
    """Return the API group of an object ("" is core)."""
    group, slash, _ = str(obj.get("apiVersion", "")).partition("/")
    return group if slash else ""


def tracking_id(instance: str, obj: ReadOnly) -> str:
    """Return the value of the tracking annotation for an object of an Application."""
    return f"{instance}:{group_of(obj)}/{obj.get('kind', '')}:{namespace_of(obj)}/{name_of(obj)}"


def owner_instance(obj: ReadOnly, method: Method = "annotation") -> str:
    """Return the Application that an object says it belongs to, "" when none.

    An annotation that describes another object was copied by somebody, and does not count.
    """
    if method == "label":
        return labels_of(obj).get(INSTANCE_LABEL, "")
    value = annotations_of(obj).get(TRACKING_ID, "")
    instance, _, rest = value.partition(":")
    kind, _, place = rest.partition(":")
    describes = f"{group_of(obj)}/{obj.get('kind', '')}" == kind
    own_place = f"{namespace_of(obj)}/{name_of(obj)}"
    # A cluster-scoped object carries the namespace that it was rendered for, or none.
    same = place == own_place or (not namespace_of(obj) and place.partition("/")[2] == name_of(obj))
    return instance if describes and same else ""


def mark(obj: Manifest, instance: str, method: Method = "annotation") -> Manifest:
    """Return the object marked as belonging to an Application."""
    meta = dict(obj.get("metadata") or {})
    if method != "label":
        meta["annotations"] = {**(meta.get("annotations") or {}), TRACKING_ID: tracking_id(instance, obj)}
    if method != "annotation":
        meta["labels"] = {**(meta.get("labels") or {}), INSTANCE_LABEL: instance[:63]}
    return {**obj, "metadata": meta}
