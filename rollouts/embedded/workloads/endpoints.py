"""EndpointSlices (and the older Endpoints) for Services, from selectors and pod readiness.

Endpoints with the same resolved ports share a slice, as in the built-in controller, so pods that name
their ports differently, or listen on real ports of their own, each get the right one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from rollouts.clock import Clock
from rollouts.embedded.workloads.backend import LISTENS_ON
from rollouts.embedded.workloads.keyloop import KeyLoop
from rollouts.embedded.workloads.pods import is_ready, phase
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Cache, Change
from rollouts.kube.errors import AlreadyExists, NotFound
from rollouts.kube.objects import (
    ENDPOINT_SLICES,
    PODS,
    SERVICES,
    Key,
    Manifest,
    ReadOnly,
    Resource,
    annotations_of,
    is_deleting,
    key_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)

ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints")
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"

Ports = tuple[tuple[str, int, str], ...]
"""(name, number, protocol) of each Service port as one pod resolves it."""


def selected(service: ReadOnly, pods: Sequence[Manifest]) -> list[Manifest]:
    """Return the pods with an address that the Service's selector matches; none without a selector."""
    wanted: Mapping[str, str] = (service.get("spec") or {}).get("selector") or {}
    if not wanted:
        return []
    return [
        pod
        for pod in pods
        if wanted.items() <= labels_of(pod).items()
        and (pod.get("status") or {}).get("podIP")
        and phase(pod) not in ("Succeeded", "Failed")
    ]


def resolve_ports(service: ReadOnly, pod: ReadOnly) -> Ports:
    """Return the Service's ports at one pod: targetPort by number or by the container port's name."""
    real = annotations_of(pod).get(LISTENS_ON)
    resolved: list[tuple[str, int, str]] = []
    for port in (service.get("spec") or {}).get("ports") or ():
        number = int(real) if real else _target(port, pod)
        if number is not None:
            resolved.append((str(port.get("name", "")), number, str(port.get("protocol", "TCP"))))
    return tuple(resolved)


def _target(port: ReadOnly, pod: ReadOnly) -> int | None:
    target = port.get("targetPort") or port.get("port")
    if isinstance(target, int) or str(target).isdigit():
        return int(str(target))
    for container in (pod.get("spec") or {}).get("containers") or ():
        for declared in container.get("ports") or ():
            if declared.get("name") == target:
                return int(declared["containerPort"])
    return None


def wanted_slices(service: Manifest, pods: Sequence[Manifest]) -> dict[str, Manifest]:
    """Return the slices that a Service should have, by name."""
    publish_all = bool((service.get("spec") or {}).get("publishNotReadyAddresses"))
    groups: dict[Ports, list[Manifest]] = {}
    for pod in selected(service, pods):
        if ports := resolve_ports(service, pod):
            groups.setdefault(ports, []).append(_endpoint(pod, publish_all))
    slices = [_slice(service, ports, endpoints) for ports, endpoints in sorted(groups.items())]
    return {name_of(item): item for item in slices or [_slice(service, (), [])]}


def _endpoint(pod: ReadOnly, publish_all: bool) -> Manifest:
    serving = is_ready(pod)
    leaving = is_deleting(pod)
    ready = publish_all or (serving and not leaving)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": serving, "terminating": leaving},
        "nodeName": (pod.get("spec") or {}).get("nodeName", ""),
        "targetRef": {
            "kind": "Pod",
            "namespace": namespace_of(pod),
            "name": name_of(pod),
            "uid": uid_of(pod),
        },
    }


def _slice(service: Manifest, ports: Ports, endpoints: list[Manifest]) -> Manifest:
    digest = hashlib.sha256(repr(ports).encode()).hexdigest()[:5]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name_of(service)}-{digest}",
            "namespace": namespace_of(service),
            "labels": {**labels_of(service), SERVICE_NAME: name_of(service), MANAGED_BY: MANAGER},
            "ownerReferences": [owner_reference(service, SERVICES)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": name, "port": number, "protocol": proto} for name, number, proto in ports],
    }


def wanted_endpoints(service: Manifest, pods: Sequence[Manifest]) -> Manifest:
    """Return the Endpoints object that a Service should have."""
    subsets = []
    for item in wanted_slices(service, pods).values():
        ready = [_address(e) for e in item["endpoints"] if e["conditions"]["ready"]]
        waiting = [_address(e) for e in item["endpoints"] if not _is_up(e) and not _is_leaving(e)]
        named: Manifest = {}
        if ready:
            named["addresses"] = ready
        if waiting:
            named["notReadyAddresses"] = waiting
        if named:
            subsets.append({**named, "ports": item["ports"]})
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": name_of(service),
            "namespace": namespace_of(service),
            "labels": dict(labels_of(service)),
            "ownerReferences": [owner_reference(service, SERVICES)],
        },
        "subsets": subsets,
    }


def _is_up(endpoint: ReadOnly) -> bool:
    return bool(endpoint["conditions"]["ready"])


def _is_leaving(endpoint: ReadOnly) -> bool:
    return bool(endpoint["conditions"]["terminating"])


def _address(endpoint: ReadOnly) -> Manifest:
    return {
        "ip": endpoint["addresses"][0],
        "nodeName": endpoint["nodeName"],
        "targetRef": endpoint["targetRef"],
    }


class EndpointsController:
    """Keeps the slices and Endpoints of Services that have a selector."""

    def __init__(self, api: KubeApi, cache: Cache, clock: Clock) -> None:
        self._api = api
        self._cache = cache
        self._written: dict[Key, Manifest] = {}
        self.loop = KeyLoop("endpoints", self.reconcile, clock)
        cache.on_change(SERVICES, lambda change, old, new: self.loop.add(key_of(new or old or {})))
        cache.on_change(PODS, self._on_pod)
        cache.on_change(ENDPOINT_SLICES, self._on_slice)

    def _on_pod(self, change: Change, old: Manifest | None, new: Manifest | None) -> None:
        for pod in (old, new):
            if pod is None:
                continue
            for service in self._cache.list(SERVICES, namespace_of(pod)):
                wanted = (service.get("spec") or {}).get("selector") or {}
                if wanted and wanted.items() <= labels_of(pod).items():
                    self.loop.add(key_of(service))

    def _on_slice(self, change: Change, old: Manifest | None, new: Manifest | None) -> None:
        item = new or old or {}
        if labels_of(item).get(MANAGED_BY) == MANAGER:
            self.loop.add(Key(namespace_of(item), labels_of(item).get(SERVICE_NAME, "")))

    async def reconcile(self, key: Key) -> float | None:
        """Bring one Service's slices and Endpoints up to date."""
        service = self._cache.get(SERVICES, key.namespace, key.name)
        if service is None or is_deleting(service) or not (service.get("spec") or {}).get("selector"):
            self._written.pop(key, None)
            return None
        pods = self._cache.list(PODS, key.namespace)
        await self._write_slices(key, wanted_slices(service, pods))
        await self._write_endpoints(key, wanted_endpoints(service, pods))
        return None

    async def _write_slices(self, key: Key, wanted: Mapping[str, Manifest]) -> None:
        present = {
            name_of(s): s for s in self._cache.list(ENDPOINT_SLICES, key.namespace) if _belongs(s, key.name)
        }
        for name, item in wanted.items():
            if name not in present:
                await self._create_or_replace(ENDPOINT_SLICES, key.namespace, name, item)
            elif _body(present[name]) != _body(item):
                await self._update(ENDPOINT_SLICES, key.namespace, name, _body(item))
        for name in present.keys() - wanted.keys():
            try:
                await self._api.delete(ENDPOINT_SLICES, key.namespace, name, uid=uid_of(present[name]))
            except NotFound:
                continue

    async def _write_endpoints(self, key: Key, wanted: Manifest) -> None:
        if self._written.get(key) == wanted:
            return
        await self._create_or_replace(ENDPOINTS, key.namespace, key.name, wanted)
        self._written[key] = wanted

    async def _create_or_replace(self, resource: Resource, namespace: str, name: str, item: Manifest) -> None:
        try:
            await self._api.create(resource, namespace, item)
        except AlreadyExists:
            body = {"metadata": {"ownerReferences": metadata(item)["ownerReferences"]}, **_body(item)}
            await self._update(resource, namespace, name, body)

    async def _update(self, resource: Resource, namespace: str, name: str, body: Manifest) -> None:
        await self._api.patch(resource, namespace, name, body)


def _belongs(item: ReadOnly, service: str) -> bool:
    return labels_of(item).get(MANAGED_BY) == MANAGER and labels_of(item).get(SERVICE_NAME) == service


def _body(item: ReadOnly) -> dict[str, Any]:
    return {name: item[name] for name in ("endpoints", "ports", "subsets") if item.get(name) is not None}
