"""Metrics and health over HTTP, and the composed process on an embedded cluster."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from prometheus_client import Gauge, generate_latest

from rollouts import app
from rollouts.clock import SystemClock, SystemRandomness
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.kube.objects import LEASES
from rollouts.runtime.gauges import GaugeFamily, ObjectGauges
from rollouts.runtime.metrics import RuntimeMetrics, new_registry
from rollouts.settings import Settings
from rollouts.web.health import Health, health_app
from rollouts.web.metrics import LINES_AT_ONCE, metrics_app
from rollouts.web.server import PortError, serving


async def get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def test_metrics_are_what_the_registry_has():
    registry = new_registry()
    metrics = RuntimeMetrics(registry)
    metrics.request("patch", LEASES, 200)
    metrics.reconciled("rollout", "ns", 0.2)
    metrics.failed("rollout", "ns")
    async with serving(metrics_app(registry, SystemClock()), "127.0.0.1", 0, "metrics_port") as port:
        status, text = await get(port, "/metrics")
    assert status == 200
    assert text == generate_latest(registry).decode()
    assert (
        'controller_clientset_k8s_request_total{kind="leases.coordination.k8s.io",name="N/A",namespace="N/A",'
        'status_code="200",verb="Patch"} 1.0' in text
    )
    assert 'rollout_reconcile_bucket{le="0.25",namespace="ns"} 1.0' in text
    assert 'rollout_reconcile_error{namespace="ns"} 1.0' in text
    assert "_created" not in text


async def test_a_large_family_is_written_in_pieces_that_make_the_same_text():
    turns = 0

    class Counting(SystemClock):
        async def sleep(self, seconds: float) -> None:
            nonlocal turns
            turns += 1
            await super().sleep(seconds)

    registry = new_registry()
    many = [{"metadata": {"name": f'r{i}\n"\\\\'}} for i in range(2 * LINES_AT_ONCE + 1)]
    family = GaugeFamily(
        "some_info", "Help\nover lines", ("name",), lambda o: [((o["metadata"]["name"],), 1)]
    )
    ObjectGauges(registry, lambda: many, [family])
    Gauge("no_samples", "None", ("name",), registry=registry)
    async with serving(metrics_app(registry, Counting()), "127.0.0.1", 0, "metrics_port") as port:
        _, text = await get(port, "/metrics")
    assert text == generate_latest(registry).decode()
    assert text.count("# TYPE some_info gauge") == 1
    assert turns == 5


async def test_a_port_in_use_is_named_with_its_setting():
    async with serving(web.Application(), "127.0.0.1", 0, "metrics_port") as port:
        with pytest.raises(PortError, match=rf"127.0.0.1:{port}.*choose another healthz_port"):
            async with serving(web.Application(), "127.0.0.1", port, "healthz_port"):
                pass


class StillClock:
    def monotonic(self) -> float:
        return 1000.0


@pytest.mark.parametrize(
    ("ready", "lag", "held", "deadline", "alive", "readable", "text"),
    [
        (True, 0.1, True, 1010.0, 200, 200, "ok"),
        (False, 0.1, False, float("-inf"), 200, 503, "not all listed"),
        (True, 11.0, True, 1010.0, 503, 503, "blocked for 11.0 s"),
        (True, 0.1, True, 970.0, 503, 503, "ended 30 s ago"),
        (True, 0.1, True, 990.0, 200, 200, "ok"),
    ],
    ids=["well", "not listed", "blocked loop", "stuck election", "lease just ended"],
)
async def test_health_tells_what_is_wrong(
    ready: bool, lag: float, held: bool, deadline: float, alive: int, readable: int, text: str
):
    listed = asyncio.Event()
    if ready:
        listed.set()
    leadership = SimpleNamespace(held=lambda: held, deadline=lambda: deadline)
    manager: Any = SimpleNamespace(standby_ready=listed, leadership=leadership)
    probe: Any = SimpleNamespace(worst=lambda: lag)
    clock: Any = StillClock()
    async with serving(health_app(Health(manager, probe, clock)), "127.0.0.1", 0, "healthz_port") as port:
        assert (await get(port, "/healthz"))[0] == alive
        status, body = await get(port, "/readyz")
    assert status == readable
    assert text in body


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[tuple[EmbeddedCluster, str]]:
    cluster = EmbeddedCluster(SystemClock(), SystemRandomness())
    await cluster.serve()
    path = folder / "kubeconfig"
    await asyncio.to_thread(path.write_text, yaml.safe_dump(cluster.kubeconfig()))
    try:
        yield cluster, os.fspath(path)
    finally:
        await cluster.close()


async def test_the_process_leads_serves_and_gives_the_lease_back(tmp_path: Path):
    async with embedded(tmp_path) as (cluster, kubeconfig):
        settings = Settings(
            kubeconfig=kubeconfig,
            listen="127.0.0.1",
            metrics_port=0,
            healthz_port=0,
            lease_namespace="default",
            roles=frozenset({"delivery"}),
        )
        stop, ready = asyncio.Event(), app.Ready(asyncio.Event())
        task = asyncio.ensure_future(app.run(settings, stop=stop, ready=ready))
        async with asyncio.timeout(10):
            await ready.event.wait()
            assert (await get(ready.healthz_port, "/readyz")) == (200, "ok\n")
            status, text = await get(ready.metrics_port, "/metrics")
            assert status == 200
            assert "event_loop_lag_seconds_bucket" in text
            lease = await cluster.api().get(LEASES, "default", settings.lease)
            assert lease["spec"]["holderIdentity"]
            stop.set()
            await task
        lease = await cluster.api().get(LEASES, "default", settings.lease)
        assert lease["spec"]["holderIdentity"] == ""
