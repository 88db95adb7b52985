"""The judge and the Rollout together: a sick pod is told from a bad version, with real evidence in between.

The judge is the product's, with its real ticks; only the counters are those of a small model of users: each
version gets its share of the route's weights, spread over its ready pods.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.counts.vectors import LabelSet, Vectors
from analysis.providers.canary.config import CanaryConfig
from analysis.providers.canary.provider import CanaryProvider
from rollouts.kube.objects import ANALYSIS_TEMPLATES, EVENTS, name_of
from rollouts.simulation.loop import run_virtual
from rollouts.simulation.mirror import backend_weights, hash_of, is_ready
from rollouts.simulation.scenarios import NAME, Scenario, routed
from rollouts.simulation.world import NAMESPACE, World

RPS, BASE, BAD = 40.0, 0.002, 0.4
STEPS = [{"setWeight": 25}, {"pause": {"duration": "8m"}}, {"setWeight": 50}, {"pause": {"duration": "8m"}}]
JUDGE = {
    "address": "http://prometheus",
    "stable": "{{args.stable}}",
    "canary": "{{args.canary}}",
    "errors": {"total": "http_requests_total{ {{selector}} }", "badLabels": {"code": "5.."}},
}
TEMPLATE = {
    "metadata": {"name": "judge"},
    "spec": {
        "args": [{"name": "stable"}, {"name": "canary"}],
        "metrics": [{"name": "errors", "provider": {"plugin": {"rollouts.dev/canary": JUDGE}}}],
    },
}
ANALYSIS = {
    "templates": [{"templateName": "judge"}],
    "args": [
        {"name": "stable", "valueFrom": {"podTemplateHashValue": "Stable"}},
        {"name": "canary", "valueFrom": {"podTemplateHashValue": "Latest"}},
    ],
}
Sick = Callable[[str, str], bool]
"""Tells of (version, pod) whether its requests fail."""


class Users:
    """Counters of every pod, second by second; the ``Backend`` of the judge."""

    def __init__(self, world: World, sick: Sick) -> None:
        self._world, self._sick = world, sick
        self._counters: dict[str, tuple[float, float]] = {}
        self._moments: list[float] = []
        self._seen: list[Mapping[str, tuple[float, float]]] = []
        self.weights: list[int] = []

    async def run(self) -> None:
        while True:
            self._second()
            await self._world.clock.sleep(1.0)

    def _second(self) -> None:
        mirror = self._world.mirror
        weights = backend_weights(mirror.all("httproutes")[NAME]) if mirror.all("httproutes") else {}
        if weights and weights["canary"] != (self.weights or [-1])[-1]:
            self.weights.append(weights["canary"])
        pods = [pod for pod in mirror.all("pods").values() if is_ready(pod)]
        for service, weight in weights.items():
            selected = mirror.selects(service)
            ready = [pod for pod in pods if hash_of(pod) == selected]
            for pod in ready:
                self._serve(pod, RPS * weight / 100 / len(ready))
        self._moments.append(self._world.clock.now().timestamp())
        self._seen.append({name_of(pod): self._counters.get(name_of(pod), (0.0, 0.0)) for pod in pods})

    def _serve(self, pod: Any, requests: float) -> None:
        version = pod["spec"]["containers"][0]["image"].rpartition(":")[2]
        share = BAD if self._sick(version, name_of(pod)) else BASE
        total, bad = self._counters.get(name_of(pod), (0.0, 0.0))
        self._counters[name_of(pod)] = (total + requests, bad + requests * share)

    async def read(self, config: CanaryConfig, boundaries: Sequence[float]) -> tuple[Vectors, ...]:
        return (Vectors(tuple(boundaries), tuple(self._at(moment) for moment in boundaries)),)

    def _at(self, moment: float) -> dict[LabelSet, float]:
        index = bisect.bisect_right(self._moments, moment) - 1
        vector: dict[LabelSet, float] = {}
        for pod, (total, bad) in (self._seen[index] if index >= 0 else {}).items():
            vector[(("code", "200"), ("pod", pod))] = float(int(total) - int(bad))
            vector[(("code", "500"), ("pod", pod))] = float(int(bad))
        return vector


class Delivered:
    """What became of v2."""

    def __init__(self, replicas: int, sick: Sick, *, minutes: float = 30.0) -> None:
        self.weights: list[int] = []
        self.phase = self.stable = ""
        self.reasons: list[str] = []
        run_virtual(self._deliver(replicas, sick, minutes))

    async def _deliver(self, replicas: int, sick: Sick, minutes: float) -> None:
        scenario = Scenario("judged", routed(STEPS, analysis=ANALYSIS), _nothing, replicas=replicas)
        async with World.running(1) as world:
            users = Users(world, sick)
            world.plugins.append(CanaryProvider(users))
            assert world._group is not None
            serving = world._group.create_task(users.run())
            await world.create(ANALYSIS_TEMPLATES, TEMPLATE)
            await world.start()
            await scenario.begin(world)
            await world.rest(31 * 60)
            users.weights.clear()
            await world.deploy("v2")
            await world.rest(minutes * 60)
            self.phase = str(world.state.get("phase"))
            running = world.mirror.all("replicasets").values()
            images = {hash_of(rs): rs["spec"]["template"]["spec"]["containers"][0]["image"] for rs in running}
            self.stable = images[str(world.state["stableRS"])].rpartition(":")[2]
            self.weights = users.weights[1:]
            events = await world.api.list(EVENTS, NAMESPACE)
            self.reasons = [str(event["reason"]) for event in events.items]
            assert not world.errors
            serving.cancel()


async def _nothing(world: World) -> None:
    pass


def first_of(version: str) -> Sick:
    """Return that the first pod of a version is sick, whoever it is."""
    first: list[str] = []

    def sick(of: str, pod: str) -> bool:
        if of == version and not first:
            first.append(pod)
        return pod in first

    return sick


def test_a_lone_sick_pod_is_replaced_and_the_good_version_goes_on() -> None:
    delivered = Delivered(4, first_of("v2"), minutes=40)
    assert delivered.weights[:4] == [25, 0, 25, 50], "off, back for the successor, then the next step"
    assert (delivered.phase, delivered.stable) == ("Healthy", "v2")
    assert "CanaryPodReplaced" in delivered.reasons


def test_a_bad_version_fails_with_its_second_pod_as_well() -> None:
    delivered = Delivered(4, lambda version, _: version == "v2")
    assert delivered.weights[:3] == [25, 0, 25]
    assert max(delivered.weights) == 25
    assert (delivered.phase, delivered.stable, delivered.weights[-1]) == ("Degraded", "v1", 0)


def test_one_sick_pod_among_several_is_replaced_under_traffic() -> None:
    delivered = Delivered(12, first_of("v2"), minutes=40)
    assert (delivered.phase, delivered.stable) == ("Healthy", "v2")
    assert "CanaryPodReplaced" in delivered.reasons
    assert delivered.weights[:2] == [25, 50]


def test_a_good_version_is_left_alone() -> None:
    delivered = Delivered(4, lambda *_: False)
    assert (delivered.phase, delivered.stable) == ("Healthy", "v2")
    assert not {"CanaryPodReplaced", "AnalysisRunHolds"} & set(delivered.reasons)
