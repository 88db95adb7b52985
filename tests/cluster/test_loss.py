"""Connections break and processes are killed at random moments of a canary on a real API server."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.background import Background
from tests.cluster.contenders import SHORT, Contender
from tests.cluster.control_plane import RealCluster
from tests.cluster.harness import apply
from tests.cluster.install import account_kubeconfig
from tests.cluster.processes import wait_until
from tests.cluster.proxy import CuttingProxy
from tests.cluster.samples import Object, canary, pod_template, rollout, route, service

APP = "shop"
PAUSE = {"pause": {"duration": "1s"}}
STEPS = [part for weight in (20, 40, 60, 80) for part in ({"setWeight": weight}, PAUSE)]


@pytest.fixture
def namespace(leaderless: RealCluster) -> Iterator[str]:
    """Return a namespace with all that a routed canary needs."""
    name = leaderless.new_namespace("loss")
    parts = [service(f"{APP}-stable", APP), service(f"{APP}-canary", APP)]
    weights = {f"{APP}-stable": 100, f"{APP}-canary": 0}
    apply(leaderless, name, [*parts, route(APP, f"{name}.test", weights), shop("v1")])
    yield name
    leaderless.delete_namespace(name)


def shop(version: str) -> Object:
    return rollout(APP, canary(STEPS, name=APP), pod_template(APP, version), replicas=3)


def state(cluster: RealCluster, namespace: str) -> Object:
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts/{APP}"
    return cluster.admin.get(path) if cluster.admin.ready(path) else {}


def healthy(cluster: RealCluster, namespace: str) -> bool:
    found = state(cluster, namespace)
    status = found.get("status") or {}
    current = status.get("observedGeneration") == str(found["metadata"]["generation"])
    return bool(current and status.get("phase") == "Healthy")


def check_end(cluster: RealCluster, namespace: str) -> None:
    """The same end as without any loss: two versions, all traffic and all pods on the new one."""
    sets = cluster.admin.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets")["items"]
    sizes = {
        item["spec"]["template"]["spec"]["containers"][0]["image"]: item["spec"]["replicas"] for item in sets
    }
    assert len(sets) == len(sizes) == 2
    assert sizes["app:v2"] == 3
    status = state(cluster, namespace)["status"]
    assert status["stableRS"] == status["currentPodHash"]
    assert status["currentStepIndex"] == len(STEPS)

    def back() -> bool:
        path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{APP}"
        refs = cluster.admin.get(path)["spec"]["rules"][0]["backendRefs"]
        return {ref["name"]: ref["weight"] for ref in refs} == {f"{APP}-stable": 100, f"{APP}-canary": 0}

    wait_until(back, seconds=60, what="the weights at rest")
    selector = cluster.admin.get(f"/api/v1/namespaces/{namespace}/services/{APP}-stable")["spec"]["selector"]
    assert selector["rollouts-pod-template-hash"] == status["stableRS"]


def test_broken_connections_change_nothing(leaderless: RealCluster, namespace: str, folder: Path) -> None:
    cluster, background = leaderless, Background()
    proxy = CuttingProxy(background, cluster.url)
    config = proxy.kubeconfig(account_kubeconfig(cluster), folder / "cut.kubeconfig")
    process = Contender(cluster, folder, "cut", kubeconfig=str(config)).start()
    try:
        wait_until(lambda: healthy(cluster, namespace), seconds=60, what="v1 Healthy")
        apply(cluster, namespace, [shop("v2")])
        die, deadline = random.Random(2), time.monotonic() + 90
        time.sleep(0.1)
        while not healthy(cluster, namespace) and time.monotonic() < deadline:
            time.sleep(die.uniform(0.05, 0.6))
            proxy.cut()
        assert proxy.cuts > 10
        wait_until(lambda: healthy(cluster, namespace), seconds=30, what="v2 Healthy")
        check_end(cluster, namespace)
    finally:
        process.stop()
        proxy.stop()
        background.stop()


def test_killed_processes_change_nothing(
    leaderless: RealCluster, namespace: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    cluster, die = leaderless, random.Random(3)
    kills = 8 if request.config.getoption("whole") else 3
    process = Contender(cluster, folder, "killed-0", **SHORT).start()
    try:
        wait_until(lambda: healthy(cluster, namespace), seconds=60, what="v1 Healthy")
        apply(cluster, namespace, [shop("v2")])
        for number in range(1, kills + 1):
            before = len(list(process.writes()))
            wait_until(
                lambda known=before, of=process: len(list(of.writes())) > known, seconds=30, what="a write"
            )
            time.sleep(die.uniform(0.0, 1.0))
            process.process.stop(first=signal.SIGKILL)
            process = Contender(cluster, folder, f"killed-{number}", **SHORT).start()
            if healthy(cluster, namespace):
                break
        wait_until(lambda: healthy(cluster, namespace), seconds=90, what="v2 Healthy")
        check_end(cluster, namespace)
    finally:
        process.stop()
