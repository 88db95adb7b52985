"""The experiment step: what is created, what its outcome means, and the traffic that it takes."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.kube import errors, objects
from rollouts.kube.objects import Manifest
from rollouts.workloads import labels
from rollouts.workloads.template_hash import pod_template_hash
from tests.unit.controllers.rollout.world import World, basic, routed

PORTS = {"spec": {"template": {"spec": {"containers": [
    {"name": "web", "image": "web:v1", "ports": [{"containerPort": 8080}]}
]}}}}  # fmt: skip
BASELINE = {"name": "baseline", "specRef": "stable"}
CANARY = {"name": "canary", "specRef": "canary"}


def step(*versions: Manifest, **fields: Any) -> Manifest:
    return {"experiment": {"templates": list(versions or (BASELINE, CANARY)), "duration": "1m", **fields}}


def updating(world: World) -> World:
    """Deploy v1, then v2, up to the experiment."""
    world.api.change(objects.ROLLOUTS, "web", PORTS)
    world.settle()
    container = {**PORTS["spec"]["template"]["spec"]["containers"][0], "image": "web:v2"}  # type: ignore[index]
    world.api.change(objects.ROLLOUTS, "web", {"spec": {"template": {"spec": {"containers": [container]}}}})
    world.settle()
    return world


def experiments(world: World) -> dict[str, Manifest]:
    return {objects.name_of(found): found for found in world.cache.list(objects.EXPERIMENTS)}


def only(world: World) -> Manifest:
    (found,) = experiments(world).values()
    return found


def report(world: World, phase: str, message: str = "", name: str = "") -> None:
    """Let an Experiment say its phase, with a Service for each version that asks for one."""
    found = experiments(world)[name] if name else only(world)
    entries = [
        {
            "name": version["name"], "podTemplateHash": f"hash-{version['name']}",
            **({"serviceName": f"svc-{version['name']}"} if "service" in version else {}),
        }
        for version in found["spec"]["templates"]
    ]  # fmt: skip
    status = {"phase": phase, "message": message, "templateStatuses": entries}
    world.api.change(objects.EXPERIMENTS, objects.name_of(found), {"status": status})


def test_an_experiment_of_both_versions_is_created_and_waited_for() -> None:
    world = updating(basic([step(), {"setWeight": 50}, {"pause": {}}], minReadySeconds=0))
    found = only(world)
    new, stable = world.hash("v2"), world.hash("v1")
    assert objects.name_of(found) == f"web-{new}-2-0"
    assert found["metadata"]["labels"] == {labels.POD_TEMPLATE_HASH: new, "step-index": "0"}
    assert found["metadata"]["annotations"] == {labels.REVISION: "2", labels.ATTEMPT: "0"}
    assert (objects.controller_owner(found) or {})["uid"] == world.rollout["metadata"]["uid"]
    assert found["spec"]["duration"] == "1m"
    baseline, canary = found["spec"]["templates"]
    assert baseline["selector"]["matchLabels"] == {"app": "web", labels.POD_TEMPLATE_HASH: stable}
    assert canary["template"]["metadata"]["labels"] == {"app": "web", labels.POD_TEMPLATE_HASH: new}
    assert [v["template"]["spec"]["containers"][0]["image"] for v in (baseline, canary)] == [
        "web:v1",
        "web:v2",
    ]
    assert world.status["canary"]["currentExperiment"] == objects.name_of(found)
    assert world.reasons().count("ExperimentCreated") == 1
    report(world, "Running")
    world.settle()
    assert world.status["currentStepIndex"] == 0
    report(world, "Successful")
    world.settle()
    assert (world.status["currentStepIndex"], world.phase) == (2, "Paused")
    assert "currentExperiment" not in world.status["canary"]


def test_the_steps_fields_reach_the_experiment() -> None:
    versions = {
        **CANARY, "replicas": 3, "metadata": {"labels": {"role": "exp"}, "annotations": {"note": "n"}},
        "selector": {"matchLabels": {"role": "exp"}}, "service": {"name": "own"},
    }  # fmt: skip
    fields = {
        "analyses": [{
            "name": "x", "templateName": "check", "requiredForCompletion": True,
            "args": [
                {"name": "new", "valueFrom": {"podTemplateHashValue": "Latest"}},
                {"name": "v", "value": "{{templates.canary.podTemplateHash}}"},
            ],
        }],
        "dryRun": [{"metricName": "m"}], "scaleDownDelaySeconds": 7,
        "analysisRunMetadata": {"labels": {"team": "shop"}},
    }  # fmt: skip
    world = basic([step(versions, **fields)])
    world.api.put(objects.ANALYSIS_TEMPLATES, {"metadata": {"name": "check"}, "spec": {"metrics": []}})
    world.spec(progressDeadlineSeconds=99)
    spec = only(updating(world))["spec"]
    new = world.hash("v2")
    (version,) = spec["templates"]
    assert (version["replicas"], version["service"]) == (3, {"name": "own"})
    assert version["selector"] == {"matchLabels": {"role": "exp", labels.POD_TEMPLATE_HASH: new}}
    assert version["template"]["metadata"]["annotations"] == {"note": "n"}
    assert spec["analyses"] == [{
        "name": "x", "templateName": "check", "requiredForCompletion": True,
        "args": [
            {"name": "new", "value": new}, {"name": "v", "value": "{{templates.canary.podTemplateHash}}"},
        ],
    }]  # fmt: skip
    assert spec["progressDeadlineSeconds"] == 99
    assert spec["scaleDownDelaySeconds"] == 7
    assert spec["dryRun"] == [{"metricName": "m"}]
    assert spec["analysisRunMetadata"] == {"labels": {"team": "shop"}}


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_a_bad_outcome_aborts_the_update(phase: str) -> None:
    world = updating(basic([step(), {"pause": {}}]))
    report(world, phase, "too slow")
    world.settle()
    name = objects.name_of(only(world))
    assert (world.phase, world.status["abort"]) == ("Degraded", True)
    assert world.status["message"] == (
        f"RolloutAborted: Rollout aborted update to revision 2: Experiment '{name}' phase {phase}: too slow"
    )
    assert world.reasons().count(f"Experiment{phase}") == 1
    assert "currentExperiment" not in world.status["canary"]


def test_a_retry_runs_a_new_experiment() -> None:
    world = updating(basic([step(), {"pause": {}}]))
    report(world, "Failed")
    world.settle()
    world.user(abort=False)
    world.settle()
    first, second = sorted(experiments(world))
    assert second == f"{first}-1"
    assert world.status["canary"]["currentExperiment"] == second
    assert not world.status.get("abort"), "yesterday's verdict does not count"
    report(world, "Successful", name=second)
    world.settle()
    assert world.status["currentStepIndex"] == 1


def test_an_inconclusive_outcome_pauses_and_going_on_tries_again() -> None:
    world = updating(basic([step(), {"pause": {"duration": "1h"}}]))
    report(world, "Inconclusive", "unclear")
    world.settle()
    assert (world.phase, world.status["message"]) == ("Paused", "InconclusiveExperiment")
    assert world.reasons().count("ExperimentInconclusive") == 1
    world.user(pauseConditions=None)
    world.settle()
    assert len(experiments(world)) == 2
    assert world.status["currentStepIndex"] == 0
    assert not world.status.get("controllerPause")


def test_promoted_past_an_inconclusive_outcome_the_next_pause_holds() -> None:
    world = updating(basic([step(), {"pause": {"duration": "1h"}}]))
    report(world, "Inconclusive")
    world.settle()
    world.user(pauseConditions=None, currentStepIndex=1)
    world.settle()
    assert len(experiments(world)) == 1
    assert (world.phase, world.status["currentStepIndex"]) == ("Paused", 1)
    assert world.status["message"] == "CanaryPauseStep"


@pytest.mark.parametrize(
    "request_",
    [{"abort": True}, {"promoteFull": True}, {"currentStepIndex": 1}],
    ids=["abort", "full", "skip"],
)
def test_a_running_experiment_is_stopped_when_it_decides_nothing_any_more(request_: dict[str, Any]) -> None:
    world = updating(basic([step(), {"pause": {}}]))
    report(world, "Running")
    world.settle()
    world.user(**request_)
    world.settle()
    assert only(world)["spec"]["terminate"] is True
    assert "currentExperiment" not in world.status["canary"]


def test_a_new_version_stops_the_experiment_of_the_last_one() -> None:
    world = updating(basic([step(), {"pause": {}}]))
    report(world, "Running")
    first = objects.name_of(only(world))
    world.deploy("web:v3")
    world.settle()
    found = experiments(world)
    assert found[first]["spec"]["terminate"] is True
    assert len(found) == 2


def test_a_changed_strategy_stops_the_experiment() -> None:
    world = updating(basic([step(), {"pause": {}}]))
    report(world, "Running")
    world.api.put(objects.SERVICES, {"metadata": {"name": "active"}, "spec": {"selector": {"app": "web"}}})
    world.spec(strategy={"canary": None, "blueGreen": {"activeService": "active"}})
    world.settle()
    assert only(world)["spec"]["terminate"] is True


def test_nothing_is_started_on_the_first_deploy_or_while_a_person_pauses() -> None:
    world = basic([step(), {"pause": {}}])
    world.settle()
    assert experiments(world) == {}
    world.spec(paused=True)
    world.deploy("web:v2")
    world.settle()
    assert experiments(world) == {}
    world.spec(paused=False)
    world.settle()
    assert len(experiments(world)) == 1


def test_finished_experiments_beyond_the_limits_are_deleted_oldest_first() -> None:
    world = basic([step(), {"pause": {}}])
    world.spec(analysis={"successfulRunHistoryLimit": 1, "unsuccessfulRunHistoryLimit": 1})
    updating(world)
    for version in range(3, 7):
        newest = max(experiments(world), key=lambda name: int(name.split("-")[2]))
        report(world, "Successful" if version % 2 else "Failed", name=newest)
        world.settle()
        world.wait(10)
        world.deploy(f"web:v{version}")
        world.settle()
    assert sorted(name.split("-")[2] for name in experiments(world)) == ["4", "5", "6"]


def test_an_experiment_that_another_controller_started_is_taken_over() -> None:
    world = updating(basic([step(), {"pause": {}}]))
    name = objects.name_of(only(world))
    world.api.change(
        objects.EXPERIMENTS,
        name,
        {"metadata": {"annotations": {labels.ATTEMPT: None}, "labels": {"step-index": None}}},
    )
    world.settle()
    assert set(experiments(world)) == {name}
    report(world, "Successful")
    world.settle()
    assert world.status["currentStepIndex"] == 1


def test_a_missing_analysis_template_is_an_invalid_spec_that_names_the_field() -> None:
    world = basic([step(analyses=[{"name": "x", "templateName": "nowhere"}])])
    world.settle()
    assert world.phase == "Degraded"
    assert "spec.strategy.canary.steps[0].experiment.analyses[0].templateName" in world.status["message"]


def test_an_analysis_may_come_from_a_template_of_the_cluster() -> None:
    world = basic([step(analyses=[{"name": "x", "templateName": "all", "clusterScope": True}])])
    metric = {"name": "m", "successCondition": "true", "provider": {"web": {"url": "http://metrics"}}}
    world.api.put(
        objects.CLUSTER_ANALYSIS_TEMPLATES, {"metadata": {"name": "all"}, "spec": {"metrics": [metric]}}
    )
    (analysis,) = only(updating(world))["spec"]["analyses"]
    assert (analysis["templateName"], analysis["clusterScope"]) == ("all", True)


# -- traffic -------------------------------------------------------------------------------------------------

WEIGHED = ({**BASELINE, "weight": 10}, {**CANARY, "weight": 5})


def backends(world: World) -> dict[str, tuple[int, int]]:
    refs = world.api.objects[(objects.HTTP_ROUTES, "web")]["spec"]["rules"][0]["backendRefs"]
    return {ref["name"]: (ref["weight"], ref["port"]) for ref in refs}


def test_weighed_versions_take_traffic_from_stable_while_the_experiment_runs() -> None:
    world = updating(routed([{"setWeight": 20}, step(*WEIGHED), {"pause": {}}]))
    assert [v["service"] for v in only(world)["spec"]["templates"]] == [{}, {}]
    report(world, "Pending")
    world.settle()
    assert backends(world) == {"stable": (80, 80), "canary": (20, 80)}
    report(world, "Running")
    world.settle()
    assert backends(world) == {
        "stable": (65, 80), "canary": (20, 80), "svc-baseline": (10, 8080), "svc-canary": (5, 8080),
    }  # fmt: skip
    weights = world.status["canary"]["weights"]
    assert (weights["canary"]["weight"], weights["stable"]["weight"]) == (20, 65)
    assert weights["additional"] == [
        {"weight": 10, "serviceName": "svc-baseline", "podTemplateHash": "hash-baseline"},
        {"weight": 5, "serviceName": "svc-canary", "podTemplateHash": "hash-canary"},
    ]
    report(world, "Successful")
    world.settle()
    assert backends(world) == {"stable": (80, 80), "canary": (20, 80)}
    assert "additional" not in world.status["canary"]["weights"]
    assert world.status["currentStepIndex"] == 2


@pytest.mark.parametrize("change", [{"abort": True}, {"promoteFull": True}], ids=["abort", "full"])
def test_the_versions_lose_their_traffic_before_the_experiment_has_stopped(change: dict[str, Any]) -> None:
    world = updating(routed([{"setWeight": 20}, step(*WEIGHED), {"pause": {}}]))
    report(world, "Running")
    world.settle()
    world.user(**change)
    world.settle()
    assert set(backends(world)) == {"stable", "canary"}
    assert "additional" not in world.status["canary"]["weights"]


def test_traffic_that_a_dead_process_had_sent_there_is_taken_back_after_a_new_version() -> None:
    world = updating(routed([{"setWeight": 20}, step(*WEIGHED), {"pause": {}}]))
    report(world, "Running")
    world.reconcile()
    assert "svc-canary" not in backends(world), "the share is committed before the route names the Service"
    assert len(world.status["canary"]["weights"]["additional"]) == 2
    world.api.after_write = _dies_after("replace HTTPRoute web")
    with pytest.raises(errors.Fenced):
        world.reconcile()
    world.api.after_write = lambda what: None
    assert "svc-canary" in backends(world)
    world.deploy("web:v3")
    world.settle()
    assert set(backends(world)) == {"stable", "canary"}


def _dies_after(write: str) -> Any:
    def die(what: str) -> None:
        if what == write:
            raise errors.Fenced("the process is gone")

    return die


def test_a_weight_without_ports_is_an_error_that_says_so() -> None:
    world = routed([step(*WEIGHED), {"pause": {}}])
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert experiments(world) == {}
    assert world.decide().error == (
        "spec.strategy.canary.steps[0].experiment: templates[0].weight: a version with a weight needs a "
        "container with ports, for the Service in front of it"
    )


def test_the_experiments_pods_are_not_the_rollouts() -> None:
    """The hash of the Experiment's ReplicaSet differs, so no Service of the Rollout selects its pods."""
    world = updating(basic([step(), {"pause": {}}]))
    hashes = {pod_template_hash(version["template"]) for version in only(world)["spec"]["templates"]}
    assert len(hashes | {world.hash("v1"), world.hash("v2")}) == 4


# -- crashes -------------------------------------------------------------------------------------------------

NEXT = {"": "Running", "Running": "Successful"}


def played(verdict: str, fail_at: int | None, *, before: bool) -> World:
    """Run the step with Experiments that move on by themselves; the write number ``fail_at`` goes wrong."""
    world = routed([step(*WEIGHED), {"pause": {}}])
    world.api.change(objects.ROLLOUTS, "web", PORTS)
    world.settle()
    count = 0

    def crash(what: str) -> None:
        nonlocal count
        count += 1
        if count - 1 == fail_at:
            raise errors.Fenced(what)

    if before:
        world.api.before_write = crash
    else:
        world.api.after_write = crash
    container = {"name": "web", "image": "web:v2", "ports": [{"containerPort": 8080}]}
    world.api.change(objects.ROLLOUTS, "web", {"spec": {"template": {"spec": {"containers": [container]}}}})
    for _ in range(200):
        version = world.api.version
        try:
            world.reconcile()
        except errors.KubeError:
            continue
        world.ready_pods()
        world.accept_route()
        _move_on(world, verdict)
        if world.api.version == version:
            if not world.requeue_at or world.requeue_at <= world.now:
                return world
            world.wait((world.requeue_at - world.now).total_seconds())
    raise AssertionError("does not come to rest")


def _move_on(world: World, verdict: str) -> None:
    """Let a running Experiment end once its traffic is there."""
    for name, found in experiments(world).items():
        phase = (found.get("status") or {}).get("phase", "")
        if phase == "Running" and not found["spec"].get("terminate") and "svc-canary" not in backends(world):
            continue
        if phase in NEXT:
            report(world, verdict if phase == "Running" else "Running", name=name)


@pytest.mark.parametrize("before", [False, True], ids=["answer lost", "never sent"])
@pytest.mark.parametrize("verdict", ["Successful", "Failed"])
def test_a_crash_at_any_write_of_the_step_ends_the_same(verdict: str, before: bool) -> None:
    def end(world: World) -> tuple[Any, ...]:
        index = world.status["currentStepIndex"]
        return world.phase, index, world.sizes(), backends(world), len(experiments(world))

    plain = played(verdict, None, before=before)
    assert (plain.phase, len(experiments(plain))) == ("Paused" if verdict == "Successful" else "Degraded", 1)
    assert set(backends(plain)) == {"stable", "canary"}
    for at in range(len(plain.api.writes)):
        assert end(played(verdict, at, before=before)) == end(plain), f"crash at write {at}"
