"""The gateway on real sockets: routes of an embedded cluster, pods that listen."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from rollouts.clock import SystemClock, SystemRandomness
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.embedded.gateway.controller import Gateway
from rollouts.embedded.gateway.definition import http_route_definition
from rollouts.embedded.gateway.load import LoadGenerator, shares
from rollouts.embedded.workloads.backend import PodAddress
from rollouts.embedded.workloads.listeners import Listener
from rollouts.kube.api import KubeApi
from rollouts.kube.objects import ENDPOINT_SLICES, HTTP_ROUTES, NAMESPACES, SERVICES, Manifest


@dataclass
class Shop:
    api: KubeApi
    gateway: Gateway
    session: aiohttp.ClientSession

    async def ask(self, path: str = "/", **headers: str) -> tuple[int, str]:
        """Return status and version of one answer."""
        async with self.session.get(self.gateway.address + path, headers=headers) as response:
            return response.status, response.headers.get("X-Version", "")

    async def route(self, *rules: Manifest) -> None:
        """Create or replace the route's rules, and wait until they are reported as in force."""
        body = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "shop"},
            "spec": {"parentRefs": [{"name": "gw"}], "rules": list(rules)},
        }
        made = await self.api.create(HTTP_ROUTES, "x", body)
        async with asyncio.timeout(30):
            while (await self._observed()) < made["metadata"]["generation"]:
                await asyncio.sleep(0.005)

    async def _observed(self) -> int:
        live = await self.api.get(HTTP_ROUTES, "x", "shop")
        parents = (live.get("status") or {}).get("parents") or [{"conditions": [{"observedGeneration": 0}]}]
        return min(c["observedGeneration"] for c in parents[0]["conditions"])


def pod(version: str) -> Manifest:
    env = [{"name": "VERSION", "value": version}, {"name": "LATENCY_MS", "value": "0.1"}]
    return {"metadata": {"name": version}, "spec": {"containers": [{"name": "c", "image": "x", "env": env}]}}


def slice_of(service: str, address: PodAddress) -> Manifest:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-1", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address.ip], "conditions": {"ready": True}}],
        "ports": [{"name": "", "port": address.port}],
    }


@asynccontextmanager
async def shop() -> AsyncIterator[Shop]:
    """Services v1 and v2 with one listener each, and ``empty`` without endpoints."""
    clock, randomness = SystemClock(), SystemRandomness()
    cluster = EmbeddedCluster(clock, randomness)
    api = cluster.api()
    cluster.install_crds([http_route_definition()])
    await api.create(NAMESPACES, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
    listeners = {version: Listener(pod(version), clock, randomness) for version in ("v1", "v2")}
    for name in (*listeners, "empty"):
        spec = {"ports": [{"port": 80}]}
        await api.create(
            SERVICES, "x", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
        )
    for name, listener in listeners.items():
        await api.create(ENDPOINT_SLICES, "x", slice_of(name, await listener.start()))
    gateway = Gateway(api, clock, randomness)
    stop, started = asyncio.Event(), asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as session:
            group.create_task(gateway.run(stop, started=started))
            await started.wait()
            yield Shop(api, gateway, session)
            stop.set()
    finally:
        for listener in listeners.values():
            await listener.stop()
        await cluster.close()


def to(*refs: tuple[str, int], **more) -> Manifest:
    return {"backendRefs": [{"name": name, "port": 80, "weight": weight} for name, weight in refs], **more}


async def test_requests_are_split_by_the_weights():
    async with shop() as running:
        await running.route(to(("v1", 80), ("v2", 20)))
        seen = Counter([await running.ask() for _ in range(50)])
        assert seen == {(200, "v1"): 40, (200, "v2"): 10}


async def test_a_missing_backend_costs_its_share_500_and_an_empty_one_503():
    async with shop() as running:
        await running.route(to(("v1", 2), ("gone", 1), ("empty", 1)))
        seen = Counter([await running.ask() for _ in range(8)])
        assert seen == {(200, "v1"): 4, (500, ""): 2, (503, ""): 2}


async def test_no_rule_is_404_and_no_weight_is_500():
    async with shop() as running:
        assert await running.ask() == (404, "")
        await running.route(to(("v1", 0), ("v2", 0)))
        assert await running.ask() == (500, "")


async def test_a_header_match_reaches_its_backend():
    async with shop() as running:
        match = {
            "path": {"type": "PathPrefix", "value": "/"},
            "headers": [{"name": "X-Canary", "value": "1"}],
        }
        await running.route(to(("v1", 1)), to(("v2", 1), matches=[match]))
        assert await running.ask() == (200, "v1")
        assert await running.ask(**{"x-canary": "1"}) == (200, "v2")


async def test_a_mirror_gets_copies_and_answers_nothing():
    async with shop() as running:
        mirror = {
            "type": "RequestMirror",
            "requestMirror": {"backendRef": {"name": "v2", "port": 80}, "percent": 50},
        }
        await running.route(to(("v1", 1), filters=[mirror]))
        assert {await running.ask() for _ in range(10)} == {(200, "v1")}
        ((address, port),) = running.gateway.proxy.routing.endpoints[("x", "v2", 80)]
        async with asyncio.timeout(30):
            while True:
                async with running.session.get(f"http://{address}:{port}/metrics") as response:
                    text = await response.text()
                if 'http_requests_total{code="200"} 5.0' in text:
                    break
                await asyncio.sleep(0.005)


async def test_response_headers_are_edited():
    async with shop() as running:
        change = {
            "type": "ResponseHeaderModifier",
            "responseHeaderModifier": {"set": [{"name": "X-Version", "value": "hidden"}]},
        }
        await running.route(to(("v1", 1), filters=[change]))
        assert await running.ask() == (200, "hidden")


async def test_the_load_generator_counts_by_version_and_code():
    async with shop() as running:
        await running.route(to(("v1", 1), ("v2", 1)))
        load = LoadGenerator(running.gateway.address, SystemClock(), rate=500)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group, asyncio.timeout(30):
            group.create_task(load.run(stop))
            while sum(load.totals.values()) < 40:
                await asyncio.sleep(0.005)
            stop.set()
        assert set(load.totals) == {("v1", 200), ("v2", 200)}
        assert 0.4 <= shares(load.recent())["v1"] <= 0.6
