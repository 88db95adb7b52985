"""Two controllers, one lease: a leader that was stopped writes nothing when it goes on after its time."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.contenders import SHORT, Contender, busy_rollout, holder, lease, lease_ended
from tests.cluster.control_plane import RealCluster
from tests.cluster.harness import apply
from tests.cluster.processes import wait_until

NAMES = tuple(f"busy-{number}" for number in range(6))


@pytest.fixture
def busy(leaderless: RealCluster) -> Iterator[str]:
    """Return a namespace with Rollouts at v1; the leader has yet to come."""
    namespace = leaderless.new_namespace("fencing")
    apply(leaderless, namespace, [busy_rollout(name, "v1") for name in NAMES])
    yield namespace
    leaderless.delete_namespace(namespace)


def rollouts(cluster: RealCluster, namespace: str) -> dict[str, dict]:
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts"
    return {item["metadata"]["name"]: item.get("status") or {} for item in cluster.admin.get(path)["items"]}


def phases(cluster: RealCluster, namespace: str) -> set[str]:
    return {str(status.get("phase")) for status in rollouts(cluster, namespace).values()}


def all_begun(found: set[str]) -> bool:
    """Tell whether work goes on and no Rollout's new version is unseen: seeing it would clear an abort."""
    return "Progressing" in found and "Healthy" not in found


def set_abort(cluster: RealCluster, namespace: str, value: bool | None) -> None:
    for name in NAMES:
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts/{name}/status"
        cluster.admin.merge(path, {"status": {"abort": value}})


def contenders(cluster: RealCluster, folder: Path, **settings: str) -> tuple[Contender, Contender]:
    first = Contender(cluster, folder, "first", **settings).start()
    wait_until(lambda: holder(cluster), seconds=30, what="a leader")
    return first, Contender(cluster, folder, "second", **settings).start()


def wait_for_another(cluster: RealCluster, held: str) -> None:
    wait_until(lambda: holder(cluster) not in ("", held), seconds=60, what="another leader")


def stops(request: pytest.FixtureRequest) -> int:
    return 12 if request.config.getoption("whole") else 3


def test_a_stopped_leader_writes_nothing_after_its_lease(
    leaderless: RealCluster, busy: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    cluster = leaderless
    first, second = contenders(cluster, folder, **SHORT)
    try:
        wait_until(lambda: phases(cluster, busy) == {"Healthy"}, seconds=60, what="Healthy Rollouts")
        apply(cluster, busy, [busy_rollout(name, "v2") for name in NAMES])
        die, leader, other = random.Random(1), first, second
        for _ in range(stops(request)):
            wait_until(lambda: all_begun(phases(cluster, busy)), seconds=60, what="work")
            time.sleep(die.uniform(0.0, 1.5))
            leader.process.send(signal.SIGSTOP)
            before = lease(cluster)
            set_abort(cluster, busy, True)
            wait_for_another(cluster, before["spec"]["holderIdentity"])
            wait_until(lambda: phases(cluster, busy) == {"Degraded"}, seconds=60, what="aborted Rollouts")
            leader.process.send(signal.SIGCONT)
            time.sleep(2.5)
            ends = lease_ended(before)
            late = [write for write in leader.writes() if write.at > ends]
            assert not late, f"writes after the lease: {late}"
            assert any(write.at > ends for write in other.writes()), "the other one did nothing"
            set_abort(cluster, busy, None)
            leader, other = other, leader
        print("writes that the fence held back:", first.refused_by_fence() + second.refused_by_fence())
    finally:
        for process in (first, second):
            process.process.send(signal.SIGCONT)
            process.stop()


def test_a_leader_that_ends_in_order_gives_its_lease_back(
    leaderless: RealCluster, busy: str, folder: Path
) -> None:
    """With the default lease of 15 s a start soon after shows that nobody had to wait for its end."""
    cluster = leaderless
    first = Contender(cluster, folder, "first").start()
    try:
        wait_until(lambda: phases(cluster, busy) == {"Healthy"}, seconds=60, what="Healthy Rollouts")
        apply(cluster, busy, [busy_rollout(name, "v2") for name in NAMES])
        wait_until(lambda: "Progressing" in phases(cluster, busy), seconds=60, what="work")
        assert first.stop() == 0
    finally:
        first.stop()
    assert holder(cluster) == "", "the lease was not given back"
    began = time.monotonic()
    again = Contender(cluster, folder, "again").start()
    try:
        wait_until(lambda: any(again.writes()), seconds=60, what="work of the new process")
        print(f"work went on {time.monotonic() - began:.1f} s after the restart began")
        assert time.monotonic() - began < 10
    finally:
        assert again.stop() == 0
