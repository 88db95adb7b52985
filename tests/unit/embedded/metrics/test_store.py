"""The metrics store on real sockets: it finds pods, scrapes them and answers queries."""

import asyncio
from typing import Any

import aiohttp

from rollouts.clock import SystemClock, SystemRandomness
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.embedded.metrics.server import MetricsStore
from rollouts.embedded.workloads import KubeletTiming, WorkloadSimulator
from rollouts.embedded.workloads.listeners import ListeningPods
from rollouts.kube.objects import NAMESPACES, PODS

QUICK = KubeletTiming(start=(0.0, 0.001), stop=(0.0, 0.001))


async def query(session: aiohttp.ClientSession, url: str, text: str) -> list[dict[str, Any]]:
    async with session.post(f"{url}/api/v1/query", data={"query": text}) as response:
        assert response.status == 200
        return (await response.json())["data"]["result"]


async def test_a_pod_is_found_scraped_queried_and_forgotten_when_it_goes():
    clock, randomness = SystemClock(), SystemRandomness()
    cluster = EmbeddedCluster(clock, randomness)
    api = cluster.api()
    pods = ListeningPods(clock, randomness)
    simulator = WorkloadSimulator(api, clock, randomness, control_loops=False, pod_backend=pods, timing=QUICK)
    store = MetricsStore(api, clock, randomness, interval=0.02)
    await api.create(NAMESPACES, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web",
            "labels": {"app": "web", "rollouts-pod-template-hash": "abc"},
            "annotations": {"prometheus.io/scrape": "true"},
        },
        "spec": {"containers": [{"name": "c", "image": "web:1"}]},
    }
    await api.create(PODS, "x", pod)
    stop, started = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as session, asyncio.timeout(10):
        group.create_task(simulator.run(stop))
        group.create_task(store.run(stop, started=started))
        await started.wait()
        async with session.get(f"{store.address}/-/ready") as response:
            assert response.status == 200
        while not (up := await query(session, store.address, "up == 1")):
            await asyncio.sleep(0.01)
        assert up[0]["metric"]["rollouts_pod_template_hash"] == "abc"
        (requests,) = await query(session, store.address, 'sum(http_requests_total{pod="web"})')
        assert requests["value"][1] == "0"
        await api.delete(PODS, "x", "web")
        while await query(session, store.address, '{pod="web"}'):
            await asyncio.sleep(0.01)
        async with session.get(f"{store.address}/api/v1/query", params={"query": "a[1m:1s]"}) as response:
            assert response.status == 422
        stop.set()
    await pods.stop_all()
    await cluster.close()
