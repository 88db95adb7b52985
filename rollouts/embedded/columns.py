"""Table columns of the built-in kinds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollouts.embedded.printing import NONE, age, at, duration, joined, pairs
from rollouts.kube.objects import Manifest, parse_time

Obj = Mapping[str, Any]
Cell = Callable[[Obj, datetime], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``priority`` above 0 shows with ``-o wide`` only."""

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""

    def definition(self) -> Manifest:
        """Return the ``TableColumnDefinition``."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def _of(*path: str, otherwise: Any = NONE) -> Cell:
    def read(obj: Obj, _now: datetime) -> Any:
        value = at(obj, *path)
        return otherwise if value is None or value == "" else value

    return read


def _number(*path: str) -> Cell:
    return _of(*path, otherwise=0)


def _size(*path: str) -> Cell:
    return lambda obj, _now: len(at(obj, *path) or ())


def _age(obj: Obj, now: datetime) -> Any:
    return age(at(obj, "metadata", "creationTimestamp"), now)


NAME = Column("Name", _of("metadata", "name"), format="name")
AGE = Column("Age", _age)


def _pod_ready(obj: Obj, _now: datetime) -> str:
    statuses = at(obj, "status", "containerStatuses") or ()
    total = len(at(obj, "spec", "containers") or ())
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{total}"


def _pod_status(obj: Obj, _now: datetime) -> str:
    if at(obj, "metadata", "deletionTimestamp"):
        return "Terminating"
    for status in at(obj, "status", "containerStatuses") or ():
        for state in ("waiting", "terminated"):
            reason = at(status, "state", state, "reason")
            if reason:
                return str(reason)
    return str(at(obj, "status", "reason") or at(obj, "status", "phase") or "Unknown")


def _pod_restarts(obj: Obj, _now: datetime) -> str:
    return str(sum(int(s.get("restartCount", 0)) for s in at(obj, "status", "containerStatuses") or ()))


def _images(obj: Obj, _now: datetime) -> str:
    return joined(c.get("image", "") for c in at(obj, "spec", "template", "spec", "containers") or ())


def _containers(obj: Obj, _now: datetime) -> str:
    return joined(c.get("name", "") for c in at(obj, "spec", "template", "spec", "containers") or ())


def _match_labels(obj: Obj, _now: datetime) -> str:
    return pairs(at(obj, "spec", "selector", "matchLabels"))


def _service_selector(obj: Obj, _now: datetime) -> str:
    return pairs(at(obj, "spec", "selector"))


def _service_ports(obj: Obj, _now: datetime) -> str:
    def one(port: Obj) -> str:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}"

    return joined(map(one, at(obj, "spec", "ports") or ()))


def _deployment_ready(obj: Obj, _now: datetime) -> str:
    return f"{at(obj, 'status', 'readyReplicas') or 0}/{at(obj, 'spec', 'replicas') or 0}"


def _job_completions(obj: Obj, _now: datetime) -> str:
    wanted = at(obj, "spec", "completions") or 1
    return f"{at(obj, 'status', 'succeeded') or 0}/{wanted}"


def _job_status(obj: Obj, _now: datetime) -> str:
    conditions = at(obj, "status", "conditions") or ()
    true = {c.get("type") for c in conditions if c.get("status") == "True"}
    return next((name for name in ("Complete", "Failed", "Suspended") if name in true), "Running")


def _job_duration(obj: Obj, now: datetime) -> str:
    start = parse_time(at(obj, "status", "startTime"))
    end = parse_time(at(obj, "status", "completionTime")) or now
    return "" if start is None else duration((end - start).total_seconds())


def _node_status(obj: Obj, _now: datetime) -> str:
    conditions = at(obj, "status", "conditions") or ()
    ready = next((c.get("status") for c in conditions if c.get("type") == "Ready"), "")
    word = {"True": "Ready", "False": "NotReady"}.get(str(ready), "Unknown")
    return word + (",SchedulingDisabled" if at(obj, "spec", "unschedulable") else "")


def _slice_endpoints(obj: Obj, _now: datetime) -> str:
    return joined(a for e in obj.get("endpoints") or () for a in e.get("addresses") or ())


def _slice_ports(obj: Obj, _now: datetime) -> str:
    return joined(p.get("port") for p in obj.get("ports") or ())


def _event_seen(obj: Obj, now: datetime) -> str:
    last = obj.get("lastTimestamp") or obj.get("eventTime") or at(obj, "metadata", "creationTimestamp")
    return age(last, now)


def _event_object(obj: Obj, _now: datetime) -> str:
    involved = obj.get("involvedObject") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


def _ingress_hosts(obj: Obj, _now: datetime) -> str:
    return joined(rule.get("host", "*") for rule in at(obj, "spec", "rules") or ())


def _created(obj: Obj, _now: datetime) -> Any:
    return at(obj, "metadata", "creationTimestamp")


def _role_ref(obj: Obj, _now: datetime) -> str:
    return f"{at(obj, 'roleRef', 'kind')}/{at(obj, 'roleRef', 'name')}"


_WORKLOAD_WIDE = (
    Column("Containers", _containers, priority=1),
    Column("Images", _images, priority=1),
    Column("Selector", _match_labels, priority=1),
)

BUILTIN_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "Pod": (
        NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _pod_restarts),
        AGE,
        Column("IP", _of("status", "podIP"), priority=1),
        Column("Node", _of("spec", "nodeName"), priority=1),
        Column("Nominated Node", _of("status", "nominatedNodeName"), priority=1),
        Column("Readiness Gates", lambda _obj, _now: NONE, priority=1),
    ),
    "ReplicaSet": (
        NAME,
        Column("Desired", _number("spec", "replicas"), type="integer"),
        Column("Current", _number("status", "replicas"), type="integer"),
        Column("Ready", _number("status", "readyReplicas"), type="integer"),
        AGE,
        *_WORKLOAD_WIDE,
    ),
    "Deployment": (
        NAME,
        Column("Ready", _deployment_ready),
        Column("Up-to-date", _number("status", "updatedReplicas"), type="integer"),
        Column("Available", _number("status", "availableReplicas"), type="integer"),
        AGE,
        *_WORKLOAD_WIDE,
    ),
    "Service": (
        NAME,
        Column("Type", _of("spec", "type")),
        Column("Cluster-IP", _of("spec", "clusterIP")),
        Column("External-IP", _of("spec", "externalName")),
        Column("Port(s)", _service_ports),
        AGE,
        Column("Selector", _service_selector, priority=1),
    ),
    "Job": (
        NAME,
        Column("Status", _job_status),
        Column("Completions", _job_completions),
        Column("Duration", _job_duration),
        AGE,
        *_WORKLOAD_WIDE,
    ),
    "Node": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", lambda _obj, _now: NONE),
        AGE,
        Column("Version", _of("status", "nodeInfo", "kubeletVersion", otherwise="")),
    ),
    "Namespace": (NAME, Column("Status", _of("status", "phase")), AGE),
    "ConfigMap": (NAME, Column("Data", _size("data"), type="integer"), AGE),
    "Secret": (NAME, Column("Type", _of("type")), Column("Data", _size("data"), type="integer"), AGE),
    "ServiceAccount": (NAME, AGE),
    "Event": (
        Column("Last Seen", _event_seen),
        Column("Type", _of("type")),
        Column("Reason", _of("reason")),
        Column("Object", _event_object),
        Column("Message", _of("message")),
        Column("Name", _of("metadata", "name"), format="name", priority=1),
    ),
    "EndpointSlice": (
        NAME,
        Column("AddressType", _of("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_endpoints),
        AGE,
    ),
    "Lease": (NAME, Column("Holder", _of("spec", "holderIdentity", otherwise="")), AGE),
    "Ingress": (
        NAME,
        Column("Class", _of("spec", "ingressClassName")),
        Column("Hosts", _ingress_hosts),
        Column("Address", lambda _obj, _now: ""),
        Column("Ports", lambda _obj, _now: "80"),
        AGE,
    ),
    "PodDisruptionBudget": (
        NAME,
        Column("Min Available", _of("spec", "minAvailable", otherwise="N/A")),
        Column("Max Unavailable", _of("spec", "maxUnavailable", otherwise="N/A")),
        Column("Allowed Disruptions", _number("status", "disruptionsAllowed"), type="integer"),
        AGE,
    ),
    "CustomResourceDefinition": (NAME, Column("Created At", _created)),
    "Role": (NAME, Column("Created At", _created)),
    "ClusterRole": (NAME, Column("Created At", _created)),
    "RoleBinding": (NAME, Column("Role", _role_ref), AGE),
    "ClusterRoleBinding": (NAME, Column("Role", _role_ref), AGE),
}
