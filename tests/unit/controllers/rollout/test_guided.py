"""What an analysis under way asks for: no more traffic, none at all, successors of pods."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from analysis.spec.guidance import GUIDANCE_KEY, Guidance, of_run, read
from rollouts.controllers.rollout.actions import Decision, EditRoute, EvictPod
from rollouts.controllers.rollout.controller import service_weights
from rollouts.controllers.rollout.decide import decide, guided
from rollouts.controllers.rollout.observe import with_pods
from rollouts.kube import objects
from rollouts.workloads import labels
from tests.unit.controllers.rollout.world import World, basic, routed

JUDGE = {"name": "errors", "provider": {"plugin": {"rollouts.dev/canary": {"address": "http://prometheus"}}}}
ANALYSIS = {"templates": [{"templateName": "judge"}]}
STEPS = [{"setWeight": 25}, {"pause": {"duration": "1m"}}, {"setWeight": 50}, {"pause": {}}]
HELD = Guidance(hold=True, reason="some evidence")
ALONE = Guidance(hold=True, no_traffic=True, replace=("web-a",), reason="suspected")


def judged(steps: list[dict[str, Any]] | None = None, *, router: bool = True, replicas: int = 4) -> World:
    make = routed if router else basic
    world = make(steps or STEPS, replicas=replicas, analysis=ANALYSIS)
    template = {"metadata": {"name": "judge"}, "spec": {"metrics": [JUDGE]}}
    world.api.put(objects.ANALYSIS_TEMPLATES, template)
    world.settle()
    world.deploy("web:v2")
    world.settle()
    return world


def ask(world: World, guidance: Guidance, *, phase: str = "Running", dry: bool = False) -> None:
    """Let the run say what it wants."""
    result = {
        "name": "errors",
        "metadata": {GUIDANCE_KEY: guidance.dump()},
        **({"dryRun": True} if dry else {}),
    }
    (name,) = [
        name for name, run in world.runs().items() if (run.get("status") or {}).get("phase") != "Failed"
    ]
    status = {"phase": phase, "metricResults": [result]}
    world.api.change(objects.ANALYSIS_RUNS, name, {"status": status})


def pod(world: World, name: str, *, version: str = "v2", ready_for: float | None = 600, **meta: Any) -> Any:
    owner = next(
        rs for rs in world.cache.list(objects.REPLICASETS)
        if rs["spec"]["template"]["spec"]["containers"][0]["image"].endswith(version)
    )  # fmt: skip
    conditions = []
    if ready_for is not None:
        since = objects.format_time(world.now - timedelta(seconds=ready_for))
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    reference = objects.owner_reference(owner, objects.REPLICASETS)
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "ownerReferences": [reference], **meta},
        "status": {"conditions": conditions},
    }


def decided(world: World, *pods: Any) -> Decision:
    """Decide as the controller does when the pods were read."""
    return decide(with_pods(world.snapshot(), pods))


def evicted(decision: Decision) -> list[str]:
    return [action.name for action in decision.actions if isinstance(action, EvictPod)]


def test_guidance_survives_being_written() -> None:
    assert read(ALONE.dump()) == ALONE
    assert Guidance(reason="nothing").dump() == ""
    assert read("") == Guidance()
    assert read("[1]").hold
    assert read("{").hold


def test_metrics_on_a_dry_run_ask_for_nothing_and_several_add_up() -> None:
    results = [
        {"name": "a", "metadata": {GUIDANCE_KEY: HELD.dump()}},
        {"name": "b", "metadata": {GUIDANCE_KEY: ALONE.dump()}},
        {"name": "c", "dryRun": True, "metadata": {GUIDANCE_KEY: Guidance(replace=("web-x",)).dump()}},
    ]
    assert of_run({"metricResults": results}) == Guidance(
        hold=True, no_traffic=True, replace=("web-a",), reason="a: some evidence; b: suspected"
    )


def test_a_held_analysis_ends_no_step_and_raises_no_weight() -> None:
    world = judged()
    ask(world, HELD)
    world.wait(120)
    world.settle()
    assert (world.status["currentStepIndex"], world.weights()) == (1, (75, 25))
    assert any("some evidence" in wait for wait in world.decide().waits)
    ask(world, Guidance())
    world.settle()
    assert (world.status["currentStepIndex"], world.weights()) == (3, (50, 50))


def test_a_hold_that_comes_before_the_weight_was_raised_keeps_it() -> None:
    world = judged()
    world.wait(120)
    world.reconcile()
    assert world.status["currentStepIndex"] == 2
    ask(world, HELD)
    world.settle()
    assert (world.status["currentStepIndex"], world.weights()) == (2, (75, 25))


def test_a_hold_after_the_last_step_promotes_nothing() -> None:
    for router in (True, False):
        world = judged([{"setWeight": 25}, {"pause": {"duration": "1m"}}], router=router)
        world.wait(120)
        ask(world, HELD)
        world.settle()
        assert world.status["stableRS"] == world.hash("v1")
        ask(world, Guidance())
        world.settle()
        assert world.status["stableRS"] == world.hash("v2")


def test_the_event_of_a_hold_is_told_once_and_status_names_it() -> None:
    world = judged()
    ask(world, HELD)
    world.settle()
    world.wait(20)
    world.settle()
    assert world.reasons().count("AnalysisRunHolds") == 1
    assert world.status["canary"]["currentBackgroundAnalysisRunStatus"]["message"] == "errors: some evidence"


def test_dry_runs_and_a_promotion_by_a_person_are_not_held() -> None:
    world = judged()
    ask(world, HELD, dry=True)
    world.wait(120)
    world.settle()
    assert world.status["currentStepIndex"] == 3
    ask(world, HELD)
    world.user(promoteFull=True)
    world.settle()
    assert world.status["stableRS"] == world.hash("v2")


def test_a_user_who_skips_the_step_goes_on_but_the_weight_waits() -> None:
    world = judged()
    ask(world, HELD)
    world.settle()
    world.user(currentStepIndex=2, pauseConditions=None, controllerPause=None)
    world.settle()
    assert (world.status["currentStepIndex"], world.weights()) == (2, (75, 25))


def test_a_hold_is_no_missed_deadline() -> None:
    world = judged([{"setWeight": 25}, {"setWeight": 50}, {"pause": {}}])
    world.user(currentStepIndex=0, pauseConditions=None, controllerPause=None)
    ask(world, HELD)
    for _ in range(8):
        world.wait(200)
        world.settle()
    assert world.phase != "Degraded"
    writes = sum(1 for what in world.api.writes if what.endswith("/status"))
    world.wait(10)
    world.settle()
    assert sum(1 for what in world.api.writes if what.endswith("/status")) == writes


def test_a_suspected_lone_pod_loses_its_traffic_then_goes_and_its_successor_gets_the_weight_back() -> None:
    world = judged()
    suspect, successor = pod(world, "web-a"), pod(world, "web-b", ready_for=10)
    ask(world, ALONE)
    assert guided.pods_asked(world.snapshot())
    first = decided(world, suspect)
    assert evicted(first) == []
    assert [edit.raises for edit in first.actions if isinstance(edit, EditRoute)] == [False]
    world.settle()
    assert world.weights() == (100, 0)
    assert service_weights(world.snapshot())["canary"] == 0
    second = decided(world, suspect)
    assert evicted(second) == ["web-a"]
    assert [event.reason for event in second.events if event.reason.startswith("Canary")] == [
        "CanaryPodReplaced"
    ]
    going = pod(world, "web-a", deletionTimestamp=objects.format_time(world.now))
    assert evicted(decided(world, going)) == []
    assert not _raises(decided(world, going, successor)), "ready for 10 s only"
    assert not _raises(decided(world, pod(world, "web-b", ready_for=None))), "not ready"
    after = decided(world, pod(world, "web-b", ready_for=31))
    assert _raises(after)
    assert after.status["currentStepIndex"] == 1, "still held"


def _raises(decision: Decision) -> bool:
    return any(isinstance(action, EditRoute) and action.raises for action in decision.actions)


def test_of_several_pods_the_suspected_one_goes_with_its_traffic_kept() -> None:
    world = judged([{"setWeight": 50}, {"pause": {}}])
    ask(world, Guidance(hold=True, replace=("web-b",), reason="suspected"))
    world.settle()
    assert world.weights() == (50, 50)
    both = (pod(world, "web-a"), pod(world, "web-b"))
    assert evicted(decided(world, *both)) == ["web-b"]
    ask(world, Guidance(hold=True, replace=("b",), reason="suspected"))
    short = f"web-{world.hash('v2')}-b"
    assert evicted(decided(world, pod(world, "other-b"), pod(world, short))) == [short]
    world.ready_pods({world.hash("v2"): 1})
    assert evicted(decided(world, *both)) == [], "another one is missing already"


def test_a_stable_pod_is_never_evicted_whatever_an_analysis_says() -> None:
    world = judged([{"setWeight": 50}, {"pause": {}}])
    ask(world, Guidance(hold=True, replace=("web-s",), reason="suspected"))
    world.settle()
    assert evicted(decided(world, pod(world, "web-s", version="v1"), pod(world, "web-a"))) == []


def test_an_inconclusive_end_keeps_the_traffic_away_until_a_person_goes_on() -> None:
    world = judged()
    ask(world, Guidance(no_traffic=True, reason="used up"), phase="Inconclusive")
    world.settle()
    assert (world.phase, world.weights()) == ("Paused", (100, 0))
    world.user(pauseConditions=None)
    world.settle()
    assert world.weights() == (50, 50), "the pause step is over with it"


def test_an_abort_needs_no_guidance() -> None:
    world = judged()
    ask(world, ALONE)
    world.settle()
    world.user(abort=True)
    world.settle()
    assert (world.phase, world.weights()) == ("Degraded", (100, 0))
    assert not guided.pods_asked(world.snapshot())


def test_a_try_says_how_many_calibrated_analyses_share_its_false_aborts() -> None:
    world = judged([{"setWeight": 25}, {"analysis": ANALYSIS}, {"pause": {}}])
    notes = [run["metadata"]["annotations"] for run in world.runs().values()]
    assert [(note[labels.ANALYSES], note[labels.ATTEMPT]) for note in notes] == [("2", "0"), ("2", "0")]
    single = judged()
    assert labels.ANALYSES not in next(iter(single.runs().values()))["metadata"]["annotations"]


def test_a_new_version_begins_with_its_first_try() -> None:
    world = judged()
    world.user(abort=True)
    world.settle()
    world.user(abort=False)
    world.settle()
    assert world.rollout["metadata"]["annotations"][labels.ATTEMPT] == "1"
    world.deploy("web:v3")
    world.settle()
    assert world.rollout["metadata"]["annotations"][labels.ATTEMPT] == "0"


def test_pods_that_were_not_read_keep_the_traffic_away() -> None:
    world = judged()
    ask(world, ALONE)
    world.settle()
    assert replace(world.snapshot(), pods=None).pods is None
    assert not _raises(world.decide())
