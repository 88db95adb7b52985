"""Many Rollouts at which nothing happens: they cost memory, and nothing else."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from rollouts.kube.api import KubeApi
from rollouts.kube.objects import NAMESPACES, ROLLOUTS, Manifest
from tests.benchmarks.grounds import Controller, Ground, difference, work
from tests.benchmarks.table import Table
from tests.cluster.processes import wait_until

NAMESPACE = "idle"


@pytest.fixture(scope="module")
def many(ground: Ground, whole: bool, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Return how many Healthy Rollouts there are; the controller that made them has ended."""
    number = 500 if whole else 40
    controller = Controller(ground, tmp_path_factory.mktemp("first"), "maker").start()
    try:
        work(ground, lambda api: create(api, number))
        wait_until(lambda: work(ground, healthy) == number, seconds=400, what="Healthy Rollouts")
        time.sleep(3)
    finally:
        controller.stop()
    return number


def rollout(name: str) -> Manifest:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "web", "image": "web:v1"}], "terminationGracePeriodSeconds": 0},
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": name}},
        "template": template,
        "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}},
    }
    return {"apiVersion": ROLLOUTS.api_version, "kind": "Rollout", "metadata": {"name": name}, "spec": spec}


async def create(api: KubeApi, number: int) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await api.create(NAMESPACES, None, namespace)
    for first in range(0, number, 20):
        names = [f"idle-{n}" for n in range(first, min(number, first + 20))]
        await asyncio.gather(*(api.create(ROLLOUTS, NAMESPACE, rollout(name)) for name in names))


async def healthy(api: KubeApi) -> int:
    listing = await api.list(ROLLOUTS, NAMESPACE)
    return sum((item.get("status") or {}).get("phase") == "Healthy" for item in listing.items)


def test_idle_rollouts_cause_no_requests(
    ground: Ground, many: int, whole: bool, table: Table, tmp_path: Path
) -> None:
    seconds = 60 if whole else 8
    began = time.monotonic()
    controller = Controller(ground, tmp_path, "idle").start()
    try:
        wait_until(controller.leads, seconds=60, what="leadership")
        wait_until(lambda: observed(controller) >= many, seconds=120, what="every Rollout observed")
        started = time.monotonic() - began
        start_cpu = controller.cpu_seconds()
        time.sleep(4)
        before, cpu, leases = controller.requests(), controller.cpu_seconds(), ground.lease_requests()
        time.sleep(seconds)
        seen = difference(controller.requests(), before)
        per_minute = 60 / seconds
        cpu_minute = (controller.cpu_seconds() - cpu) * per_minute
        other = {key: count for key, count in seen.items() if key[0] != "Watch"}
        leases = ground.lease_requests() - leases
        lag = controller.lag_quantile(0.99) * 1000
        rows = (
            ("start, all observed", f"{started:.1f} s, {start_cpu:.1f} CPU s", "", "28 s, 1.9 CPU s"),
            ("other requests a minute", f"{sum(other.values()) * per_minute:.0f}", "0", "0"),
            ("requests a minute for the Lease", f"{leases * per_minute:.0f}", "", "30"),
            ("CPU while idle", f"{cpu_minute:.2f} s a minute", "", "0.07 s (100 Rollouts)"),
            ("RSS", f"{controller.rss_mib():.0f} MiB", "≤ 200 at 1000", "137 MiB"),
            ("event-loop lag, start included", f"p99 ≤ {lag:g} ms", "p99 < 50 ms", ""),
        )
        report(table, many, rows)
        assert not other, f"requests in a steady state: {other}"
    finally:
        controller.stop()


def report(table: Table, many: int, rows: Sequence[tuple[str, str, str, str]]) -> None:
    for what, measured, budget, peer in rows:
        table.add(f"{many} idle Rollouts: {what}", measured, budget, peer)


def observed(controller: Controller) -> int:
    """Return how many reconciles of Rollouts have ended."""
    return int(sum(value for _, value in controller.samples("rollout_reconcile_count")))
