"""Keeps the proxy's table in step with the cluster and reports on the routes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from rollouts.clock import Clock, Randomness
from rollouts.embedded.gateway.proxy import Endpoints, Proxy, Reach, Routing
from rollouts.embedded.gateway.status import parents
from rollouts.embedded.gateway.table import build
from rollouts.embedded.workloads.keyloop import KeyLoop
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Change
from rollouts.kube.informer import InformerCache
from rollouts.kube.objects import (
    ENDPOINT_SLICES,
    HTTP_ROUTES,
    SERVICES,
    Key,
    Manifest,
    ReadOnly,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    resource_version,
)

_SERVICE_NAME = "kubernetes.io/service-name"


def ready_endpoints(services: Iterable[ReadOnly], slices: Iterable[ReadOnly]) -> Endpoints:
    """Return the ready addresses behind each port of each Service."""
    by_service: dict[tuple[str, str], list[ReadOnly]] = {}
    for item in slices:
        by_service.setdefault((namespace_of(item), labels_of(item).get(_SERVICE_NAME, "")), []).append(item)
    found: dict[tuple[str, str, int], list[tuple[str, int]]] = {}
    for service in services:
        key = (namespace_of(service), name_of(service))
        for port in (service.get("spec") or {}).get("ports") or ():
            addresses = [a for s in by_service.get(key, ()) for a in _addresses(s, str(port.get("name", "")))]
            found[(*key, int(port["port"]))] = sorted(set(addresses))
    return found


def _addresses(item: ReadOnly, port_name: str) -> list[tuple[str, int]]:
    port = next((p for p in item.get("ports") or () if (p.get("name") or "") == port_name), None)
    if port is None:
        return []
    return [
        (address, int(port["port"]))
        for endpoint in item.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
    ]


class Gateway:
    """A proxy on loopback that follows the HTTPRoutes of a cluster."""

    def __init__(
        self, api: KubeApi, clock: Clock, randomness: Randomness, *, reach: Reach | None = None
    ) -> None:
        self.proxy = Proxy(reach=reach)
        self._api = api
        self._clock = clock
        self._cache = InformerCache(api, clock, randomness)
        self._stale = asyncio.Event()
        self._loop = KeyLoop("gateway", self._report, clock, workers=2)
        for resource in (HTTP_ROUTES, SERVICES, ENDPOINT_SLICES):
            self._cache.start(resource)
            self._cache.on_change(resource, self._on_change)

    @property
    def address(self) -> str:
        """Return the base URL, once started."""
        return self.proxy.address

    async def run(self, stop: asyncio.Event, *, port: int = 0, started: asyncio.Event | None = None) -> None:
        """Serve until ``stop`` is set."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._cache.run())]
            await self._cache.wait_synced()
            self._rebuild()
            tasks += [group.create_task(self._loop.run()), group.create_task(self._follow())]
            group.create_task(self.proxy.run(stop, port=port, started=started))
            await stop.wait()
            for task in tasks:
                task.cancel()

    def _on_change(self, change: Change, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and old is not None and _same_routing(old, new):
            return
        self._stale.set()

    async def _follow(self) -> None:
        """Rebuild once per burst of changes; only then report, so that "accepted" means "in force"."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            self._rebuild()

    def _rebuild(self) -> None:
        services, routes = self._cache.list(SERVICES), self._cache.list(HTTP_ROUTES)
        slices = self._cache.list(ENDPOINT_SLICES)
        table = build(routes, self._services())
        self.proxy.routing = Routing(table, ready_endpoints(services, slices))
        for route in routes:
            self._loop.add(key_of(route))

    def _services(self) -> Mapping[tuple[str, str], ReadOnly]:
        return {(namespace_of(s), name_of(s)): s for s in self._cache.list(SERVICES)}

    async def _report(self, key: Key) -> float | None:
        route = self._cache.get(HTTP_ROUTES, key.namespace, key.name)
        if route is None:
            return None
        wanted = parents(route, self._services(), self._clock.now())
        if wanted != ((route.get("status") or {}).get("parents") or []):
            body = {
                "metadata": {"resourceVersion": resource_version(route)},
                "status": {"parents": wanted},
            }
            await self._api.patch(HTTP_ROUTES, key.namespace, key.name, body, subresource="status")
        return None


def _same_routing(old: ReadOnly, new: ReadOnly) -> bool:
    parts = ("spec", "endpoints", "ports")
    return all(old.get(part) == new.get(part) for part in parts) and labels_of(old) == labels_of(new)
