"""What only the embedded cluster has: faults on request, its kubeconfig, virtual time, plain refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest

from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.kube import errors
from rollouts.kube.objects import CONFIGMAPS, PODS, Resource


class StoppedClock:
    """A clock that stands still and whose sleeps only let others run."""

    def now(self) -> datetime:
        return datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Counting:
    """Chance without chance."""

    def __init__(self) -> None:
        self._count = 0

    def uniform(self, low: float, high: float) -> float:
        return low

    def token(self) -> str:
        self._count += 1
        return f"00000000-0000-0000-0000-{self._count:012d}"


def _configmap(name: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}}


@pytest.fixture
async def cluster() -> AsyncIterator[EmbeddedCluster]:
    made = EmbeddedCluster(StoppedClock(), Counting())
    yield made
    await made.close()


async def test_time_and_ids_come_from_the_ports(cluster: EmbeddedCluster) -> None:
    meta = (await cluster.api().create(CONFIGMAPS, "default", _configmap("a")))["metadata"]
    assert meta["creationTimestamp"] == "2030-01-02T03:04:05Z"
    assert meta["uid"].startswith("00000000-0000-0000-0000-")
    assert meta["managedFields"][0]["time"] == "2030-01-02T03:04:05Z"


async def test_two_clusters_with_the_same_ports_are_equal() -> None:
    made = [EmbeddedCluster(StoppedClock(), Counting()) for _ in range(2)]
    first, second = [await one.api().create(CONFIGMAPS, "default", _configmap("a")) for one in made]
    assert first == second


async def test_the_user_manages_what_names_no_manager(cluster: EmbeddedCluster) -> None:
    answer = await cluster.api("someone").create(CONFIGMAPS, "default", _configmap("a"))
    assert answer["metadata"]["managedFields"][0]["manager"] == "someone"


async def test_after_a_compaction_an_old_watch_is_gone(cluster: EmbeddedCluster) -> None:
    api = cluster.api()
    version = (await api.list(CONFIGMAPS, "default")).resource_version
    await api.create(CONFIGMAPS, "default", _configmap("a"))
    cluster.compact()
    with pytest.raises(errors.Gone):
        async for _ in api.watch(CONFIGMAPS, "default", resource_version=version):
            pass


async def test_ended_watches_end_without_an_error(cluster: EmbeddedCluster) -> None:
    api = cluster.api()
    version = (await api.list(CONFIGMAPS, "default")).resource_version

    async def follow() -> list[str]:
        return [e.type async for e in api.watch(CONFIGMAPS, "default", resource_version=version)]

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(follow())
        await asyncio.sleep(0.01)
        await api.create(CONFIGMAPS, "default", _configmap("a"))
        cluster.end_watches()
    assert watching.result() == ["ADDED"]


async def test_a_resource_that_is_not_served_is_not_found(cluster: EmbeddedCluster) -> None:
    with pytest.raises(errors.NotFound):
        await cluster.api().list(Resource("none.example.com", "v1", "things", "Thing"))


async def test_a_budget_refuses_an_eviction_in_process_too(cluster: EmbeddedCluster) -> None:
    api = cluster.api()
    labels = {"app": "x"}
    spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
    await api.create(PODS, "default", {"metadata": {"name": "p", "labels": labels}, "spec": spec})
    await api.patch(PODS, "default", "p", {"status": {"phase": "Running"}}, subresource="status")
    budgets = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
    budget = {"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": labels}, "minAvailable": 1}}
    await api.create(budgets, "default", budget)
    with pytest.raises(errors.TooManyRequests):
        await api.create(PODS, "default", {"metadata": {"name": "p"}}, name="p", subresource="eviction")
    await api.patch(budgets, "default", "b", {"status": {"disruptionsAllowed": 1}}, subresource="status")
    await api.create(PODS, "default", {"metadata": {"name": "p"}}, name="p", subresource="eviction")
    assert "deletionTimestamp" in (await api.get(PODS, "default", "p"))["metadata"]
    spent = await api.get(budgets, "default", "b")
    assert spent["status"]["disruptionsAllowed"] == 0


async def test_a_definition_that_is_refused_is_named(cluster: EmbeddedCluster) -> None:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "wrong.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "x", "kind": "X"}},
    }
    with pytest.raises(ValueError, match=r"CustomResourceDefinition wrong\.example\.com: .*metadata\.name"):
        cluster.install_crds([crd])


async def test_the_kubeconfig_reaches_the_cluster_without_a_header(cluster: EmbeddedCluster) -> None:
    await cluster.serve()
    server = cluster.kubeconfig()["clusters"][0]["cluster"]["server"]
    async with aiohttp.ClientSession() as session, session.get(f"{server}/api/v1/namespaces") as answer:
        assert answer.status == 200
        assert (await answer.json())["kind"] == "NamespaceList"


@pytest.mark.parametrize(
    "path", ["/as/wrong/api/v1/namespaces", "/as//api/v1/namespaces", "/api/v1/namespaces"]
)
async def test_nothing_is_served_to_strangers(cluster: EmbeddedCluster, path: str) -> None:
    address = await cluster.serve()
    cluster.token()
    async with aiohttp.ClientSession() as session, session.get(address + path) as answer:
        assert answer.status == 401


async def test_protobuf_is_refused_by_name(cluster: EmbeddedCluster) -> None:
    address = await cluster.serve()
    headers = {
        "Authorization": f"Bearer {cluster.token()}",
        "Content-Type": "application/vnd.kubernetes.protobuf",
    }
    url = f"{address}/api/v1/namespaces/default/configmaps"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=b"k8s\x00", headers=headers) as answer,
    ):
        body = await answer.json()
    assert answer.status == 415
    assert "application/vnd.kubernetes.protobuf" in body["message"]
    assert "application/json" in body["message"]
