"""What `explain` tells of each state: from real decisions on plain objects."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from rollouts.controllers.rollout import actions as act
from rollouts.controllers.rollout.decide import decide
from rollouts.controllers.rollout.explain import Explanation, explain
from rollouts.controllers.rollout.explain.actions import describe
from rollouts.controllers.rollout.explain.reasons import TOLD_BETTER
from rollouts.kube import objects
from tests.unit.controllers.rollout.world import World, basic, blue_green, hash_of, rollout_spec, routed

SLO = {
    "metrics": [
        {
            "name": "errors", "interval": "10s", "count": 4, "failureLimit": 1,
            "successCondition": "result[0] < 0.01",
            "provider": {"prometheus": {"address": "http://prometheus:9090", "query": "up"}},
        }
    ]
}  # fmt: skip


def told(world: World, *pods: dict[str, Any]) -> Explanation:
    snapshot = world.snapshot()
    runs = list(world.cache.list(objects.ANALYSIS_RUNS))
    return explain(snapshot, decide(snapshot), pods, runs)


def texts(lines: Any) -> list[str]:
    return [line.text for line in lines]


def verbs(explanation: Explanation) -> list[str]:
    return [" ".join(c.command.split()[:2]) for c in explanation.commands]


def updated(world: World, **pods: Any) -> World:
    world.settle()
    world.deploy("web:v2")
    world.settle(**pods)
    return world


def pod_of(world: World, tag: str, name: str, **status: Any) -> dict[str, Any]:
    rs = next(rs for rs in world.cache.list(objects.REPLICASETS) if hash_of(rs) == world.hash(tag))
    owner = {"kind": "ReplicaSet", "name": objects.name_of(rs), "uid": objects.uid_of(rs), "controller": True}
    return {"metadata": {"name": name, "ownerReferences": [owner]}, "spec": {}, "status": status}


def crashed(world: World, name: str) -> dict[str, Any]:
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    last = {"terminated": {"exitCode": 1}}
    container = {"name": "web", "restartCount": 3, "state": state, "lastState": last}
    return pod_of(world, "v2", name, phase="Running", containerStatuses=[container])


# -- paused -------------------------------------------------------------------------------------------------


def test_a_pause_without_end_waits_for_a_person_and_names_the_command() -> None:
    world = updated(basic([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]))
    world.wait(90)
    seen = told(world)
    assert seen.headline == "The update to revision 2, step 2 of 3, is held until a person goes on."
    assert texts(seen.why) == ["waits for a person to promote; paused"]
    assert seen.why[0].at == "2026-01-01T12:00:00Z"
    assert texts(seen.next) == [
        "step 3: setWeight: 50",
        "full promotion: revision 2 becomes the stable version",
    ]
    assert [line.at for line in seen.next] == ["", ""]
    assert seen.commands[0].command == "rollouts promote web -n shop"


def test_a_timed_pause_tells_when_each_later_step_begins() -> None:
    steps = [
        {"pause": {"duration": "2m"}},
        {"setWeight": 50},
        {"pause": {"duration": "1h"}},
        {"setWeight": 80},
    ]
    world = updated(basic(steps))
    seen = told(world)
    assert [(line.text, line.at) for line in seen.why] == [
        ("waits for the pause to end", "2026-01-01T12:02:00Z")
    ]
    assert [(line.text, line.at[11:19]) for line in seen.next] == [
        ("step 2: setWeight: 50", "12:02:00"),
        ("step 3: pause for 1h", "12:02:00"),
        ("step 4: setWeight: 80", "13:02:00"),
        ("full promotion: revision 2 becomes the stable version", "13:02:00"),
    ]


def test_times_end_where_a_person_decides() -> None:
    world = updated(basic([{"pause": {"duration": "2m"}}, {"pause": {}}, {"setWeight": 50}]))
    assert [line.at != "" for line in told(world).next] == [True, False, False]


def test_a_hold_by_a_person_is_told_with_the_way_out() -> None:
    world = updated(basic([{"setWeight": 25}, {"pause": {"duration": "1m"}}]))
    world.spec(paused=True)
    world.settle()
    seen = told(world)
    assert "waits for a person to resume: spec.paused is set" in texts(seen.why)
    assert seen.commands[0].command == "rollouts resume web -n shop"


# -- pods ---------------------------------------------------------------------------------------------------


def test_pods_that_are_not_ready_are_named_with_their_reason_and_where_to_look() -> None:
    world = updated(basic([{"setWeight": 25}]), pods=False)
    seen = told(world, crashed(world, "web-a"))
    assert "pod web-a: container web: CrashLoopBackOff, exit code 1, restarted 3 times" in texts(seen.why)
    assert [c.command for c in seen.commands[:2]] == [
        "kubectl -n shop describe pod web-a",
        "kubectl -n shop logs web-a --previous",
    ]


def test_pods_with_the_same_trouble_are_told_once() -> None:
    world = updated(basic([{"setWeight": 100}]), pods=False)
    seen = told(world, *(crashed(world, f"web-{i}") for i in range(5)))
    assert (
        "5 pods (web-0, web-1, web-2 and 2 more): container web: CrashLoopBackOff, exit code 1, "
        "restarted 3 times" in texts(seen.why)
    )


def test_a_refused_pod_is_told_with_the_words_of_the_replica_set() -> None:
    world = updated(basic([{"setWeight": 25}]), pods=False)
    name = next(
        objects.name_of(rs) for rs in world.cache.list(objects.REPLICASETS) if hash_of(rs) == world.hash("v2")
    )
    failure = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota",
    }
    world.api.change(objects.REPLICASETS, name, {"status": {"conditions": [failure]}})
    assert f"ReplicaSet {name} cannot create pods: exceeded quota" in texts(told(world).why)


def test_an_update_that_moves_tells_when_it_would_count_as_stuck() -> None:
    world = updated(basic([{"setWeight": 25}], replicas=4), pods=False)
    late = [line for line in told(world).next if line.text == "if nothing moves, it counts as Degraded"]
    assert [line.at for line in late] == ["2026-01-01T12:10:00Z"]


def test_a_missed_progress_deadline_is_the_headline() -> None:
    world = updated(basic([{"setWeight": 25}]), pods=False)
    world.wait(700)
    world.settle(pods=False)
    seen = told(world)
    assert (
        seen.headline
        == "The update to revision 2, step 1 of 1, has not moved for longer than its progress deadline."
    )
    assert "rollouts abort" in verbs(seen)


# -- traffic ------------------------------------------------------------------------------------------------


def test_a_gateway_that_has_not_accepted_is_what_it_waits_for() -> None:
    world = routed([{"setWeight": 20}, {"pause": {}}])
    world.settle()
    world.accept_route()
    updated(world)
    seen = told(world)
    assert "traffic: 20 % asked for the new version, 20 % in force (written, not seen in force yet)" in texts(
        seen.position
    )
    assert any(text.startswith("waits for traffic weight 20 to be in force") for text in texts(seen.why))
    world.accept_route()
    world.settle()
    assert "traffic: 20 % asked for the new version, 20 % in force (seen in force)" in texts(
        told(world).position
    )


def test_a_route_that_is_missing_is_named() -> None:
    world = routed([{"setWeight": 20}])
    world.settle()
    world.api.objects.pop((objects.HTTP_ROUTES, "web"))
    world.deploy("web:v2")
    world.settle()
    assert any("HTTPRoute shop/web not found" in text for text in texts(told(world).why))


# -- analysis -----------------------------------------------------------------------------------------------


def analysed() -> World:
    world = basic(
        [{"setWeight": 25}, {"analysis": {"templates": [{"templateName": "slo"}]}}, {"setWeight": 50}]
    )
    world.api.put(objects.ANALYSIS_TEMPLATES, {"metadata": {"name": "slo"}, "spec": SLO})
    return updated(world)


def test_an_analysis_tells_value_condition_and_failures_left() -> None:
    world = analysed()
    (name,) = world.runs()
    measurement = {"phase": "Failed", "value": "[0.02]", "finishedAt": "2026-01-01T12:00:05Z"}
    result = {"name": "errors", "phase": "Running", "failed": 1, "count": 1, "measurements": [measurement]}
    world.api.change(objects.ANALYSIS_RUNS, name, {"status": {"phase": "Running", "metricResults": [result]}})
    world.settle()
    seen = told(world)
    line = next(line for line in seen.why if "metric errors" in line.text)
    assert line.text == (
        f"step analysis {name}, metric errors is Running: [0.02] against result[0] < 0.01; "
        "measurement 1 of 4; 1 failed, 1 tolerated, 0 left"
    )
    assert line.at == "2026-01-01T12:00:15Z"
    assert (seen.next[0].text, seen.next[0].at) == ("step 3: setWeight: 50", "2026-01-01T12:00:30Z")
    assert f"rollouts get analysisrun {name} -n shop" in [c.command for c in seen.commands]


def test_an_abort_by_analysis_tells_why_and_how_to_go_on() -> None:
    world = analysed()
    (name,) = world.runs()
    world.finish_run(name, "Failed", 'Metric "errors" assessed Failed due to failed (2) > failureLimit (1)')
    world.settle()
    seen = told(world)
    assert seen.headline == "The update to revision 2 is aborted; users are sent to the stable version."
    assert seen.why[0].text == (
        "aborted because: Step-based analysis phase error/failed: "
        'Metric "errors" assessed Failed due to failed (2) > failureLimit (1)'
    )
    assert [verb for verb in verbs(seen) if verb != "rollouts get"] == ["rollouts retry", "rollouts undo"]


def test_an_inconclusive_analysis_asks_a_person() -> None:
    world = analysed()
    (name,) = world.runs()
    world.finish_run(name, "Inconclusive")
    world.settle()
    assert "waits for a person to decide, for an analysis was inconclusive; paused" in texts(told(world).why)


def test_an_abort_by_a_person_is_told_as_such() -> None:
    world = updated(basic([{"setWeight": 25}, {"pause": {}}]))
    world.user(abort=True)
    world.settle()
    seen = told(world)
    assert texts(seen.why)[0] == "aborted by a person (status.abort was set)"
    assert texts(seen.next)[-1].startswith("it stays on the stable version until somebody retries")


# -- blue-green ---------------------------------------------------------------------------------------------


def test_blue_green_tells_what_the_services_select_and_when_they_switch() -> None:
    world = updated(blue_green(autoPromotionSeconds=30))
    seen = told(world)
    assert texts(seen.position)[:2] == [
        "active Service active selects revision 1",
        "preview Service preview selects revision 2",
    ]
    assert (seen.why[0].text, seen.why[0].at) == ("waits for the pause to end", "2026-01-01T12:00:30Z")
    assert (seen.next[0].text, seen.next[0].at) == (
        "Service active is switched to revision 2", "2026-01-01T12:00:30Z",
    )  # fmt: skip


# -- nothing to do, or nothing done -------------------------------------------------------------------------


def test_a_healthy_rollout_needs_nothing() -> None:
    world = basic([{"setWeight": 25}])
    world.settle()
    seen = told(world)
    assert seen.headline == "Revision 1 is the stable version and has all its pods; no update is under way."
    assert (seen.why, seen.next, seen.commands, seen.actions) == ((), (), (), ())


def test_an_invalid_spec_is_told_by_the_path_of_the_field() -> None:
    world = World(
        rollout_spec({"canary": {"canaryService": "nope", "stableService": "stable"}}), services=("stable",)
    )
    world.settle()
    seen = told(world)
    assert texts(seen.why) == [
        'spec.strategy.canary.canaryService: Invalid value: "nope": service "nope" not found; '
        "create it or correct the name"
    ]
    assert [c.command for c in seen.commands] == ["kubectl -n shop edit rollout web"]


def test_a_spec_that_no_controller_has_seen_is_told_first() -> None:
    world = updated(basic([{"setWeight": 25}, {"pause": {}}]))
    world.deploy("web:v3")
    assert texts(told(world).why)[0] == (
        "waits for the controller to take note of the spec: it has seen generation 2, the spec is at 3. "
        "If this stays, no controller is running"
    )


def test_actions_that_are_due_are_described() -> None:
    world = basic([{"setWeight": 25}])
    assert any(text.startswith("create ReplicaSet web-") for text in told(world).actions)


# -- guards -------------------------------------------------------------------------------------------------


def test_every_action_has_words() -> None:
    samples: dict[str, Any] = {"body": {"metadata": {"name": "x"}}, "metadata": {}, "annotations": {}}
    for kind in typing.get_args(act.Action):
        if kind is act.EditRoute:
            continue
        fields = {
            name: samples.get(name, 0 if "int" in str(f.type) else "x")
            for name, f in kind.__dataclass_fields__.items()
            if name != "event"
        }
        assert describe(kind(**fields))


@pytest.mark.parametrize("world", [
    pytest.param(lambda: updated(basic([{"pause": {}}])), id="pause"),
    pytest.param(lambda: updated(basic([{"pause": {"duration": 30}}])), id="timed pause"),
    pytest.param(lambda: updated(blue_green(autoPromotionSeconds=30)), id="automatic promotion"),
    pytest.param(lambda: updated(blue_green(autoPromotionEnabled=False)), id="manual promotion"),
    pytest.param(analysed, id="analysis"),
])  # fmt: skip
def test_what_decisions_say_less_well_is_left_out_only_where_something_better_is_said(world: Any) -> None:
    made = world()
    waits = made.decide().waits
    assert any(text.startswith(TOLD_BETTER) for text in waits)
    why = texts(told(made).why)
    assert why
    assert not any(
        text.removeprefix("waits for ") in waits for text in why if text.startswith("waits for AnalysisRun")
    )
