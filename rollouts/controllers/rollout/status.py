"""The status as a patch: what changed between the observed and the decided one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollouts.kube.objects import Manifest


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> Manifest:
    """Return the JSON merge patch (RFC 7386) from ``before`` to ``after``; {} when nothing changed."""
    patch: Manifest = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            nested = merge_patch(old, value)
            if nested:
                patch[key] = nested
        elif key not in before or old != value:
            patch[key] = value
    return patch
