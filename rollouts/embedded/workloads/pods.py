"""What every controller asks of a Pod, and label selectors. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rollouts.api.selectors import SelectorError, matches
from rollouts.kube.objects import Manifest, ReadOnly, is_deleting, labels_of, parse_time


def phase(pod: ReadOnly) -> str:
    """Return status.phase; a pod without status is Pending."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_active(pod: ReadOnly) -> bool:
    """Tell whether the pod counts as a replica: not finished and not being deleted."""
    return phase(pod) not in ("Succeeded", "Failed") and not is_deleting(pod)


def condition(obj: ReadOnly, kind: str) -> ReadOnly:
    """Return the status condition of a type, or {}."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), {})


def is_ready(pod: ReadOnly) -> bool:
    """Tell whether the Ready condition is True."""
    return condition(pod, "Ready").get("status") == "True"


def available_at(pod: ReadOnly, min_ready_seconds: int) -> datetime | None:
    """Return the moment at which a ready pod becomes available; None when it is not ready."""
    if not is_ready(pod):
        return None
    since = parse_time(condition(pod, "Ready").get("lastTransitionTime"))
    return since + timedelta(seconds=min_ready_seconds) if since else None


def from_template(template: ReadOnly) -> Manifest:
    """Return a Pod's labels, annotations, finalizers and spec from a pod template."""
    given: Mapping[str, Any] = template.get("metadata") or {}
    kept = {k: given[k] for k in ("labels", "annotations", "finalizers") if given.get(k)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": template.get("spec") or {}}


def selects(selector: ReadOnly | None, obj: ReadOnly) -> bool:
    """Tell whether a LabelSelector (matchLabels, matchExpressions) selects the object.

    A missing or empty selector selects nothing: a controller must never own everything by accident.
    """
    try:
        return bool(selector) and matches(selector or {}, labels_of(obj))
    except SelectorError:
        return False
