"""The simulated machinery on an embedded cluster, in process and with short delays."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from rollouts.clock import SystemClock, SystemRandomness
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.embedded.workloads import KubeletTiming, WorkloadSimulator
from rollouts.kube.api import KubeApi, PatchKind
from rollouts.kube.errors import NotFound
from rollouts.kube.objects import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    JOBS,
    NAMESPACES,
    PODS,
    REPLICASETS,
    SERVICES,
    Manifest,
    Resource,
    labels_of,
    name_of,
)

QUICK = KubeletTiming(
    start=(0.005, 0.01), stop=(0.0, 0.005), job=(0.005, 0.01), pull_backoff=0.01, crash_backoff=0.02
)


@asynccontextmanager
async def simulated() -> AsyncIterator[KubeApi]:
    clock, randomness = SystemClock(), SystemRandomness()
    cluster = EmbeddedCluster(clock, randomness)
    api = cluster.api()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    try:
        await api.create(NAMESPACES, None, namespace)
        stop = asyncio.Event()
        simulator = WorkloadSimulator(api, clock, randomness, control_loops=True, timing=QUICK)
        async with asyncio.TaskGroup() as group:
            group.create_task(simulator.run(stop))
            yield api
            stop.set()
    finally:
        await cluster.close()


async def until(api: KubeApi, resource: Resource, wanted: Callable[[list[Manifest]], bool]) -> list[Manifest]:
    """Wait for the objects of namespace x to look as wanted."""
    async with asyncio.timeout(30):
        while True:
            listing = await api.list(resource, "x")
            items = list(listing.items)
            if wanted(items):
                return items
            await asyncio.sleep(0.005)


def replicaset(replicas: int, name="web", **container) -> Manifest:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "web:1", **container}]},
            },
        },
    }


def counted(field: str, number: int) -> Callable[[list[Manifest]], bool]:
    return lambda items: [(i.get("status") or {}).get(field, 0) for i in items] == [number]


async def test_a_replicaset_gets_ready_pods_and_scales_both_ways():
    async with simulated() as api:
        await api.create(REPLICASETS, "x", replicaset(3))
        await until(api, REPLICASETS, counted("availableReplicas", 3))
        pods = await until(api, PODS, lambda pods: len(pods) == 3)
        assert all(pod["spec"]["nodeName"] and pod["status"]["podIP"] for pod in pods)
        assert len({pod["status"]["podIP"] for pod in pods}) == 3
        await api.patch(REPLICASETS, "x", "web", {"spec": {"replicas": 1}})
        left = await until(api, PODS, lambda pods: len(pods) == 1)
        assert name_of(left[0]) in {name_of(pod) for pod in pods}
        await until(api, REPLICASETS, counted("replicas", 1))


async def test_a_deleted_pod_is_replaced():
    async with simulated() as api:
        await api.create(REPLICASETS, "x", replicaset(1))
        (first,) = await until(api, PODS, lambda pods: len(pods) == 1)
        await api.delete(PODS, "x", name_of(first))
        (second,) = await until(api, PODS, lambda pods: len(pods) == 1 and name_of(pods[0]) != name_of(first))
        assert name_of(second).startswith("web-")


async def test_a_matching_orphan_is_adopted_instead_of_a_new_pod():
    async with simulated() as api:
        orphan = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "orphan", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "web:1"}]},
        }
        await api.create(PODS, "x", orphan)
        await api.create(REPLICASETS, "x", replicaset(1))
        await until(api, REPLICASETS, counted("readyReplicas", 1))
        (pod,) = await until(api, PODS, lambda pods: len(pods) == 1)
        assert name_of(pod) == "orphan"
        assert pod["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"


async def test_pods_that_crash_or_cannot_be_pulled_never_become_ready():
    async with simulated() as api:
        await api.create(REPLICASETS, "x", replicaset(1, "bad", image="web:bad"))
        await api.create(REPLICASETS, "x", replicaset(1, "crash", command=["sh", "-c", "exit 1"]))

        def reasons(pods: list[Manifest]) -> dict[str, str]:
            statuses = {
                labels_of(pod)["app"]: ((pod.get("status") or {}).get("containerStatuses") or [{}])[0]
                for pod in pods
            }
            return {
                app: s.get("state", {}).get("waiting", {}).get("reason", "") for app, s in statuses.items()
            }

        wanted = {"bad": "ImagePullBackOff", "crash": "CrashLoopBackOff"}
        await until(api, PODS, lambda pods: reasons(pods) == wanted)
        for item in (await api.list(REPLICASETS, "x")).items:
            assert item["status"].get("readyReplicas", 0) == 0


async def test_a_readiness_gate_opened_by_another_makes_the_pod_ready():
    async with simulated() as api:
        gated = replicaset(1)
        gated["spec"]["template"]["spec"]["readinessGates"] = [{"conditionType": "lb/ready"}]
        await api.create(REPLICASETS, "x", gated)

        def running(pods: list[Manifest]) -> bool:
            return [(pod.get("status") or {}).get("phase") for pod in pods] == ["Running"]

        (pod,) = await until(api, PODS, running)
        assert counted("readyReplicas", 0)((await api.list(REPLICASETS, "x")).items)
        gate = {"status": {"conditions": [{"type": "lb/ready", "status": "True"}]}}
        await api.patch(PODS, "x", name_of(pod), gate, kind=PatchKind.STRATEGIC, subresource="status")
        await until(api, REPLICASETS, counted("readyReplicas", 1))


async def test_a_service_gets_slices_that_follow_readiness():
    async with simulated() as api:
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }
        await api.create(SERVICES, "x", service)
        await api.create(REPLICASETS, "x", replicaset(2))

        def ready(slices: list[Manifest]) -> int:
            return sum(e["conditions"]["ready"] for s in slices for e in s.get("endpoints") or ())

        await until(api, ENDPOINT_SLICES, lambda slices: ready(slices) == 2)
        pods = await until(api, PODS, lambda pods: len(pods) == 2)
        unready = {"metadata": {"annotations": {"simulator.rollouts.dev/ready": "false"}}}
        await api.patch(PODS, "x", name_of(pods[0]), unready)
        await until(api, ENDPOINT_SLICES, lambda slices: ready(slices) == 1)


@pytest.mark.parametrize(("script", "condition"), [("exit 0", "Complete"), ("sleep 0.01; exit 2", "Failed")])
async def test_a_job_ends_as_its_container_does(script, condition):
    async with simulated() as api:
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "probe"},
            "spec": {
                "backoffLimit": 0,
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{"name": "c", "image": "busybox", "command": ["sh", "-c", script]}],
                    }
                },
            },
        }
        await api.create(JOBS, "x", job)

        def ended(jobs: list[Manifest]) -> bool:
            return any(
                c["type"] == condition for j in jobs for c in (j.get("status") or {}).get("conditions") or ()
            )

        await until(api, JOBS, ended)


async def test_a_deployment_rolls_over_to_a_new_template():
    async with simulated() as api:
        deployment = replicaset(3) | {"kind": "Deployment"}
        await api.create(DEPLOYMENTS, "x", deployment)
        await until(api, DEPLOYMENTS, counted("availableReplicas", 3))
        image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}]
        await api.patch(DEPLOYMENTS, "x", "web", image, kind=PatchKind.JSON)

        def moved(items: list[Manifest]) -> bool:
            sizes = {i["spec"]["template"]["spec"]["containers"][0]["image"]: i["status"] for i in items}
            return (
                sizes.get("web:2", {}).get("availableReplicas") == 3
                and sizes["web:1"].get("replicas", 0) == 0
            )

        await until(api, REPLICASETS, lambda items: all("status" in i for i in items) and moved(items))


async def test_a_deleted_replicaset_takes_its_pods_along():
    async with simulated() as api:
        await api.create(REPLICASETS, "x", replicaset(2))
        await until(api, REPLICASETS, counted("availableReplicas", 2))
        await api.delete(REPLICASETS, "x", "web")
        await until(api, PODS, lambda pods: pods == [])
        with pytest.raises(NotFound):
            await api.get(REPLICASETS, "x", "web")
