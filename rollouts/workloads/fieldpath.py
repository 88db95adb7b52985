"""One field of an object by its path, as arguments of analyses name it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.spec.errors import SpecError

_PATH_PART = re.compile(r"\.?([^.\[\]]+)|\[\s*(?:'([^']*)'|\"([^\"]*)\"|(\d+))\s*\]")

_KEYED = re.compile(r"metadata\.(labels|annotations)\[\s*(?:'([^']*)'|\"([^\"]*)\")\s*\]")
"""A label or annotation by its key, as the downward API names it."""


def field_value(manifest: Mapping[str, Any], path: str) -> str:
    """Return a field of an object as text, by a path like ``metadata.labels['app']`` or ``spec.replicas``.

    A label or annotation that is named by its key and not there is "", as in the downward API. Raises
    SpecError when the path cannot be read or leads nowhere.
    """
    keyed = _KEYED.fullmatch(path)
    if keyed is not None:
        kind, single, double = keyed.groups()
        held = (manifest.get("metadata") or {}).get(kind) or {}
        return str(held.get(single if single is not None else double, ""))
    value: Any = manifest
    position = 0
    while position < len(path):
        found = _PATH_PART.match(path, position)
        if found is None:
            raise SpecError("fieldRef.fieldPath", f"cannot read {path!r} from character {position + 1}")
        position = found.end()
        name, single, double, index = found.groups()
        value = _descend(value, index if index is not None else name or single or double or "", path)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise SpecError("fieldRef.fieldPath", f"{path!r} does not lead to a plain value")


def _descend(value: Any, name: str, path: str) -> Any:
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and name.isdigit()
        and int(name) < len(value)
    ):
        return value[int(name)]
    raise SpecError("fieldRef.fieldPath", f"the object has no {path!r}")
