"""ReplicaSets, Services and availability of an Experiment's versions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rollouts.kube import errors, objects
from rollouts.runtime.reconciler import TerminalError
from rollouts.workloads import labels
from tests.unit.controllers.experiment.world import KEY, experiment, template


def test_every_template_gets_a_replica_set_that_says_whose_it_is() -> None:
    world = experiment(template("a", replicas=2), template("b"))
    world.reconcile()
    assert world.sizes() == {"exp-a": 2, "exp-b": 1}
    rs = world.named(objects.REPLICASETS)["exp-a"]
    pod_hash = rs["metadata"]["labels"][labels.POD_TEMPLATE_HASH]
    assert rs["metadata"]["annotations"] == {
        "experiment.argoproj.io/name": "exp",
        "experiment.argoproj.io/template-name": "a",
    }
    assert rs["spec"]["selector"]["matchLabels"] == {"app": "web", labels.POD_TEMPLATE_HASH: pod_hash}
    assert rs["spec"]["template"]["metadata"]["labels"] == rs["spec"]["selector"]["matchLabels"]
    assert objects.controller_owner(rs)["kind"] == "Experiment"  # type: ignore[index]
    assert world.phase == "Pending"
    assert world.states() == {"a": "Progressing", "b": "Progressing"}


def test_two_versions_with_the_same_pods_have_hashes_of_their_own() -> None:
    world = experiment(template("baseline", "web:v1"), template("control", "web:v1")).settle()
    hashes = {entry["podTemplateHash"] for entry in world.status["templateStatuses"]}
    assert len(hashes) == 2
    assert world.entry("control")["collisionCount"] == 1


def test_it_runs_once_all_versions_have_all_pods() -> None:
    world = experiment(template("a", replicas=2), template("b"), duration="1m")
    world.reconcile()
    world.ready_pods(a=1)
    world.settle(pods=False)
    assert (world.phase, world.states()) == ("Pending", {"a": "Progressing", "b": "Running"})
    assert "availableAt" not in world.status
    world.ready_pods()
    world.settle(pods=False)
    assert (world.phase, world.states()) == ("Running", {"a": "Running", "b": "Running"})
    assert world.status["availableAt"] == objects.format_time(world.api.now)
    assert world.conditions() == {
        "Progressing": ("True", "NewReplicaSetAvailable"),
        "Running": ("True", "ExperimentRunning"),
    }
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    assert [world.entry("a")[name] for name in counts] == [2, 2, 2, 2]


def test_transitions_are_told_with_their_reasons() -> None:
    world = experiment(template("a"), duration="10s").settle()
    world.wait(11)
    world.settle()
    assert world.reasons() == [
        "NewReplicaSetCreated",
        "TemplateProgressing",
        "ExperimentPending",
        "TemplateRunning",
        "ExperimentRunning",
        "TemplateSuccessful",
        "ExperimentSuccessful",
    ]
    assert world.events[4].message == "Experiment transitioned from Pending -> Running"


def test_a_version_without_progress_for_the_deadline_fails_the_experiment() -> None:
    world = experiment(template("a", replicas=2), template("b"), progressDeadlineSeconds=60)
    world.reconcile()
    world.ready_pods(a=0)
    world.wait(40)
    world.settle(pods=False)
    world.ready_pods(a=1)
    world.wait(10)
    world.settle(pods=False)
    world.wait(59)
    world.settle(pods=False)
    assert world.phase == "Pending", "one more pod restarted the clock"
    world.wait(1)
    world.settle(pods=False)
    assert (world.phase, world.states()) == ("Failed", {"a": "Failed", "b": "Successful"})
    assert world.status["message"] == (
        "Template 'a' exceeded its progressDeadlineSeconds (60): 1 of 2 pods are available"
    )
    assert world.conditions()["Progressing"] == ("False", "ExperimentCompleted")


def test_a_running_version_that_loses_pods_gets_the_deadline_anew() -> None:
    world = experiment(template("a"), progressDeadlineSeconds=60).settle()
    world.wait(3600)
    world.ready_pods(a=0)
    world.settle(pods=False)
    assert (world.phase, world.states()) == ("Running", {"a": "Progressing"})
    world.wait(61)
    world.settle(pods=False)
    assert world.phase == "Failed"


def test_without_duration_and_required_analyses_it_runs_until_terminated() -> None:
    world = experiment(template("a")).settle()
    world.wait(100_000)
    world.settle()
    assert world.phase == "Running"
    world.patch(spec={"terminate": True})
    world.settle()
    assert (world.phase, world.status["message"]) == ("Successful", "Experiment terminated")
    assert world.conditions() == {
        "Progressing": ("False", "ExperimentCompleted"),
        "Running": ("False", "ExperimentRunning"),
        "Completed": ("True", "ExperimentCompleted"),
    }


def test_terminated_before_it_began_it_creates_nothing() -> None:
    world = experiment(template("a"), terminate=True).settle()
    assert (world.phase, world.sizes()) == ("Successful", {})


@pytest.mark.parametrize(
    ("fields", "delay"),
    [({}, 30), ({"scaleDownDelaySeconds": 5}, 5), ({"scaleDownDelaySeconds": 0}, 0)],
    ids=["default", "own", "none"],
)
def test_pods_outlive_the_end_by_the_delay(fields: dict[str, Any], delay: int) -> None:
    world = experiment(template("a"), duration="10s", **fields).settle()
    world.wait(10)
    world.settle()
    assert world.phase == "Successful"
    if delay:
        assert world.sizes() == {"exp-a": 1}
        world.wait(delay - 1)
        world.settle()
        assert world.sizes() == {"exp-a": 1}
        assert world.requeue_at == world.api.now + timedelta(seconds=1)
        world.wait(1)
        world.settle()
    assert world.sizes() == {"exp-a": 0}
    assert world.entry("a")["availableReplicas"] == 0
    assert world.phase == "Successful"


# -- services ------------------------------------------------------------------------------------------------


def test_a_service_selects_exactly_the_versions_pods_and_goes_before_them() -> None:
    world = experiment(
        template("a", service={}), template("b", service={"name": "own"}), duration="10s"
    ).settle()
    services = world.named(objects.SERVICES)
    assert set(services) == {"exp-a", "own"}
    assert services["exp-a"]["spec"] == {
        "selector": world.named(objects.REPLICASETS)["exp-a"]["spec"]["selector"]["matchLabels"],
        "ports": [{"port": 8080, "protocol": "TCP", "targetPort": 8080}],
    }
    assert [world.entry(name)["serviceName"] for name in "ab"] == ["exp-a", "own"]
    world.wait(10)
    world.settle()
    assert world.entry("a")["serviceName"] == "exp-a", "it stands as long as the pods"
    world.wait(30)
    world.settle()
    assert world.named(objects.SERVICES) == {}
    assert "serviceName" not in world.entry("a")
    order = [what for what in world.api.writes if what in ("delete Service exp-a", "patch ReplicaSet exp-a")]
    assert order[-2:] == ["delete Service exp-a", "patch ReplicaSet exp-a"]


def test_several_ports_have_names() -> None:
    pods = template("a", service={})
    pods["template"]["spec"]["containers"][0]["ports"] = [
        {"containerPort": 8080, "name": "http"},
        {"containerPort": 53, "protocol": "UDP"},
    ]
    world = experiment(pods).settle()
    assert [p["name"] for p in world.named(objects.SERVICES)["exp-a"]["spec"]["ports"]] == ["http", "udp-53"]


def test_without_ports_there_is_no_service_and_people_are_told() -> None:
    pods = template("a", service={})
    del pods["template"]["spec"]["containers"][0]["ports"]
    world = experiment(pods).settle()
    assert (world.phase, world.named(objects.SERVICES)) == ("Running", {})
    assert world.reasons().count("NoServicePorts") == 1


def test_a_service_name_that_a_stale_write_lost_comes_back() -> None:
    world = experiment(template("a", service={}), duration="10m").settle()
    stale = [{k: v for k, v in world.entry("a").items() if k != "serviceName"}]
    world.patch(status={"templateStatuses": stale})
    world.settle()
    assert world.entry("a")["serviceName"] == "exp-a"


def test_a_status_decided_on_an_older_view_is_not_written() -> None:
    world = experiment(template("a", service={}), duration="10m")
    world.reconcile()
    world.api.before_write = lambda what: (
        world.patch(metadata={"labels": {"touched": "yes"}}) if what == "patch Experiment exp" else None
    )
    world.ready_pods()
    with pytest.raises(errors.Conflict):
        world.reconcile()
    world.api.before_write = lambda what: None
    world.settle()
    assert world.entry("a")["serviceName"] == "exp-a"


def test_while_the_rollout_sends_traffic_there_the_service_and_its_pods_stay() -> None:
    world = experiment(template("a", service={}), duration="10s", scaleDownDelaySeconds=0)
    additional = [{"serviceName": "exp-a", "weight": 10}]
    rollout = world.api.put(
        objects.ROLLOUTS,
        {"metadata": {"name": "web"}, "status": {"canary": {"weights": {"additional": additional}}}},
    )
    world.patch(metadata={"ownerReferences": [objects.owner_reference(rollout, objects.ROLLOUTS)]})
    world.settle()
    world.wait(11)
    world.settle()
    assert (world.phase, world.sizes(), set(world.named(objects.SERVICES))) == (
        "Successful",
        {"exp-a": 1},
        {"exp-a"},
    )
    world.api.change(objects.ROLLOUTS, "web", {"status": {"canary": {"weights": None}}})
    world.settle()
    assert (world.sizes(), world.named(objects.SERVICES)) == ({"exp-a": 0}, {})


# -- what cannot be ------------------------------------------------------------------------------------------


def test_a_name_that_belongs_to_something_else_is_an_error_and_is_left_alone() -> None:
    world = experiment(template("a"), template("b"))
    world.api.put(objects.REPLICASETS, {"metadata": {"name": "exp-a", "annotations": {
        labels.EXPERIMENT_TEMPLATE: "a"}}, "spec": {"replicas": 7}})  # fmt: skip
    world.settle()
    assert (world.phase, world.states()) == ("Error", {"a": "Error", "b": "Successful"})
    assert world.status["message"] == (
        "Failed to create ReplicaSet 'exp-a' for template 'a': a ReplicaSet of this name exists and belongs "
        "to something else; remove it"
    )
    world.wait(60)
    world.settle()
    assert world.sizes() == {"exp-a": 7, "exp-b": 0}


@pytest.mark.parametrize("name", ["exp-a", "own"], ids=["replica set", "service"])
def test_what_the_api_server_refuses_ends_the_experiment_with_its_words(name: str) -> None:
    world = experiment(template("a", service={"name": "own"}))
    world.api.refuses = {name: "spec.ports: Required value"}
    world.settle()
    assert (world.phase, world.states()) == ("Error", {"a": "Error"})
    assert world.status["message"].endswith(f"'{name}' for template 'a': spec.ports: Required value")


def test_an_invalid_spec_is_said_once_and_nothing_is_created() -> None:
    world = experiment(template("a"), template("a"))
    world.settle()
    assert world.sizes() == {}
    assert world.reasons() == ["InvalidSpec"]
    assert world.conditions() == {"InvalidSpec": ("True", "InvalidSpec")}
    assert "spec.templates[1].name" in world.status["conditions"][0]["message"]
    world.patch(spec={"templates": [template("a")]})
    world.settle()
    assert (world.phase, "InvalidSpec" in world.conditions()) == ("Running", False)


def test_it_is_left_alone_when_it_belongs_to_another_instance() -> None:
    world = experiment(template("a"))
    world.patch(metadata={"labels": {labels.INSTANCE_ID: "other"}})
    assert world.observer.snapshot(KEY, world.api.now) is None


def test_a_status_that_cannot_be_read_is_never_overwritten() -> None:
    world = experiment(template("a")).settle()
    world.patch(status={"templateStatuses": [{"status": "Running"}]})
    with pytest.raises(TerminalError, match=r"status.templateStatuses.0.name: .*run the Experiment again"):
        world.reconcile()


def test_a_cleared_status_runs_the_experiment_again() -> None:
    world = experiment(template("a", service={}), duration="10s").settle()
    world.wait(10)
    world.settle()
    world.wait(30)
    world.settle()
    assert world.sizes() == {"exp-a": 0}
    world.patch(status=None)
    world.settle()
    assert (world.phase, world.sizes()) == ("Running", {"exp-a": 1})
    rs = world.named(objects.REPLICASETS)["exp-a"]
    assert labels.SCALE_DOWN_DEADLINE not in rs["metadata"]["annotations"]
    assert set(world.named(objects.SERVICES)) == {"exp-a"}


def test_a_version_says_since_when_it_is_where_it_is() -> None:
    world = experiment(template("a"), duration="1m").settle()
    since = objects.format_time(world.api.now)
    assert world.entry("a")["lastTransitionTime"] == since
    world.wait(30)
    world.settle()
    assert world.entry("a")["lastTransitionTime"] == since
    world.wait(31)
    world.settle()
    assert world.entry("a")["lastTransitionTime"] == objects.format_time(world.api.now)
