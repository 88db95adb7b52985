"""The registered controller with its real providers: a real HTTP Prometheus on loopback decides a run."""

import asyncio

import pytest
from aiohttp import web

from rollouts.clock import SystemClock
from rollouts.controllers.analysisrun.controller import register
from rollouts.kube.lease import AlwaysLeader
from rollouts.kube.objects import ANALYSIS_RUNS
from rollouts.runtime.manager import Manager
from rollouts.runtime.metrics import new_registry
from rollouts.settings import Settings, SettingsError
from tests.unit.analysis.providers.backend import Asked, serving
from tests.unit.controllers.analysisrun.world import new_cluster, query
from tests.unit.kube.world import Dice


def respond(_: Asked) -> web.Response:
    data = {"resultType": "vector", "result": [{"metric": {}, "value": [0, "7"]}]}
    return web.json_response({"status": "success", "data": data})


async def ended(api, name: str):
    for _ in range(200):
        status = (await api.get(ANALYSIS_RUNS, "ns", name)).get("status") or {}
        if status.get("completedAt"):
            return status
        await asyncio.sleep(0.01)
    raise AssertionError(f"{name} did not end: {status}")


async def test_a_real_prometheus_decides_and_the_egress_allowlist_holds() -> None:
    cluster = await new_cluster(SystemClock())
    api = cluster.api()
    settings = Settings(egress_allow="127.0.0.1/32")
    manager = Manager(api, SystemClock(), Dice(), settings, new_registry(), AlwaysLeader())
    register(manager, settings)
    stop = asyncio.Event()
    async with serving(respond) as backend, asyncio.TaskGroup() as group:
        group.create_task(manager.run(stop))
        for name, address in (("inside", backend.url), ("outside", "http://10.255.255.1:9")):
            metric = query(
                provider={"prometheus": {"query": "q", "address": address}}, consecutiveErrorLimit=0
            )
            body = {"metadata": {"name": name, "namespace": "ns"}, "spec": {"metrics": [metric]}}
            await api.create(
                ANALYSIS_RUNS, "ns", {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", **body}
            )
        inside, outside = await ended(api, "inside"), await ended(api, "outside")
        stop.set()
    await cluster.close()
    assert (inside["phase"], inside["metricResults"][0]["measurements"][0]["value"]) == ("Failed", "[7]")
    assert outside["phase"] == "Error"
    assert "egress to 10.255.255.1 is refused" in outside["message"]


def test_an_egress_allowlist_that_cannot_be_read_is_a_settings_error() -> None:
    settings = Settings(egress_allow="a/b")
    manager = Manager(None, SystemClock(), Dice(), settings, new_registry(), AlwaysLeader())
    with pytest.raises(SettingsError, match="egress_allow: 'a/b' is neither"):
        register(manager, settings)
