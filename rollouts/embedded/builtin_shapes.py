"""Shapes of the built-in kinds: list-map keys and merge keys as the Kubernetes API reference states them."""

from __future__ import annotations

from collections.abc import Mapping

from rollouts.embedded.shapes import ATOMIC, MAP, METADATA, STRUCT, Shape, fields, list_map

_CONDITIONS = list_map("type")
_MERGED_PRIMITIVES = Shape(merge_key="")

_CONTAINER = fields(
    ports=list_map("containerPort", "protocol", defaults={"protocol": "TCP"}),
    env=list_map(
        "name",
        items=fields(
            valueFrom=fields(
                configMapKeyRef=ATOMIC, secretKeyRef=ATOMIC, fieldRef=ATOMIC, resourceFieldRef=ATOMIC
            )
        ),
    ),
    volumeMounts=list_map("mountPath"),
    volumeDevices=list_map("devicePath"),
    resources=fields(claims=list_map("name", merge_key=None), limits=MAP, requests=MAP),
)
_CONTAINERS = list_map("name", items=_CONTAINER)

_POD_SPEC = fields(
    containers=_CONTAINERS,
    initContainers=_CONTAINERS,
    ephemeralContainers=_CONTAINERS,
    volumes=list_map("name"),
    imagePullSecrets=list_map("name"),
    hostAliases=list_map("ip"),
    topologySpreadConstraints=list_map("topologyKey", "whenUnsatisfiable"),
    nodeSelector=ATOMIC,
    schedulingGates=list_map("name"),
    resourceClaims=list_map("name"),
)
_TEMPLATE = fields(metadata=METADATA, spec=_POD_SPEC)
_CONTAINER_STATUSES = Shape()


def _kind(spec: Shape = STRUCT, status: Shape = STRUCT, **others: Shape) -> Shape:
    return fields(metadata=METADATA, spec=spec, status=status, **others)


def _workload(**status: Shape) -> Shape:
    spec = fields(selector=ATOMIC, template=_TEMPLATE)
    return _kind(spec, fields(conditions=_CONDITIONS, **status))


SHAPES: Mapping[str, Shape] = {
    "Pod": _kind(
        _POD_SPEC,
        fields(
            conditions=_CONDITIONS,
            podIPs=list_map("ip"),
            hostIPs=Shape(merge_key="ip"),
            containerStatuses=_CONTAINER_STATUSES,
        ),
    ),
    "ReplicaSet": _workload(),
    "Deployment": _workload(),
    "Job": _kind(
        fields(selector=ATOMIC, template=_TEMPLATE),
        fields(conditions=Shape(merge_key="type")),
    ),
    "Service": _kind(
        fields(
            ports=list_map("port", "protocol", defaults={"protocol": "TCP"}),
            selector=ATOMIC,
        ),
        fields(conditions=_CONDITIONS),
    ),
    "Namespace": _kind(status=fields(conditions=_CONDITIONS)),
    "Node": _kind(
        fields(podCIDRs=Shape(is_set=True, merge_key=""), taints=Shape(merge_key=None)),
        fields(conditions=_CONDITIONS, addresses=list_map("type")),
    ),
    "ServiceAccount": _kind(secrets=list_map("name"), imagePullSecrets=Shape(merge_key="name")),
    "ConfigMap": _kind(data=MAP, binaryData=MAP),
    "Secret": _kind(data=MAP),
    "Event": _kind(involvedObject=ATOMIC),
    "Lease": _kind(),
    "Ingress": _kind(),
    "PodDisruptionBudget": _kind(fields(selector=ATOMIC), fields(conditions=_CONDITIONS)),
    "CustomResourceDefinition": _kind(status=fields(conditions=_CONDITIONS)),
    "EndpointSlice": _kind(),
}
GENERIC = _kind()


def shape_of(kind: str) -> Shape:
    """Return the shape of a built-in kind."""
    return SHAPES.get(kind, GENERIC)
