"""Schema of the parts of a pod template on which merging and defaults depend; the rest is free-form. Pure.

Lists with keys merge item by item under server-side apply, as they do with the upstream CRDs, and the one
default (``protocol: TCP``) keeps stored templates, and so their hashes, the same with either.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_STRING: Schema = {"type": "string"}
_STRINGS: Schema = {"type": "object", "additionalProperties": _STRING}
PRESERVE = "x-kubernetes-preserve-unknown-fields"


def _object(description: str = "", /, **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", PRESERVE: True}
    if description:
        schema["description"] = description
    if properties:
        schema["properties"] = properties
    return schema


def _keyed(item: Schema, *keys: str) -> Schema:
    required = [key for key in keys if "default" not in item["properties"][key]]
    return {
        "type": "array",
        "items": {**item, "required": required},
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
    }


def _atomic(schema: Schema) -> Schema:
    return {**schema, "x-kubernetes-map-type": "atomic"}


def _named(description: str = "") -> Schema:
    return _keyed(_object(description, name=_STRING), "name")


def _containers(description: str) -> Schema:
    port = _object(
        containerPort={"type": "integer"}, protocol={"type": "string", "default": "TCP"}, name=_STRING
    )
    container = _object(
        name=_STRING,
        image=_STRING,
        env=_keyed(_object(name=_STRING, value=_STRING), "name"),
        ports=_keyed(port, "containerPort", "protocol"),
        volumeMounts=_keyed(_object(mountPath=_STRING, name=_STRING), "mountPath"),
        volumeDevices=_keyed(_object(devicePath=_STRING, name=_STRING), "devicePath"),
        resources=_object(claims=_named()),
    )
    return {**_keyed(container, "name"), "description": description}


def _pod_spec() -> Schema:
    return _object(
        "The pod, with every field of Kubernetes' PodSpec.",
        containers=_containers("Containers that run side by side."),
        initContainers=_containers("Containers that run one after the other before the rest."),
        ephemeralContainers=_containers("Containers for looking into a running pod."),
        hostAliases=_keyed(_object(ip=_STRING), "ip"),
        imagePullSecrets=_keyed(_atomic(_object(name={"type": "string", "default": ""})), "name"),
        nodeSelector=_atomic(_STRINGS),
        resourceClaims=_named(),
        schedulingGates=_named(),
        topologySpreadConstraints=_keyed(
            _object(topologyKey=_STRING, whenUnsatisfiable=_STRING), "topologyKey", "whenUnsatisfiable"
        ),
    )


POD_TEMPLATE: Schema = _object(
    "The pods to run, as the template of a Deployment.",
    metadata=_object("Labels and annotations of the pods.", labels=_STRINGS, annotations=_STRINGS),
    spec=_pod_spec(),
)
"""A ``PodTemplateSpec``."""
