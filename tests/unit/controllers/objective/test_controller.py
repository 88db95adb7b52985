"""Objectives on an API server in memory: a real HTTP Prometheus on loopback, or numbers as told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml
from aiohttp import web

from analysis.providers.errors import BackendError
from analysis.providers.prometheus import ADDRESS_VARIABLE
from analysis.providers.protocol import Question, Reading
from analysis.providers.slo.budget import BudgetReader
from rollouts.clock import SystemClock
from rollouts.controllers.objective import controller
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.kube import errors
from rollouts.kube.api import KubeApi
from rollouts.kube.lease import AlwaysLeader
from rollouts.kube.objects import EVENTS, NAMESPACES, SERVICE_LEVEL_OBJECTIVES, Manifest
from rollouts.runtime.manager import Manager
from rollouts.runtime.metrics import new_registry
from rollouts.settings import Settings, SettingsError
from tests.unit.analysis.providers.backend import Asked, serving
from tests.unit.analysis.slo.examples import ours
from tests.unit.kube.world import Dice, LoopClock, virtual

CRD = Path(__file__).parents[4] / "crds" / "rollouts.dev_servicelevelobjectives.yaml"


async def new_cluster(clock: Any, *, installed: bool = True) -> EmbeddedCluster:
    cluster = EmbeddedCluster(clock, Dice())
    if installed:
        cluster.install_crds([yaml.load(CRD.read_text(), Loader=yaml.CSafeLoader)])
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
    await cluster.api().create(NAMESPACES, None, namespace)
    return cluster


async def status_of(api: KubeApi) -> Manifest:
    found = await api.get(SERVICE_LEVEL_OBJECTIVES, "web", "availability")
    status: Manifest = found.get("status") or {}
    return status


class Prometheus:
    """Answers every ratio with the same number, or with an error."""

    def __init__(self) -> None:
        self.answer: float | Exception = 0.0001
        self.asked = 0

    async def measure(self, question: Question) -> Reading:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return Reading(self.answer, "", {})


class World:
    """The controller over a cluster on virtual time."""

    def __init__(self, cluster: EmbeddedCluster, manager: Manager, prometheus: Prometheus) -> None:
        self.api = cluster.api()
        self.manager = manager
        self.prometheus = prometheus
        self.writes = 0

    async def after(self, seconds: float) -> Manifest:
        await asyncio.sleep(seconds)
        return await status_of(self.api)

    async def events(self) -> list[str]:
        await self.manager.recorder.flush(5)
        return [event["reason"] for event in (await self.api.list(EVENTS, "web")).items]


@asynccontextmanager
async def running(*, installed: bool = True, settings: Settings | None = None) -> AsyncIterator[World]:
    settings = settings or Settings()
    cluster = await new_cluster(LoopClock(), installed=installed)
    manager = Manager(cluster.api(), LoopClock(), Dice(), settings, new_registry(), AlwaysLeader())
    prometheus = Prometheus()
    controller.add(manager, settings, BudgetReader(prometheus))  # type: ignore[arg-type]
    stop = asyncio.Event()
    task = asyncio.ensure_future(manager.run(stop))
    await asyncio.sleep(2)
    try:
        yield World(cluster, manager, prometheus)
    finally:
        stop.set()
        await task
        await cluster.close()


@virtual
async def test_the_status_follows_the_budget_and_people_hear_of_a_change() -> None:
    async with running() as world:
        await world.api.create(SERVICE_LEVEL_OBJECTIVES, "web", ours())
        status = await world.after(1)
        assert (status["state"], status["remaining"]) == ("ok", "0.900")
        world.prometheus.answer = 0.02
        status = await world.after(90)
        assert status["state"] == "blocked"
        world.prometheus.answer = BackendError("is down")
        status = await world.after(90)
        assert status["state"] == "unknown"
        assert "remaining" not in status
        world.prometheus.answer = 0.0001
        status = await world.after(800)
        assert status["state"] == "ok"
        assert await world.events() == ["BudgetBlocked", "BudgetUnknown", "BudgetOk"]


@virtual
async def test_a_steady_budget_is_not_written_again() -> None:
    async with running() as world:
        await world.api.create(SERVICE_LEVEL_OBJECTIVES, "web", ours())
        await world.after(1)
        first = await world.api.get(SERVICE_LEVEL_OBJECTIVES, "web", "availability")
        await world.after(800)
        later = await world.api.get(SERVICE_LEVEL_OBJECTIVES, "web", "availability")
        assert later["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        assert world.prometheus.asked > 30


@virtual
async def test_an_invalid_objective_names_the_field_until_it_is_mended() -> None:
    async with running() as world:
        await world.api.create(SERVICE_LEVEL_OBJECTIVES, "web", ours(objective=99.9))
        status = await world.after(1)
        assert status["state"] == "unknown"
        assert status["message"].startswith("spec.objective: wanted a share between 0 and 1")
        assert world.prometheus.asked == 0
        patch = {"spec": {"objective": 0.999}}
        await world.api.patch(SERVICE_LEVEL_OBJECTIVES, "web", "availability", patch)
        status = await world.after(1)
        assert (status["state"], status["observedGeneration"]) == ("ok", 2)


@virtual
async def test_an_objective_of_another_instance_is_left_alone() -> None:
    async with running(settings=Settings(instance_id="blue")) as world:
        await world.api.create(SERVICE_LEVEL_OBJECTIVES, "web", ours())
        assert await world.after(100) == {}


@virtual
async def test_without_the_kind_the_controller_is_quiet() -> None:
    async with running(installed=False) as world:
        await asyncio.sleep(600)
        assert world.manager.standby_ready.is_set()
        with pytest.raises(errors.NotFound):
            await status_of(world.api)


async def test_a_real_prometheus_is_asked_and_the_egress_allowlist_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queries: list[str] = []

    def respond(asked: Asked) -> web.Response:
        queries.extend(parse_qs(asked.body)["query"])
        data = {"resultType": "vector", "result": [{"metric": {}, "value": [0, "0.0002"]}]}
        return web.json_response({"status": "success", "data": data})

    cluster = await new_cluster(SystemClock())
    api = cluster.api()
    settings = Settings(egress_allow="127.0.0.1/32")
    stop = asyncio.Event()
    async with serving(respond) as backend, asyncio.TaskGroup() as group:
        monkeypatch.setenv(ADDRESS_VARIABLE, backend.url)
        manager = Manager(api, SystemClock(), Dice(), settings, new_registry(), AlwaysLeader())
        controller.register(manager, settings)
        group.create_task(manager.run(stop))
        await api.create(SERVICE_LEVEL_OBJECTIVES, "web", ours())
        outside = ours(prometheus={"address": "http://10.255.255.1:9"})
        outside["metadata"]["name"] = "outside"
        await api.create(SERVICE_LEVEL_OBJECTIVES, "web", outside)
        found: dict[str, Manifest] = {}
        async with asyncio.timeout(20):
            while len(found) < 2:
                for item in (await api.list(SERVICE_LEVEL_OBJECTIVES, "web")).items:
                    if item.get("status"):
                        found[item["metadata"]["name"]] = item["status"]
                await asyncio.sleep(0.01)
        stop.set()
    await cluster.close()
    assert (found["availability"]["state"], found["availability"]["remaining"]) == ("ok", "0.800")
    assert any("[30d]" in query for query in queries)
    assert found["outside"]["conditions"][0]["reason"] == "EgressRefused"
    assert "egress to 10.255.255.1 is refused" in found["outside"]["message"]


def test_an_egress_allowlist_that_cannot_be_read_is_a_settings_error() -> None:
    settings = Settings(egress_allow="a/b")
    manager = Manager(None, SystemClock(), Dice(), settings, new_registry(), AlwaysLeader())  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="egress_allow: 'a/b' is neither"):
        controller.register(manager, settings)
