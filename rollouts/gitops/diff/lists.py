"""Lists whose items have a key, in the built-in kinds. Pure.

Source: the patch merge keys and list-map keys of the Kubernetes API types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "secrets": ("name",),
    "webhooks": ("name",),
    "conditions": ("type",),
}
_DEFAULT_PROTOCOL = "TCP"


def item_key(field: str, item: Any) -> str | None:
    """Return the key of an item of the list named ``field``; None when the list has no keys."""
    if not isinstance(item, Mapping):
        return None
    if field == "ports":
        number = item.get("containerPort", item.get("port"))
        return None if number is None else f"{number}/{item.get('protocol') or _DEFAULT_PROTOCOL}"
    names = _KEYS.get(field)
    if names is None or any(item.get(name) is None for name in names):
        return None
    return "/".join(str(item[name]) for name in names)
