"""The canary strategy without a router, from first deploy to promotion, abort and retry."""

from __future__ import annotations

from rollouts.kube import objects
from tests.unit.controllers.rollout.world import World, basic, routed

STEPS = [{"setWeight": 25}, {"pause": {}}]


def deployed(world: World) -> World:
    world.settle()
    assert world.phase == "Healthy"
    return world


def updating(world: World) -> World:
    deployed(world)
    world.events.clear()
    world.deploy("web:v2")
    world.settle()
    return world


def test_first_deploy_goes_to_full_size_at_once() -> None:
    world = deployed(basic(STEPS))
    assert world.sizes() == {"v1": 4}
    assert world.status["stableRS"] == world.hash("v1") == world.status["currentPodHash"]
    assert world.status["currentStepIndex"] == 2


def test_update_stops_at_the_pause() -> None:
    world = updating(basic(STEPS))
    assert world.sizes() == {"v1": 3, "v2": 1}
    assert (world.phase, world.status["message"]) == ("Paused", "CanaryPauseStep")
    assert world.status["currentStepIndex"] == 1


def test_promotion_takes_the_update_to_the_end() -> None:
    world = updating(basic(STEPS))
    world.user(pauseConditions=None)
    world.settle()
    assert world.phase == "Healthy"
    assert world.sizes() == {"v1": 0, "v2": 4}
    assert world.status["stableRS"] == world.hash("v2")


def test_abort_goes_back_to_stable() -> None:
    world = updating(basic(STEPS))
    world.user(abort=True)
    world.settle()
    assert world.phase == "Degraded"
    assert world.status["message"] == "RolloutAborted: Rollout aborted update to revision 2"
    assert world.sizes() == {"v1": 4, "v2": 0}
    assert world.status["currentStepIndex"] == 0


def test_retry_runs_the_steps_again() -> None:
    world = updating(basic(STEPS))
    world.user(abort=True)
    world.settle()
    world.user(abort=False)
    world.settle()
    assert (world.phase, world.status["currentStepIndex"]) == ("Paused", 1)
    assert "abortedAt" not in world.status


def test_events_of_abort_retry_promote_come_in_the_known_order() -> None:
    world = basic([{"setWeight": 50}, {"pause": {}}], replicas=1)
    world.settle()
    world.deploy("web:v2")
    world.settle()
    world.user(abort=True)
    world.settle()
    world.user(abort=False)
    world.settle()
    world.user(pauseConditions=None)
    world.settle()
    assert world.reasons() == [
        "RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted", "ScalingReplicaSet",
        "RolloutCompleted", "RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted",
        "ScalingReplicaSet", "RolloutStepCompleted", "RolloutPaused", "ScalingReplicaSet",
        "RolloutAborted", "ScalingReplicaSet", "RolloutStepCompleted", "RolloutPaused",
        "RolloutStepCompleted", "RolloutResumed", "ScalingReplicaSet", "RolloutCompleted",
    ]  # fmt: skip


def test_timed_pause_ends_by_itself() -> None:
    world = updating(basic([{"setWeight": 50}, {"pause": {"duration": "30s"}}]))
    assert world.phase == "Paused"
    world.wait(29)
    world.settle()
    assert world.phase == "Paused"
    world.wait(1)
    world.settle()
    assert world.phase == "Healthy"


def test_full_promotion_skips_pauses() -> None:
    world = updating(basic([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]))
    world.user(promoteFull=True)
    world.settle()
    assert world.phase == "Healthy"
    assert "promoteFull" not in world.status
    assert world.sizes() == {"v1": 0, "v2": 4}


def test_going_back_to_stable_skips_all_steps() -> None:
    world = updating(basic(STEPS))
    world.deploy("web:v1")
    world.settle()
    assert world.phase == "Healthy"
    assert world.sizes() == {"v1": 4, "v2": 0}
    assert "SkipSteps" in world.reasons()
    assert world.rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "3"


def test_third_version_overtakes_the_second() -> None:
    world = updating(basic(STEPS))
    world.deploy("web:v3")
    world.settle()
    assert world.sizes() == {"v1": 3, "v2": 0, "v3": 1}
    assert world.status["currentStepIndex"] == 1


def test_missing_replicas_are_written_as_one() -> None:
    world = basic(replicas=None)
    world.settle()
    assert world.rollout["spec"]["replicas"] == 1
    assert world.phase == "Healthy"


def test_old_revisions_beyond_the_limit_are_deleted() -> None:
    world = basic()
    world.spec(revisionHistoryLimit=1)
    for number in range(1, 5):
        world.deploy(f"web:v{number}")
        world.settle()
        world.wait(1)
    assert set(world.sizes()) == {"v3", "v4"}


def test_a_revision_that_came_back_is_no_old_one() -> None:
    world = basic()
    world.spec(revisionHistoryLimit=1)
    for number in (1, 2, 1, 3):
        world.deploy(f"web:v{number}")
        world.settle()
        world.wait(1)
    assert set(world.sizes()) == {"v1", "v3"}


def test_a_step_is_complete_when_the_old_pods_that_it_takes_are_gone() -> None:
    world = updating(basic([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]))
    world.user(pauseConditions=None)
    for _ in range(20):
        world.reconcile()
        grown = {world.hash("v1"): 9, world.hash("v2"): 9}
        world.ready_pods(grown)
        old = world.api.objects[(objects.REPLICASETS, f"web-{world.hash('v1')}")]
        late = {"status": {**old["status"], "replicas": 3}}
        world.api.change(objects.REPLICASETS, f"web-{world.hash('v1')}", late)
    assert world.sizes() == {"v1": 2, "v2": 2}
    assert world.status["currentStepIndex"] == 2
    world.settle()
    assert world.status["currentStepIndex"] == 3


def test_user_pause_holds_the_step() -> None:
    world = basic([{"setWeight": 50}, {"setWeight": 75}, {"pause": {}}])
    deployed(world)
    world.spec(paused=True)
    world.deploy("web:v2")
    world.settle()
    assert (world.phase, world.status["message"]) == ("Paused", "manually paused")
    assert world.status["currentStepIndex"] == 0
    world.spec(paused=False)
    world.settle()
    assert world.status["currentStepIndex"] == 2


def test_user_pause_between_updates_interrupts_no_progress() -> None:
    world = deployed(basic(STEPS))
    world.spec(paused=True)
    world.settle()
    conditions = {c["type"]: (c["status"], c["reason"]) for c in world.status["conditions"]}
    assert conditions["Progressing"] == ("True", "NewReplicaSetAvailable")
    assert conditions["Paused"] == ("True", "RolloutPaused")
    assert (world.phase, world.status["message"]) == ("Paused", "manually paused")
    before = list(world.api.writes)
    world.reconcile()
    assert world.api.writes == before
    world.spec(paused=False)
    world.settle()
    assert world.phase == "Healthy"


def test_stable_version_that_never_changes_causes_no_write() -> None:
    world = deployed(basic(STEPS))
    before = list(world.api.writes)
    world.wait(3600)
    world.reconcile()
    assert world.api.writes == before


def test_missed_deadline_degrades_and_aborts_where_asked() -> None:
    world = basic([{"setWeight": 50}])
    world.spec(progressDeadlineSeconds=60, progressDeadlineAbort=True)
    deployed(world)
    world.deploy("web:v2")
    world.settle(pods=False)
    world.wait(62)
    world.settle(pods=False)
    assert world.status["abort"] is True
    assert world.status["message"].startswith("RolloutAborted: Rollout aborted update to revision 2: Repl")


def test_without_a_router_the_share_that_pods_give_is_told_once_per_step() -> None:
    world = basic([{"setWeight": 5}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}])
    world.settle()
    world.deploy("web:v2")
    world.settle()
    told = [event.message for event in world.events if event.reason == "TrafficWeightApproximated"]
    assert len(told) == 1
    assert told[0].startswith("setWeight asked for 5 %, 1 of 5 pods give 20 %")

    world.user(pauseConditions=None)
    world.settle()
    assert world.reasons().count("TrafficWeightApproximated") == 1, "50 % is what 2 of 4 pods give"


def test_with_a_router_nothing_is_told_of_pods_shares() -> None:
    world = routed([{"setWeight": 5}, {"pause": {}}])
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert "TrafficWeightApproximated" not in world.reasons()
