"""Defaults of built-in kinds, as the API reference states them. Pure: returns new objects.

Only what a reader of these objects can see and rely on: workloads and their pod templates, Services, Jobs,
Secrets, Namespaces, EndpointSlices and CustomResourceDefinitions.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from rollouts.kube.objects import Manifest

Defaulter = Callable[[Manifest], Manifest]


def apply_defaults(kind: str, obj: Manifest) -> Manifest:
    """Return ``obj`` with the defaults of its kind."""
    defaulter = _BY_KIND.get(kind)
    return defaulter(obj) if defaulter else obj


def _with(held: Mapping[str, Any] | None, **defaults: Any) -> Manifest:
    """Return ``held`` with the defaults that it lacks (null counts as lacking)."""
    out = {k: v for k, v in (held or {}).items() if v is not None}
    for name, value in defaults.items():
        out.setdefault(name, value)
    return out


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def pod_spec(spec: Any, *, pod: bool = False) -> Any:
    """Return a pod spec with its defaults; ``pod`` adds those that a template does not get."""
    if not _is_map(spec):
        return spec
    out = _with(
        spec,
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        terminationGracePeriodSeconds=30,
        securityContext={},
        schedulerName="default-scheduler",
    )
    if pod:
        out.setdefault("enableServiceLinks", True)
    if out.get("serviceAccountName"):
        out.setdefault("serviceAccount", out["serviceAccountName"])
    elif out.get("serviceAccount"):
        out["serviceAccountName"] = out["serviceAccount"]
    for name in ("containers", "initContainers"):
        if isinstance(out.get(name), list):
            out[name] = [_container(c, pod=pod) for c in out[name]]
    if isinstance(out.get("volumes"), list):
        out["volumes"] = [_volume(v) for v in out["volumes"]]
    return out


def _container(container: Any, *, pod: bool) -> Any:
    if not _is_map(container):
        return container
    image = str(container.get("image") or "")
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    pinned = "@" in image or (tag and tag != "latest")
    out = _with(
        container,
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy="IfNotPresent" if pinned else "Always",
        resources={},
    )
    if pod:
        out["resources"] = _resources(out["resources"])
    if isinstance(out.get("ports"), list):
        out["ports"] = [_with(p, protocol="TCP") if _is_map(p) else p for p in out["ports"]]
    if isinstance(out.get("env"), list):
        out["env"] = [_env(e) for e in out["env"]]
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if _is_map(out.get(name)):
            out[name] = _probe(out[name])
    return out


def _resources(resources: Any) -> Any:
    limits = resources.get("limits") if _is_map(resources) else None
    if not limits:
        return resources
    return {**resources, "requests": {**limits, **(resources.get("requests") or {})}}


def _env(entry: Any) -> Any:
    source = entry.get("valueFrom") if _is_map(entry) else None
    if not source or not _is_map(source.get("fieldRef")):
        return entry
    return {**entry, "valueFrom": {**source, "fieldRef": _with(source["fieldRef"], apiVersion="v1")}}


def _probe(probe: Mapping[str, Any]) -> Manifest:
    out = _with(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if _is_map(out.get("httpGet")):
        out["httpGet"] = _with(out["httpGet"], path="/", scheme="HTTP")
    return out


def _volume(volume: Any) -> Any:
    if not _is_map(volume):
        return volume
    out = dict(volume)
    for name in ("configMap", "secret", "projected", "downwardAPI"):
        if _is_map(out.get(name)):
            out[name] = _with(out[name], defaultMode=420)
    if set(out) <= {"name"}:
        out["emptyDir"] = {}
    return out


def _template(template: Any) -> Any:
    if not _is_map(template):
        return template
    return {**template, "spec": pod_spec(template.get("spec"))} if "spec" in template else template


def _pod(obj: Manifest) -> Manifest:
    spec = pod_spec(obj.get("spec"), pod=True)
    status = _with(obj.get("status"), phase="Pending")
    status.setdefault("qosClass", _quality(spec))
    return {**obj, "spec": spec, "status": status}


def _quality(spec: Any) -> str:
    resources = [c.get("resources") or {} for c in (spec or {}).get("containers") or () if _is_map(c)]
    if not any(r.get("limits") or r.get("requests") for r in resources):
        return "BestEffort"
    exact = all(
        set(r.get("limits") or ()) >= {"cpu", "memory"} and r.get("requests", r["limits"]) == r["limits"]
        for r in resources
    )
    return "Guaranteed" if exact else "Burstable"


def _workload_spec(obj: Manifest, **defaults: Any) -> Manifest:
    spec = _with(obj.get("spec"), **defaults)
    if "template" in spec:
        spec["template"] = _template(spec["template"])
    return {**obj, "spec": spec}


def _replica_set(obj: Manifest) -> Manifest:
    out = _workload_spec(obj, replicas=1)
    return out if "status" in out else {**out, "status": {"replicas": 0}}


def _deployment(obj: Manifest) -> Manifest:
    out = _workload_spec(obj, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = _with(out["spec"].get("strategy"), type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = _with(strategy.get("rollingUpdate"), maxUnavailable="25%", maxSurge="25%")
    out["spec"]["strategy"] = strategy
    return out if "status" in out else {**out, "status": {}}


def _job(obj: Manifest) -> Manifest:
    held = obj.get("spec") or {}
    single = "completions" not in held and "parallelism" not in held
    fixed: dict[str, Any] = {"completions": 1} if single else {}
    out = _workload_spec(
        obj,
        parallelism=1,
        backoffLimit=6,
        completionMode="NonIndexed",
        suspend=False,
        podReplacementPolicy="TerminatingOrFailed",
        manualSelector=False,
        **fixed,
    )
    spec = out["spec"]
    if spec["manualSelector"] is False and "manualSelector" not in held:
        del spec["manualSelector"]
    return out if "status" in out else {**out, "status": {}}


def job_identity(obj: Manifest) -> Manifest:
    """Return a Job with the selector and pod labels that are generated from its uid."""
    uid, name, spec = obj["metadata"]["uid"], obj["metadata"]["name"], dict(obj["spec"])
    if spec.get("manualSelector") or "selector" in spec:
        return obj
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    template = dict(spec.get("template") or {})
    meta = dict(template.get("metadata") or {})
    meta["labels"] = {**labels, **(meta.get("labels") or {})}
    template["metadata"] = meta
    spec["template"] = template
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    return {**obj, "spec": spec}


def _service(obj: Manifest) -> Manifest:
    spec = _with(obj.get("spec"), sessionAffinity="None", type="ClusterIP")
    if spec["type"] != "ExternalName":
        spec = _with(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    if isinstance(spec.get("ports"), list):
        spec["ports"] = [_service_port(p) for p in spec["ports"]]
    out = {**obj, "spec": spec}
    return out if "status" in out else {**out, "status": {"loadBalancer": {}}}


def _service_port(port: Any) -> Any:
    if not _is_map(port):
        return port
    return _with(port, protocol="TCP", targetPort=port.get("port"))


def _secret(obj: Manifest) -> Manifest:
    out = _with(obj, type="Opaque")
    plain = out.pop("stringData", None)
    if plain:
        encoded = {k: base64.b64encode(str(v).encode()).decode() for k, v in plain.items()}
        out["data"] = {**(out.get("data") or {}), **encoded}
    return out


def _namespace(obj: Manifest) -> Manifest:
    meta = dict(obj["metadata"])
    meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta.get("name", "")}
    return {
        **obj,
        "metadata": meta,
        "spec": _with(obj.get("spec"), finalizers=["kubernetes"]),
        "status": _with(obj.get("status"), phase="Active"),
    }


def _endpoint_slice(obj: Manifest) -> Manifest:
    ports = obj.get("ports")
    if not isinstance(ports, list):
        return obj
    return {**obj, "ports": [_with(p, name="", protocol="TCP") if _is_map(p) else p for p in ports]}


def _custom_resource_definition(obj: Manifest) -> Manifest:
    spec = _with(obj.get("spec"), conversion={"strategy": "None"})
    names = _with(spec.get("names"))
    if names.get("kind"):
        names.setdefault("singular", str(names["kind"]).lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec["names"] = names
    return {**obj, "spec": spec}


_BY_KIND: Mapping[str, Defaulter] = {
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "Deployment": _deployment,
    "Job": _job,
    "Service": _service,
    "Secret": _secret,
    "Namespace": _namespace,
    "EndpointSlice": _endpoint_slice,
    "CustomResourceDefinition": _custom_resource_definition,
}
