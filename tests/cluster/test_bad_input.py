"""What a person gets wrong is told by the field's path, with what was seen; nothing else stops for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.conftest import World
from tests.cluster.control_plane import RealCluster
from tests.cluster.git_sync import GitSync, Synced
from tests.cluster.harness import apply
from tests.cluster.processes import wait_until
from tests.cluster.samples import Object, error_rate_template, pod_template, rollout, service

SECONDS = 120.0
STEPS: list[Object] = [{"setWeight": 50}]
NOWHERE = "http://127.0.0.1:9"
"""Nobody listens on the port of the discard service."""

INVALID: dict[str, tuple[Object, str]] = {
    "two-strategies": (
        {"canary": {"steps": STEPS}, "blueGreen": {"activeService": "present"}},
        'spec.strategy.strategy: Invalid value: {"blueGreen":{},"canary":{}}: Multiple Strategies can not be '
        "listed; keep either canary or blueGreen",
    ),
    "no-strategy": ({}, "spec.strategy.strategy: Required value"),
    "missing-service": (
        {"canary": {"steps": STEPS, "stableService": "present", "canaryService": "late"}},
        'spec.strategy.canary.canaryService: Invalid value: "late": service "late" not found; create it or '
        "correct the name",
    ),
    "missing-template": (
        {"canary": {"steps": [{"analysis": {"templates": [{"templateName": "absent"}]}}]}},
        'spec.strategy.canary.steps[0].analysis.templates[0].templateName: Invalid value: "absent"',
    ),
    "no-duration": (
        {"canary": {"steps": [{"pause": {"duration": "5 minutes"}}]}},
        'spec.strategy.canary.steps[0].pause.duration: Invalid value: "5 minutes": "5 minutes" is not a '
        "duration: wanted",
    ),
}

UNANSWERED: dict[str, str] = {
    "unparsable-query": "provider.prometheus.query: bad_data: ",
    "prometheus-down": f"provider.prometheus.address: POST {NOWHERE}/api/v1/query: Cannot connect",
}


@dataclass(frozen=True)
class Written:
    """Everything bad at once, in one namespace, beside a Rollout ``good``."""

    cluster: RealCluster
    namespace: str
    queries: dict[str, Object]

    def get(self, plural: str, name: str) -> Object:
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{self.namespace}/{plural}/{name}"
        return self.cluster.admin.get(path)

    def status(self, name: str) -> Object:
        return self.get("rollouts", name).get("status") or {}

    def warnings(self, name: str) -> list[str]:
        events = self.cluster.admin.get(f"/api/v1/namespaces/{self.namespace}/events")["items"]
        about = [event for event in events if event["involvedObject"]["name"] == name]
        return [event["message"] for event in about if event["type"] == "Warning"]

    def wait_for(self, name: str, phase: str) -> str:
        def reached() -> bool:
            status = self.status(name)
            generation = self.get("rollouts", name)["metadata"]["generation"]
            return status.get("phase") == phase and status.get("observedGeneration") == str(generation)

        wait_until(reached, seconds=SECONDS, what=f"{name} that is {phase}")
        return str(self.status(name).get("message", ""))


def analysed(name: str, version: str) -> Object:
    strategy = {"canary": {"steps": [*STEPS, {"analysis": {"templates": [{"templateName": name}]}}]}}
    return rollout(name, strategy, pod_template(name, version), replicas=1)


def good(version: str) -> Object:
    return rollout("good", {"canary": {"steps": STEPS}}, pod_template("good", version), replicas=1)


@pytest.fixture(scope="module")
def written(world: World) -> Iterator[Written]:
    cluster = world.machinery.cluster
    queries = {
        "unparsable-query": error_rate_template("unparsable-query", world.machinery.prometheus.url),
        "prometheus-down": error_rate_template("prometheus-down", NOWHERE),
    }
    for template in queries.values():
        metric = template["spec"]["metrics"][0]
        metric |= {"initialDelay": "0s", "interval": "1s", "consecutiveErrorLimit": 1}
        template["spec"].pop("args")
        metric["provider"]["prometheus"]["query"] = "sum(rate(http_requests_total[5s)"
    written = Written(cluster, cluster.new_namespace("e2e"), queries)
    wrong = [
        rollout(name, strategy, pod_template(name, "v1"), replicas=1)
        for name, (strategy, _) in INVALID.items()
    ]
    right = [service("present", "missing-service"), good("v1"), *(analysed(name, "v1") for name in queries)]
    apply(cluster, written.namespace, [*queries.values(), *right, *wrong])
    yield written
    cluster.delete_namespace(written.namespace)


@pytest.mark.parametrize("name", INVALID)
def test_a_spec_that_cannot_work_is_a_condition_and_an_event(written: Written, name: str) -> None:
    expected = f'The Rollout "{name}" is invalid: {INVALID[name][1]}'
    assert written.wait_for(name, "Degraded").startswith(f"InvalidSpec: {expected}")
    conditions = {c["type"]: c for c in written.status(name)["conditions"]}
    assert conditions["InvalidSpec"]["message"].startswith(expected)
    wait_until(
        lambda: any(text.startswith(expected) for text in written.warnings(name)),
        seconds=SECONDS,
        what=f"event about {name}",
    )


def test_what_was_missing_may_come_later(written: Written) -> None:
    written.wait_for("missing-service", "Degraded")
    apply(written.cluster, written.namespace, [service("late", "missing-service")])
    written.wait_for("missing-service", "Healthy")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"replicas": "two"}, ".spec.replicas"),
        ({"strategy": {"canary": {"steps": [{"setWeight": "half"}]}}}, ".strategy.canary.steps[0].setWeight"),
    ],
    ids=["replicas", "weight"],
)
def test_a_wrong_type_is_refused_at_the_door(written: Written, change: dict[str, Any], path: str) -> None:
    wrong = good("v1")
    wrong["spec"] |= change
    assert path in refused(written, wrong)


def refused(written: Written, manifest: Object) -> str:
    """Return what kubectl says to the person whose manifest is not taken."""
    with pytest.raises(AssertionError) as caught:
        apply(written.cluster, written.namespace, [manifest])
    return str(caught.value)


def test_an_unknown_field_is_refused_by_the_peers_schema_and_named_by_the_controller_with_ours(
    written: Written, request: pytest.FixtureRequest
) -> None:
    misspelt = rollout(
        "misspelt", {"canary": {"steps": STEPS, "maxSurges": 1}}, pod_template("misspelt", "v1"), replicas=1
    )
    if "upstream-crds" in request.node.callspec.id:
        assert 'unknown field "maxSurges"' in refused(written, misspelt)
        return
    apply(written.cluster, written.namespace, [misspelt])
    written.wait_for("misspelt", "Healthy")
    wanted = "spec.strategy.canary.maxSurges: unknown field: nothing reads it; did you mean maxSurge?"
    wait_until(lambda: wanted in written.warnings("misspelt"), seconds=SECONDS, what="event UnknownField")


@pytest.mark.parametrize("name", UNANSWERED)
def test_a_metric_without_an_answer_aborts_with_the_reason_and_the_others_go_on(
    written: Written, name: str
) -> None:
    written.wait_for(name, "Healthy")
    apply(written.cluster, written.namespace, [analysed(name, "v2")])
    message = written.wait_for(name, "Degraded")
    assert message.startswith("RolloutAborted: Rollout aborted update to revision 2")
    assert 'Metric "error-rate" assessed Error' in message
    assert UNANSWERED[name] in message

    version = f"after-{name}"
    apply(written.cluster, written.namespace, [good(version)])
    written.wait_for("good", "Healthy")


def test_a_repository_that_cannot_be_reached_is_told_and_the_others_are_synced(sync: GitSync) -> None:
    lost, fine = Synced(sync), Synced(sync)
    try:
        lost.url = f"{NOWHERE}/shop.git"
        lost.create()
        message = lost.wait_condition("ComparisonError")
        assert f"{NOWHERE}/shop.git" in message
        fine.commit("first", {"settings": {"apiVersion": "v1", "kind": "ConfigMap"}})
        fine.create()
        assert "metadata.name" in fine.wait_condition("ComparisonError")
        named = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
        commit = fine.commit("second", {"settings": named})
        fine.wait_synced(commit)
    finally:
        lost.end()
        fine.end()
