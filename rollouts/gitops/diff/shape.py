"""The shape of a desired object: which fields it names, without their values. Pure.

It is left on the object by every apply. When a commit stops naming a field, values alone would not show it;
the shape does, and the next server-side apply removes the field. It holds no value, so it tells no secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from rollouts.gitops.diff.lists import item_key
from rollouts.kube.objects import Manifest, ReadOnly, annotations_of

APPLIED_SHAPE = "rollouts.dev/applied-shape"


def shape_of(obj: ReadOnly) -> str:
    """Return a digest of the fields that an object names; the shape annotation itself does not count."""
    digest = hashlib.sha256()
    for line in sorted(_paths(_unmarked(obj), "")):
        digest.update(line.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:16]


def with_shape(obj: Manifest) -> Manifest:
    """Return the object with its shape noted on it."""
    meta = dict(obj.get("metadata") or {})
    meta["annotations"] = {**annotations_of(obj), APPLIED_SHAPE: shape_of(obj)}
    return {**obj, "metadata": meta}


def _unmarked(obj: ReadOnly) -> ReadOnly:
    notes = {key: value for key, value in annotations_of(obj).items() if key != APPLIED_SHAPE}
    meta = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "annotations"}
    return {**obj, "metadata": {**meta, "annotations": notes} if notes else meta}


def _paths(value: Any, path: str, field: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        yield path
        for key, item in value.items():
            yield from _paths(item, f"{path}.{key}", key)
    elif isinstance(value, list):
        yield f"{path}[{len(value)}]"
        for index, item in enumerate(value):
            key = item_key(field, item)
            yield from _paths(item, f"{path}[{index if key is None else key}]")
    else:
        yield path
