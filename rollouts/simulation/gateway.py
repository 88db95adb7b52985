"""Reports on HTTPRoutes as a gateway does, some time after they changed; no data plane."""

from __future__ import annotations

from collections.abc import Callable

from rollouts.clock import Clock, Randomness
from rollouts.embedded.gateway.status import parents
from rollouts.embedded.workloads.keyloop import KeyLoop
from rollouts.kube.api import KubeApi
from rollouts.kube.informer import InformerCache
from rollouts.kube.objects import (
    HTTP_ROUTES,
    SERVICES,
    Key,
    generation,
    key_of,
    name_of,
    namespace_of,
    resource_version,
)


class ReportingGateway:
    """Accepts each generation of a route after 50 to 250 ms, and ``late()`` more seconds."""

    def __init__(
        self, api: KubeApi, clock: Clock, randomness: Randomness, late: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._api = api
        self._clock = clock
        self._randomness = randomness
        self._late = late
        self._seen: dict[Key, int] = {}
        self.cache = InformerCache(api, clock, randomness)
        self.loop = KeyLoop("gateway", self._report, clock, workers=1)
        self.cache.start(HTTP_ROUTES)
        self.cache.start(SERVICES)
        self.cache.on_change(HTTP_ROUTES, lambda change, old, new: self.loop.add(key_of(new or old or {})))

    async def _report(self, key: Key) -> float | None:
        route = self.cache.get(HTTP_ROUTES, key.namespace, key.name)
        if route is None:
            return None
        if self._seen.get(key) != generation(route):
            self._seen[key] = generation(route)
            return self._randomness.uniform(0.05, 0.25) + self._late()
        services = {(namespace_of(s), name_of(s)): s for s in self.cache.list(SERVICES)}
        wanted = parents(route, services, self._clock.now())
        if wanted != ((route.get("status") or {}).get("parents") or []):
            body = {"metadata": {"resourceVersion": resource_version(route)}, "status": {"parents": wanted}}
            await self._api.patch(HTTP_ROUTES, key.namespace, key.name, body, subresource="status")
        return None
