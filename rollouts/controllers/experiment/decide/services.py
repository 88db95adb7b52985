"""Services in front of an Experiment's versions, for those templates that ask for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollouts.api.argoproj.experiment import ExperimentTemplate
from rollouts.controllers.experiment.actions import CreateService, Event
from rollouts.controllers.experiment.decide.draft import Draft
from rollouts.controllers.experiment.decide.versions import marks
from rollouts.controllers.experiment.snapshot import COMPLETED, ExperimentSnapshot
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, ReadOnly
from rollouts.workloads.replicaset import ReplicaSet


def run_services(d: Draft) -> bool:
    """Create the Services that are missing and write their names, which are read anew every time."""
    s = d.s
    for template in s.spec.templates:
        name, entry = s.service_name(template), d.template(template.name)
        there = s.services.get(template.name)
        if there is not None:
            entry["serviceName"] = objects.name_of(there)
            continue
        entry.pop("serviceName", None)
        if not name or s.over or s.spec.terminate or name in s.refused or entry.get("status") in COMPLETED:
            continue
        rs = s.replica_sets.get(template.name)
        if not has_ports(template):
            if rs is None:
                text = f"Template '{template.name}' gets no Service: its containers name no ports"
                d.tell("NoServicePorts", text, "Warning")
            continue
        if rs is None:
            continue
        event = Event("ServiceCreated", f"Created Service {name} for template {template.name}")
        d.do(CreateService(body=build(s, template.name, name, rs), event=event))
        entry["serviceName"] = name
    return False


def has_ports(template: ExperimentTemplate) -> bool:
    """Tell whether there is anything that a Service could lead to."""
    return any(_ports((template.template or {}).get("spec") or {}))


def build(s: ExperimentSnapshot, template: str, name: str, rs: ReplicaSet) -> Manifest:
    """Return the manifest of a Service that selects exactly the ReplicaSet's pods, on all their ports."""
    spec = rs.manifest.get("spec") or {}
    pod = (spec.get("template") or {}).get("spec") or {}
    ports = list(_ports(pod))
    return {
        "apiVersion": objects.SERVICES.api_version,
        "kind": objects.SERVICES.kind,
        "metadata": {
            "name": name,
            "namespace": s.namespace,
            "annotations": marks(s, template),
            "ownerReferences": [objects.owner_reference(s.manifest, objects.EXPERIMENTS)],
        },
        "spec": {
            "selector": dict((spec.get("selector") or {}).get("matchLabels") or {}),
            "ports": [_named(port, len(ports)) for port in ports],
        },
    }


def _ports(pod: ReadOnly) -> Iterator[Mapping[str, Any]]:
    seen: set[tuple[int, str]] = set()
    for container in pod.get("containers") or ():
        for port in container.get("ports") or ():
            number, protocol = int(port.get("containerPort") or 0), str(port.get("protocol") or "TCP")
            if number and (number, protocol) not in seen:
                seen.add((number, protocol))
                yield {
                    **({"name": port["name"]} if port.get("name") else {}),
                    "port": number,
                    "protocol": protocol,
                }


def _named(port: Mapping[str, Any], count: int) -> Manifest:
    """Return a port with a name where there are several, as the API asks for."""
    number, protocol = port["port"], port["protocol"]
    fallback = {"name": f"{protocol.lower()}-{number}"} if count > 1 else {}
    return {**fallback, **port, "targetPort": number}
