"""What must hold for a pod template before a ReplicaSet is made of it. Pure.

This is the part of the API server's own validation that people trip over most; the API server has the last
word when the ReplicaSet is created. Quantities are not checked: a live Rollout with a wrong one still works.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rollouts.api.fielderrors import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_LABEL_MESSAGE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_MAX_LABEL = 63
_MAX_PORT = 65535


def validate_pod_template(template: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Yield what is wrong with a pod template for a ReplicaSet."""
    spec = template.get("spec") or {}
    if not isinstance(spec, Mapping):
        yield invalid(f"{path}.spec", None, "an object was wanted")
        return
    volumes = _list(spec, "volumes")
    yield from _unique_names(volumes, f"{path}.spec.volumes")
    names = {str(v.get("name")) for v in volumes}
    if not _list(spec, "containers"):
        yield required(f"{path}.spec.containers")
    seen: set[str] = set()
    for field in ("containers", "initContainers"):
        for index, container in enumerate(_list(spec, field)):
            yield from _container(container, names, seen, f"{path}.spec.{field}[{index}]")
    if spec.get("restartPolicy") not in (None, "", "Always"):
        yield not_supported(f"{path}.spec.restartPolicy", spec["restartPolicy"], ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        yield forbidden(
            f"{path}.spec.activeDeadlineSeconds", "activeDeadlineSeconds in ReplicaSet is not Supported"
        )


def _list(spec: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    value = spec.get(field) or ()
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _unique_names(items: list[Mapping[str, Any]], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = str(item.get("name") or "")
        yield from _name(name, seen, f"{path}[{index}].name")


def _name(name: str, seen: set[str], path: str) -> Iterator[FieldError]:
    if not name:
        yield required(path)
    elif len(name) > _MAX_LABEL or not _LABEL.fullmatch(name):
        yield invalid(path, name, _LABEL_MESSAGE)
    elif name in seen:
        yield duplicate(path, name)
    seen.add(name)


def _container(
    container: Mapping[str, Any], volumes: set[str], seen: set[str], path: str
) -> Iterator[FieldError]:
    yield from _name(str(container.get("name") or ""), seen, f"{path}.name")
    if not container.get("image"):
        yield required(f"{path}.image")
    for index, port in enumerate(_list(container, "ports")):
        number = port.get("containerPort")
        if not isinstance(number, int) or not 0 < number <= _MAX_PORT:
            yield invalid(
                f"{path}.ports[{index}].containerPort", number, "must be between 1 and 65535, inclusive"
            )
    for index, mount in enumerate(_list(container, "volumeMounts")):
        where = f"{path}.volumeMounts[{index}]"
        if not mount.get("name"):
            yield required(f"{where}.name")
        elif mount["name"] not in volumes:
            yield not_found(f"{where}.name", mount["name"])
        if not mount.get("mountPath"):
            yield required(f"{where}.mountPath")
