"""What the status of a Rollout says, field by field, in the states that people and tools read."""

from __future__ import annotations

import pytest

from rollouts.kube import objects
from rollouts.workloads import labels
from rollouts.workloads.template_hash import steps_hash
from tests.unit.controllers.rollout.test_analysis import ANALYSIS, with_template
from tests.unit.controllers.rollout.world import KEY, World, basic, blue_green, ping_pong, routed

STEPS = [{"setWeight": 25}, {"pause": {}}]


def updated(world: World) -> World:
    world.settle()
    world.deploy("web:v2")
    world.settle()
    return world


def test_counts_of_a_canary_are_over_all_versions_and_those_of_the_new_one() -> None:
    world = updated(basic(STEPS))
    assert {name: world.status.get(name) for name in (
        "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "HPAReplicas", "selector",
    )} == {
        "replicas": 4, "updatedReplicas": 1, "readyReplicas": 4, "availableReplicas": 4,
        "HPAReplicas": 4, "selector": "app=web",
    }  # fmt: skip


def test_an_autoscaler_of_a_blue_green_rollout_sees_the_active_version_alone() -> None:
    world = updated(blue_green(autoPromotionEnabled=False))
    active = world.hash("v1")
    assert (world.status["replicas"], world.status["HPAReplicas"]) == (4, 2)
    assert world.status["selector"] == f"app=web,{labels.POD_TEMPLATE_HASH}={active}"
    assert (world.status["readyReplicas"], world.status["availableReplicas"]) == (2, 2)


@pytest.mark.parametrize(("dynamic", "seen"), [(False, 2), (True, 3)])
def test_an_autoscaler_behind_a_router_sees_the_stable_version_alone_where_it_stays_whole(
    dynamic: bool, seen: int
) -> None:
    steps = [{"setCanaryScale": {"replicas": 1}}, {"pause": {}}]
    world = routed(steps, replicas=2, dynamicStableScale=dynamic)
    world.settle()
    assert (world.status["replicas"], world.status["HPAReplicas"]) == (2, 2)
    world.deploy("web:v2")
    world.settle()
    assert (world.status["replicas"], world.status["HPAReplicas"]) == (3, seen)
    assert world.status["selector"] == "app=web"


def test_an_autoscaler_does_not_see_the_old_version_that_waits_for_its_end() -> None:
    world = updated(routed(replicas=2))
    assert (world.phase, world.status["replicas"], world.status["HPAReplicas"]) == ("Healthy", 4, 2)


def test_a_pause_says_reason_and_moment_and_that_it_is_the_controllers() -> None:
    world = updated(basic(STEPS))
    start = objects.format_time(world.now)
    assert world.status["pauseConditions"] == [{"reason": "CanaryPauseStep", "startTime": start}]
    assert world.status["controllerPause"] is True
    assert (world.status["phase"], world.status["message"]) == ("Paused", "CanaryPauseStep")


def test_versions_are_named_by_hash_and_steps_by_theirs() -> None:
    world = updated(basic(STEPS))
    assert world.status["currentPodHash"] == world.hash("v2")
    assert world.status["stableRS"] == world.hash("v1")
    assert world.status["currentStepHash"] == steps_hash(STEPS)
    assert world.status["currentStepIndex"] == 1
    assert world.status["observedGeneration"] == str(objects.generation(world.rollout))


def test_a_user_reads_when_the_abort_was_acted_on() -> None:
    world = updated(basic(STEPS))
    world.user(abort=True)
    at = objects.format_time(world.now)
    world.settle()
    assert (world.status["abort"], world.status["abortedAt"]) == (True, at)


def test_the_request_for_a_full_promotion_goes_once_it_is_done() -> None:
    world = updated(basic(STEPS))
    world.user(promoteFull=True)
    world.settle()
    assert world.phase == "Healthy"
    assert not world.status.get("promoteFull")


def test_conditions_have_all_the_fields_that_the_schema_asks_for() -> None:
    world = updated(basic(STEPS))
    kinds = {condition["type"] for condition in world.status["conditions"]}
    assert {"Available", "Progressing", "Paused", "Completed", "Healthy"} <= kinds
    for condition in world.status["conditions"]:
        assert set(condition) == {
            "type", "status", "reason", "message", "lastUpdateTime", "lastTransitionTime",
        }  # fmt: skip


def test_weights_name_service_and_version_on_both_sides() -> None:
    world = updated(routed(STEPS))
    weights = world.status["canary"]["weights"]
    assert weights["canary"] == {
        "weight": 25, "serviceName": "canary", "podTemplateHash": world.hash("v2"),
    }  # fmt: skip
    assert weights["stable"] == {
        "weight": 75, "serviceName": "stable", "podTemplateHash": world.hash("v1"),
    }  # fmt: skip


def test_runs_under_way_are_pointed_at_with_phase_and_message() -> None:
    steps = [{"setWeight": 25}, {"analysis": ANALYSIS}]
    world = updated(with_template(basic(steps, analysis=ANALYSIS)))
    for name in world.runs():
        world.finish_run(name, "Running", "measuring")
    world.settle()
    for field in ("currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus"):
        pointer = world.status["canary"][field]
        assert pointer["name"] in world.runs()
        assert (pointer["status"], pointer["message"]) == ("Running", "measuring")


@pytest.mark.parametrize("which", ["prePromotionAnalysis", "postPromotionAnalysis"])
def test_runs_around_the_switch_are_pointed_at(which: str) -> None:
    world = updated(with_template(blue_green(**{which: ANALYSIS})))
    pointer = world.status["blueGreen"][f"{which}RunStatus"]
    assert pointer["name"] in world.runs()


def test_blue_green_tells_what_both_services_select_and_that_the_check_point_is_passed() -> None:
    world = updated(blue_green(autoPromotionEnabled=False, previewReplicaCount=1))
    state = world.status["blueGreen"]
    assert (state["activeSelector"], state["previewSelector"]) == (world.hash("v1"), world.hash("v2"))
    assert not state.get("scaleUpPreviewCheckPoint")
    world.user(pauseConditions=None)
    world.reconcile()
    assert world.status["blueGreen"]["scaleUpPreviewCheckPoint"] is True


def test_ping_pong_tells_whose_turn_it_is() -> None:
    world = ping_pong(STEPS)
    world.settle()
    assert world.status["canary"]["stablePingPong"] == "ping"
    world.deploy("web:v2")
    world.settle()
    world.user(pauseConditions=None)
    world.settle()
    assert world.status["canary"]["stablePingPong"] == "pong"


def test_a_name_that_is_taken_raises_the_collision_count() -> None:
    world = basic(STEPS)
    world.settle()
    taken = f"web-{world.hash('v1')}"
    stranger = world.api.objects[(objects.REPLICASETS, taken)]
    container = {"name": "web", "image": "other:v9"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    world.api.objects.clear()
    world.api.put(objects.REPLICASETS, {**stranger, "metadata": {
        "name": taken, "labels": stranger["metadata"]["labels"],
        "ownerReferences": [{"kind": "Deployment", "name": "other", "uid": "other", "controller": True}],
    }, "spec": {**stranger["spec"], "template": template}})  # fmt: skip
    spec = basic(STEPS).rollout["spec"]
    world.api.put(objects.ROLLOUTS, {"metadata": {"name": KEY.name}, "spec": spec})
    world.settle()
    assert world.phase == "Healthy"
    assert world.status["collisionCount"] == 1


def test_an_update_tells_when_it_began() -> None:
    world = basic(STEPS)
    world.settle()
    world.wait(60)
    began = objects.format_time(world.now)
    world.deploy("web:v2")
    world.settle()
    assert world.status["duration"]["rolloutStartedAt"] == began


def test_a_canary_that_becomes_blue_green_tells_of_no_step() -> None:
    world = updated(basic([{"setWeight": 50}]))
    assert world.status["currentStepIndex"] == 1
    service = {"metadata": {"name": "active"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    world.api.put(objects.SERVICES, service)
    world.spec(strategy={"canary": None, "blueGreen": {"activeService": "active"}})
    world.settle()
    assert (world.phase, world.selects("active")) == ("Healthy", "v2")
    assert not {"currentStepIndex", "currentStepHash"} & set(world.status)
