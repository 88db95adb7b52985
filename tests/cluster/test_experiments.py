"""Experiments on the real API server: the peer's examples as they are, and one with traffic of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from rollouts.embedded.gateway.load import shares
from tests.cluster.conftest import World
from tests.cluster.control_plane import RealCluster
from tests.cluster.deliveries import APP, Delivery, canary_route
from tests.cluster.harness import apply
from tests.cluster.processes import wait_until
from tests.cluster.samples import Object, canary
from tests.lanes.registry import upstream_data

pytestmark = pytest.mark.lane("real-cluster", "prometheus", "upstream-data")

FAILING = {"failureLimit": 0, "count": 1}


@dataclass(frozen=True)
class Namespace:
    """A namespace with the peer's examples in it."""

    cluster: RealCluster
    name: str

    def apply(self, *objects: Object) -> None:
        apply(self.cluster, self.name, objects)

    def path(self, plural: str, name: str = "", group: str = "apis/argoproj.io/v1alpha1") -> str:
        return f"/{group}/namespaces/{self.name}/{plural}{'/' if name else ''}{name}"

    def get(self, plural: str, name: str) -> dict[str, Any]:
        return self.cluster.admin.get(self.path(plural, name))

    def list(self, plural: str, group: str = "apis/argoproj.io/v1alpha1") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.cluster.admin.get(self.path(plural, group=group))["items"]
        return found

    def phase(self, plural: str, name: str, *wanted: str, seconds: float = 40) -> dict[str, Any]:
        """Return the status once its phase is one of those wanted."""

        def reached() -> dict[str, Any] | None:
            status = self.get(plural, name).get("status") or {}
            return status if status.get("phase") in wanted else None

        return wait_until(reached, seconds=seconds, what=f"{plural}/{name} {' or '.join(wanted)}")


@pytest.fixture
def place(world: World) -> Iterator[Namespace]:
    cluster = world.machinery.cluster
    mark = cluster.audit.mark()
    place = Namespace(cluster, cluster.new_namespace("exp"))
    yield place
    cluster.delete_namespace(place.name)
    cluster.audit.assert_nothing_forbidden(world.controller.user, since=mark)


def example(name: str) -> list[Object]:
    text = (upstream_data() / "argo-rollouts" / "examples" / name).read_text()
    return [doc for doc in yaml.safe_load_all(text) if doc]


def templates(*, failing: bool = False) -> list[Object]:
    """Return the examples' templates; the flip of a coin is replaced by its outcome."""
    found = copy.deepcopy(example("analysis-templates.yaml"))
    for template in found:
        (metric,) = template["spec"]["metrics"]
        pod = metric["provider"]["job"]["spec"]["template"]["spec"]
        fails = failing and template["metadata"]["name"] == "random-fail"
        pod["containers"][0]["args"] = ["exit 1" if fails else "exit 0"]
        metric |= FAILING if fails else {"interval": "1s"}
    return found


def test_the_peers_experiment_runs_its_analyses_until_it_is_terminated(place: Namespace) -> None:
    name = "experiment-with-analysis"
    place.apply(*templates(), *example(f"{name}.yaml"))
    status = place.phase("experiments", name, "Running")
    assert {entry["name"]: entry["status"] for entry in status["templateStatuses"]} == {
        "purple": "Running",
        "orange": "Running",
    }

    def passed() -> bool:
        entries = (place.get("experiments", name)["status"]).get("analysisRuns") or []
        return [entry["phase"] for entry in entries] == ["Successful", "Successful"]

    wait_until(passed, seconds=40, what="both analyses")
    assert place.get("experiments", name)["status"]["phase"] == "Running"
    assert {run["metadata"]["name"] for run in place.list("analysisruns")} == {
        f"{name}-random-fail",
        f"{name}-pass",
    }

    place.cluster.admin.merge(place.path("experiments", name), {"spec": {"terminate": True}})
    place.phase("experiments", name, "Successful")
    wait_until(
        lambda: all(
            "scale-down-deadline" in rs["metadata"]["annotations"]
            for rs in place.list("replicasets", "apis/apps/v1")
        ),
        seconds=60,
        what="the deadline of both versions",
    )


def test_the_peers_experiment_fails_with_its_analysis(place: Namespace) -> None:
    name = "experiment-with-analysis"
    (experiment,) = example(f"{name}.yaml")
    experiment["spec"]["scaleDownDelaySeconds"] = 0
    place.apply(*templates(failing=True), experiment)
    status = place.phase("experiments", name, "Failed")
    assert status["message"].startswith("analysis 'random-fail': ")

    def gone() -> bool:
        return all(rs["spec"]["replicas"] == 0 for rs in place.list("replicasets", "apis/apps/v1"))

    wait_until(gone, seconds=60, what="both versions to be scaled down")


@pytest.mark.parametrize("failing", [False, True], ids=["good", "bad"])
def test_the_peers_rollout_with_an_experiment_step_follows_its_outcome(
    place: Namespace, failing: bool
) -> None:
    name = "rollout-experiment-step"
    (rollout,) = example(f"{name}.yaml")
    step = rollout["spec"]["strategy"]["canary"]["steps"][1]["experiment"]
    step["analyses"][0]["requiredForCompletion"] = True  # without it, it runs until somebody ends it
    place.apply(*templates(failing=failing), rollout)
    place.phase("rollouts", name, "Healthy")

    rollout["spec"]["template"]["spec"]["containers"][0]["image"] = "argoproj/rollouts-demo:yellow"
    place.apply(rollout)
    place.phase("rollouts", name, "Progressing")
    status = place.phase("rollouts", name, "Healthy", "Degraded", seconds=60)

    (experiment,) = place.list("experiments")
    assert experiment["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "2"
    if failing:
        assert status["phase"] == "Degraded"
        assert f"Experiment '{experiment['metadata']['name']}' phase Failed" in status["message"]
    else:
        assert (status["phase"], experiment["status"]["phase"]) == ("Healthy", "Successful")
        assert status["stableRS"] == status["currentPodHash"]
    (run,) = place.list("analysisruns")
    assert run["metadata"]["name"] == f"{experiment['metadata']['name']}-random-fail"


VERSIONS = [
    {"name": "baseline", "specRef": "stable", "weight": 10},
    {"name": "candidate", "specRef": "canary", "weight": 20},
]
STEPS = [
    {"setWeight": 10},
    {"experiment": {"templates": VERSIONS, "duration": "6s", "scaleDownDelaySeconds": 0}},
    {"setWeight": 50},
]


@pytest.fixture
def delivery(world: World) -> Iterator[Delivery]:
    delivery = Delivery(world.machinery, canary(STEPS, name=APP))
    yield delivery
    delivery.end()


def test_versions_with_weights_answer_users_and_nobody_gets_an_error_at_their_end(
    delivery: Delivery, world: World
) -> None:
    mark = delivery.cluster.audit.mark()
    delivery.begin([f"{APP}-stable", f"{APP}-canary"], [canary_route(delivery.host)])
    load = delivery.loads[delivery.host]
    delivery.update("v2")

    def weights(state: Object) -> dict[str, Any]:
        canary_part = (state.get("status") or {}).get("canary") or {}
        return dict(canary_part.get("weights") or {})

    state = delivery.history.wait(
        lambda one: bool(weights(one).get("additional")), seconds=30, what="weights"
    )
    found = weights(state)
    assert [entry["weight"] for entry in found["additional"]] == [10, 20]
    assert (found["canary"]["weight"], found["stable"]["weight"]) == (10, 60)
    wait_until(
        lambda: _share(shares(load.recent()), "v2") > 0.15, seconds=8, what="a third of the requests on v2"
    )

    delivery.wait_for_phase("Healthy", seconds=60)
    final = delivery.cluster.admin.get(
        f"/apis/gateway.networking.k8s.io/v1/namespaces/{delivery.namespace}/httproutes/{APP}"
    )
    backends = {ref["name"] for ref in final["spec"]["rules"][0]["backendRefs"]}
    assert backends == {f"{APP}-stable", f"{APP}-canary"}
    services = delivery.cluster.admin.get(f"/api/v1/namespaces/{delivery.namespace}/services")["items"]
    assert {one["metadata"]["name"] for one in services} == backends
    assert {code for (_, code), number in load.totals.items() if number} == {200}
    delivery.cluster.audit.assert_nothing_forbidden(world.controller.user, since=mark)


def _share(found: Any, version: str) -> float:
    return float(dict(found).get(version, 0.0))
