"""A user's abort races a step's completion on a real API server; its revisions tell who was first."""

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.cluster.contenders import Contender
from tests.cluster.control_plane import RealCluster
from tests.cluster.harness import apply
from tests.cluster.history import History
from tests.cluster.processes import wait_until
from tests.cluster.samples import Object, canary, pod_template, rollout, route, service

APP = "shop"
ALL_PODS = {"setCanaryScale": {"replicas": 1}}
STEPS = [ALL_PODS, {"setWeight": 20}, {"pause": {"duration": "1s"}}, {"setWeight": 90}, {"pause": {}}]
"""The pod is there beforehand, so that a weight rises at the moment at which its step begins."""


@pytest.fixture
def namespace(leaderless: RealCluster) -> Iterator[str]:
    """Return a namespace with all that a routed canary needs."""
    name = leaderless.new_namespace("race")
    parts = [service(f"{APP}-stable", APP), service(f"{APP}-canary", APP)]
    weights = {f"{APP}-stable": 100, f"{APP}-canary": 0}
    apply(leaderless, name, [*parts, route(APP, f"{name}.test", weights), shop("v1")])
    yield name
    leaderless.delete_namespace(name)


def shop(version: str) -> Object:
    return rollout(APP, canary(STEPS, name=APP), pod_template(APP, version), replicas=1)


def version_of(state: Object) -> int:
    return int(state["metadata"]["resourceVersion"])


def weight_of(state: Object) -> int:
    refs = state["spec"]["rules"][0]["backendRefs"]
    return next(int(ref["weight"]) for ref in refs if ref["name"] == f"{APP}-canary")


def rises(routes: Sequence[Object], after: int, until: int) -> list[tuple[int, int]]:
    """Return (revision, weight) of the states between two revisions in which the canary got more."""
    found = []
    for before, now in itertools.pairwise(routes):
        if after < version_of(now) <= until and weight_of(now) > weight_of(before):
            found.append((version_of(now), weight_of(now)))
    return found


class Race:
    """The Rollout, its route, and the user's hand."""

    def __init__(self, cluster: RealCluster, namespace: str) -> None:
        self._cluster = cluster
        self._path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts"
        routes = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes"
        self.rollouts = History(cluster, self._path, APP).start()
        self.routes = History(cluster, routes, APP).start()

    def abort(self, value: bool | None) -> int:
        """Set or clear the abort and return the revision of that write."""
        body = {"status": {"abort": value}}
        return version_of(self._cluster.admin.merge(f"{self._path}/{APP}/status", body))

    def wait(self, after: int, what: str, **fields: object) -> int:
        """Return the revision of the first state after a revision whose status has these fields."""

        def reached(state: Object) -> bool:
            status = state.get("status") or {}
            return version_of(state) > after and all(status.get(k) == v for k, v in fields.items())

        return version_of(self.rollouts.wait(reached, seconds=60, what=what))

    def known(self, after: int) -> int:
        """Return the revision at which the controller shows that it has seen the abort."""

        def reached(state: Object) -> bool:
            return version_of(state) > after and bool((state.get("status") or {}).get("abortedAt"))

        return version_of(self.rollouts.wait(reached, seconds=60, what="abortedAt"))

    def without_weight(self) -> None:
        """Wait until the canary's last known weight is 0."""
        wait_until(lambda: weight_of(self.routes.states[-1]) == 0, seconds=60, what="no weight")

    def stop(self) -> None:
        """Stop watching."""
        self.rollouts.stop()
        self.routes.stop()


def test_no_weight_rises_once_the_abort_is_known(
    leaderless: RealCluster, namespace: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    tries = 100 if request.config.getoption("whole") else 15
    race, die = Race(leaderless, namespace), random.Random(4)
    process = Contender(leaderless, folder, "racer").start()
    met = set()
    try:
        race.wait(0, "v1 Healthy", phase="Healthy")
        apply(leaderless, namespace, [shop("v2")])
        begun = race.wait(0, "the first pause", phase="Paused", currentStepIndex=2)
        for number in range(4 * tries):
            # On a busy machine many aborts meet the same weight: then some more are needed.
            if number >= tries and len(met) > 1:
                break
            # At the end of the pause, or at the moment at which the first weight rises.
            time.sleep(die.uniform(0.0, 1.1) if number % 2 else die.uniform(0.0, 0.3))
            aborted = race.abort(True)
            known = race.known(aborted)
            ended = race.wait(aborted, "Degraded", phase="Degraded")
            race.without_weight()
            routes = race.routes.states
            met.add(weight_of([state for state in routes if version_of(state) <= aborted][-1]))
            assert len(rises(routes, aborted, known)) <= 1, "more than the one request that was under way"
            again = race.abort(None)
            assert not rises(routes, known, again), "a weight rose after the controller had seen the abort"
            begun = race.wait(max(again, ended, begun), "another try", abort=None)
        assert len(met) > 1, f"the moments do not vary: every abort met the weight {met}"
        assert process.stop() == 0
    finally:
        race.stop()
        process.stop()
