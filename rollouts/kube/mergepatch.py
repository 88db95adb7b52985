"""JSON merge patches (RFC 7386) between two states of an object. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollouts.kube.objects import Manifest


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> Manifest:
    """Return the patch that turns ``before`` into ``after``; {} when nothing changed. Lists go whole."""
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
