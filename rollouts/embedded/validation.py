"""Validation of built-in kinds: the rules that a controller or a person runs into. Pure.

It is not the whole of the real server's; what it checks it words the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rollouts.embedded.failures import Cause
from rollouts.embedded.selectors import by_selector

Validator = Callable[[Mapping[str, Any], Mapping[str, Any] | None], list[Cause]]

NAME_RULES: Mapping[str, str] = {
    "Namespace": "label",
    "Service": "service",
    "Role": "path",
    "RoleBinding": "path",
    "ClusterRole": "path",
    "ClusterRoleBinding": "path",
}


def validate(kind: str, obj: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[Cause]:
    """Return what is wrong with an object (``old`` is the stored one on update)."""
    validator = _BY_KIND.get(kind)
    return validator(obj, old) if validator else []


def _required(field: str, why: str = "") -> Cause:
    return Cause(field, f"Required value{': ' + why if why else ''}", "FieldValueRequired")


def _immutable(field: str, value: Any) -> Cause:
    return Cause(field, f"Invalid value: {value}: field is immutable")


def _pod_spec(spec: Any, field: str) -> list[Cause]:
    if not isinstance(spec, Mapping) or not spec.get("containers"):
        return [_required(f"{field}.containers")]
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, container in enumerate(spec["containers"]):
        where = f"{field}.containers[{index}]"
        if not isinstance(container, Mapping):
            causes.append(Cause(where, "Invalid value: must be an object"))
            continue
        for name in ("name", "image"):
            if not container.get(name):
                causes.append(_required(f"{where}.{name}"))
        if container.get("name") in seen:
            why = f'Duplicate value: "{container["name"]}"'
            causes.append(Cause(f"{where}.name", why, "FieldValueDuplicate"))
        seen.add(str(container.get("name")))
    return causes


_MUTABLE_IN_PODS = (
    "activeDeadlineSeconds",
    "tolerations",
    "terminationGracePeriodSeconds",
    "schedulingGates",
)


def _pod(obj: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[Cause]:
    causes = _pod_spec(obj.get("spec"), "spec")
    if old is not None and not causes and _frozen(obj["spec"]) != _frozen(old["spec"]):
        why = (
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions "
            "to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it "
            "was previously negative)"
        )
        causes.append(Cause("spec", why, "FieldValueForbidden"))
    return causes


def _frozen(spec: Mapping[str, Any]) -> dict[str, Any]:
    out = {k: v for k, v in spec.items() if k not in _MUTABLE_IN_PODS}
    for name in ("containers", "initContainers"):
        if name in out:
            out[name] = [{k: v for k, v in c.items() if k != "image"} for c in out[name]]
    return out


def _workload(obj: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = _replicas(spec)
    selector = spec.get("selector")
    template = spec.get("template") or {}
    if not selector:
        causes.append(_required("spec.selector"))
    else:
        labels = (template.get("metadata") or {}).get("labels") or {}
        if not by_selector(selector)(labels):
            why = "Invalid value: `selector` does not match template `labels`"
            causes.append(Cause("spec.template.metadata.labels", why))
        if old is not None and old["spec"].get("selector") != selector:
            causes.append(_immutable("spec.selector", selector))
    return causes + _pod_spec(template.get("spec"), "spec.template.spec")


def _replicas(spec: Mapping[str, Any]) -> list[Cause]:
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        return [Cause("spec.replicas", why)]
    return []


def _job(obj: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    template = spec.get("template") or {}
    causes = _pod_spec(template.get("spec"), "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy not in ("OnFailure", "Never"):
        why = f'Unsupported value: "{policy}": supported values: "OnFailure", "Never"'
        causes.append(Cause("spec.template.spec.restartPolicy", f"{why}", "FieldValueNotSupported"))
    if old is not None:
        for name in ("selector", "template", "completions"):
            if old["spec"].get(name) != spec.get(name):
                causes.append(_immutable(f"spec.{name}", spec.get(name)))
    return causes


def _service(obj: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    ports: Sequence[Any] = spec.get("ports") or ()
    headless = spec.get("clusterIP") == "None" or spec.get("type") == "ExternalName"
    causes = [] if ports or headless else [_required("spec.ports")]
    for index, port in enumerate(ports):
        number = port.get("port") if isinstance(port, Mapping) else None
        if not isinstance(number, int) or not 1 <= number <= 65535:
            why = f"Invalid value: {number}: must be between 1 and 65535, inclusive"
            causes.append(Cause(f"spec.ports[{index}].port", why))
        elif len(ports) > 1 and not port.get("name"):
            causes.append(_required(f"spec.ports[{index}].name"))
    address = (old or {}).get("spec", {}).get("clusterIP")
    if address and spec.get("clusterIP") not in (address, None) and spec.get("type") != "ExternalName":
        causes.append(_immutable("spec.clusterIPs[0]", spec.get("clusterIP")))
    return causes


def _custom_resource_definition(obj: Mapping[str, Any], _old: Mapping[str, Any] | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    names = spec.get("names") or {}
    causes = [_required(f"spec.{name}") for name in ("group", "scope") if not spec.get(name)]
    causes += [_required(f"spec.names.{name}") for name in ("plural", "kind") if not names.get(name)]
    expected = f"{names.get('plural')}.{spec.get('group')}"
    if not causes and obj["metadata"].get("name") != expected:
        why = f'must be spec.names.plural+"."+spec.group: "{expected}"'
        causes.append(Cause("metadata.name", f'Invalid value: "{obj["metadata"].get("name")}": {why}'))
    versions: Sequence[Any] = spec.get("versions") or ()
    if not versions:
        causes.append(_required("spec.versions"))
    if versions and sum(bool(v.get("storage")) for v in versions) != 1:
        why = "must have exactly one version marked as storage version"
        causes.append(Cause("spec.versions", f"Invalid value: {why}"))
    for index, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            field = f"spec.versions[{index}].schema.openAPIV3Schema"
            causes.append(_required(field, "schemas are required"))
    return causes


def _lease(obj: Mapping[str, Any], _old: Mapping[str, Any] | None) -> list[Cause]:
    seconds = (obj.get("spec") or {}).get("leaseDurationSeconds")
    if isinstance(seconds, int) and seconds <= 0:
        return [Cause("spec.leaseDurationSeconds", f"Invalid value: {seconds}: must be greater than 0")]
    return []


_BY_KIND: Mapping[str, Validator] = {
    "Pod": _pod,
    "ReplicaSet": _workload,
    "Deployment": _workload,
    "Job": _job,
    "Service": _service,
    "CustomResourceDefinition": _custom_resource_definition,
    "Lease": _lease,
}
