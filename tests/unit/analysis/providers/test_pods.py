"""Pods that fall over: what both versions' pods say, look by look, through JSON as a status keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analysis.providers.errors import ConfigurationError
from analysis.providers.pods import NAME, PodsProvider, SeenPod, read_config
from analysis.providers.protocol import Decided, Ongoing, Question
from analysis.spec.guidance import GUIDANCE_KEY, Guidance, read
from analysis.spec.objects import Metric
from rollouts.controllers.analysisrun.pods import seen

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
STABLE, CANARY = "5d9c7b", "77f8cc"


def metric(**fields: Any) -> Metric:
    plugin = {NAME: {"stable": STABLE, "canary": CANARY, **fields}}
    return Metric.model_validate({"name": "pods", "provider": {"plugin": plugin}})


class Cluster:
    """Pods by version; a measurement that goes on over them."""

    def __init__(self, canary: int, stable: int = 4, **fields: Any) -> None:
        self.now = START
        self.versions = {CANARY: _pods("c", canary), STABLE: _pods("s", stable)}
        self.state: dict[str, str] = {}
        self.metric = metric(**fields)

    async def pods(self, namespace: str, pod_hash: str) -> Sequence[SeenPod]:
        return self.versions[pod_hash]

    def change(self, version: str, index: int, **fields: Any) -> None:
        self.versions[version][index] = replace(self.versions[version][index], **fields)

    def look(self, seconds: float = 10.0) -> Ongoing | Decided:
        self.now += timedelta(seconds=seconds)
        question = Question(metric=self.metric, now=self.now, state=self.state)
        answer = asyncio.run(PodsProvider(self).measure(question))
        assert isinstance(answer, Ongoing | Decided)
        self.state |= answer.state
        return answer

    @property
    def guidance(self) -> Guidance:
        return read(self.state[GUIDANCE_KEY])


def _pods(prefix: str, count: int) -> list[SeenPod]:
    return [SeenPod(f"{prefix}{i}", ready=True, node=f"n{i}") for i in range(count)]


def test_quiet_pods_go_on_and_succeed_when_the_duration_is_over() -> None:
    cluster = Cluster(2, duration="1m")
    assert isinstance(cluster.look(), Ongoing)
    assert cluster.guidance == Guidance()
    answer = cluster.look(61)
    assert isinstance(answer, Decided)
    assert answer.phase == "Successful"


def test_without_a_duration_it_watches_until_it_is_stopped() -> None:
    cluster = Cluster(2)
    assert all(isinstance(cluster.look(600), Ongoing) for _ in range(5))


def test_two_pods_that_crash_fail_the_version() -> None:
    cluster = Cluster(3)
    cluster.look()
    for index in (0, 1):
        cluster.change(CANARY, index, ready=False, restarts=4, waiting="CrashLoopBackOff")
    answer = cluster.look()
    assert isinstance(answer, Decided)
    assert (answer.phase, answer.metadata["inTrouble"]) == ("Failed", "c0, c1")


def test_a_lone_pod_is_doubted_and_its_successor_decides() -> None:
    cluster = Cluster(1)
    cluster.look()
    cluster.change(CANARY, 0, ready=False, restarts=3, waiting="CrashLoopBackOff")
    assert isinstance(cluster.look(), Ongoing)
    assert (cluster.guidance.no_traffic, cluster.guidance.replace) == (True, ("c0",))
    cluster.versions[CANARY] = [SeenPod("c9", ready=True)]
    assert isinstance(cluster.look(), Ongoing)
    assert cluster.guidance == Guidance()
    cluster.change(CANARY, 0, ready=False, restarts=3, waiting="CrashLoopBackOff")
    answer = cluster.look()
    assert isinstance(answer, Decided)
    assert answer.phase == "Failed"


def test_what_stable_pods_did_long_ago_says_nothing_and_what_they_do_now_is_a_shared_incident() -> None:
    cluster = Cluster(2)
    for index in range(4):
        cluster.change(STABLE, index, restarts=50)
    assert isinstance(cluster.look(), Ongoing)
    assert cluster.guidance == Guidance()
    for index in range(4):
        cluster.change(STABLE, index, restarts=53)
    for index in range(2):
        cluster.change(CANARY, index, restarts=3)
    answer = cluster.look()
    assert isinstance(answer, Ongoing)
    assert "shared incident" in answer.message
    assert cluster.guidance.hold


def test_readiness_lost_for_a_while_counts_and_never_gained_does_not() -> None:
    cluster = Cluster(2)
    cluster.versions[CANARY] = [SeenPod("c0", ready=False, unready_since=START), SeenPod("c1", ready=True)]
    assert isinstance(cluster.look(300), Ongoing)
    assert cluster.guidance == Guidance()
    cluster.change(CANARY, 1, ready=False, unready_since=cluster.now)
    cluster.look(60)
    assert cluster.guidance.replace == ("c1",)


def test_a_doubt_that_does_not_end_is_inconclusive() -> None:
    cluster = Cluster(2, holdTimeout="1m")
    cluster.change(CANARY, 0, ready=False, waiting="ImagePullBackOff")
    assert isinstance(cluster.look(), Ongoing)
    answer = cluster.look(61)
    assert isinstance(answer, Decided)
    assert answer.phase == "Inconclusive"
    assert cluster.guidance == Guidance()


def test_a_lone_suspect_that_nobody_replaced_stays_without_traffic_until_a_person_has_looked() -> None:
    cluster = Cluster(1, holdTimeout="1m")
    cluster.look()
    cluster.change(CANARY, 0, ready=False, restarts=3, waiting="CrashLoopBackOff")
    cluster.look()
    answer = cluster.look(61)
    assert isinstance(answer, Decided)
    assert answer.phase == "Inconclusive"
    assert (cluster.guidance.no_traffic, cluster.guidance.replace) == (True, ())


def test_a_state_that_cannot_be_read_begins_again() -> None:
    cluster = Cluster(2)
    cluster.state = {"pods.state": "[1]"}
    assert isinstance(cluster.look(), Ongoing)


@pytest.mark.parametrize("fields", [{"canary": ""}, {"tick": "0s"}, {"typo": 1}])
def test_a_config_that_cannot_be_is_named(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(fields))):
        read_config(metric(**fields))


def test_what_a_pod_shows() -> None:
    pod = {
        "metadata": {"name": "web-1"},
        "spec": {"nodeName": "n1"},
        "status": {
            "conditions": [
                {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T12:00:00Z"}
            ],
            "initContainerStatuses": [{"restartCount": 1, "state": {"terminated": {}}}],
            "containerStatuses": [{"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
        },
    }
    assert seen(pod) == SeenPod("web-1", False, 4, START, "CrashLoopBackOff", "n1")
    assert seen({"metadata": {"name": "new"}}) == SeenPod("new", ready=False)
