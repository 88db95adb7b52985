"""The registered controller with its real providers: a real HTTP Prometheus on loopback decides a run."""

import asyncio
import base64

import pytest
from aiohttp import web

from rollouts.clock import SystemClock
from rollouts.controllers.analysisrun.controller import register
from rollouts.kube.lease import AlwaysLeader
from rollouts.kube.objects import ANALYSIS_RUNS, NAMESPACES, SECRETS
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


async def test_a_vendors_account_comes_from_a_secret_and_its_key_is_nowhere_to_be_seen() -> None:
    def echo(asked: Asked) -> web.Response:
        key = asked.headers["DD-API-KEY"]
        return web.json_response({"errors": [f"the key {key} may not query"]}, status=403)

    cluster = await new_cluster(SystemClock())
    api = cluster.api()
    settings = Settings(lease_namespace="rollouts-system")
    manager = Manager(api, SystemClock(), Dice(), settings, new_registry(), AlwaysLeader())
    register(manager, settings)
    stop = asyncio.Event()
    async with serving(echo) as backend, asyncio.TaskGroup() as group:
        account = {"address": backend.url, "api-key": "hunter2-api", "app-key": "hunter2-app"}
        data = {key: base64.b64encode(value.encode()).decode() for key, value in account.items()}
        own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "rollouts-system"}}
        await api.create(NAMESPACES, None, own)
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "datadog"}, "data": data}
        await api.create(SECRETS, "rollouts-system", secret)
        group.create_task(manager.run(stop))
        metric = query(provider={"datadog": {"query": "q"}}, consecutiveErrorLimit=0)
        body = {"metadata": {"name": "run", "namespace": "ns"}, "spec": {"metrics": [metric]}}
        await api.create(
            ANALYSIS_RUNS, "ns", {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", **body}
        )
        status = await ended(api, "run")
        stop.set()
    await cluster.close()
    assert backend.asked[0].headers["DD-API-KEY"] == "hunter2-api"
    assert "datadog refuses the credentials (403): the key ***** may not query" in status["message"]
    assert "hunter2" not in str(status)


async def test_a_file_of_connections_that_cannot_be_used_is_a_settings_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROLLOUTS_ANALYSIS_CONNECTIONS", "/nowhere/connections.yaml")
    cluster = await new_cluster(SystemClock())
    settings = Settings()
    manager = Manager(cluster.api(), SystemClock(), Dice(), settings, new_registry(), AlwaysLeader())
    with pytest.raises(SettingsError, match=r"CONNECTIONS: /nowhere/connections\.yaml: No such"):
        register(manager, settings)
    await cluster.close()
