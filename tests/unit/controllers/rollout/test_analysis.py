"""Analysis in an update: which run decides, and what its verdict does."""

from __future__ import annotations

import pytest

from rollouts.kube import objects
from tests.unit.controllers.rollout.world import KEY, World, basic, blue_green

METRIC = {
    "name": "success-rate",
    "count": 1,
    "successCondition": "result[0] > 0.95",
    "provider": {"prometheus": {"address": "http://prometheus", "query": "rate{hash='{{args.hash}}'}"}},
}
ANALYSIS = {
    "templates": [{"templateName": "slo"}],
    "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
}


def with_template(world: World) -> World:
    template = {"metadata": {"name": "slo"}, "spec": {"args": [{"name": "hash"}], "metrics": [METRIC]}}
    world.api.put(objects.ANALYSIS_TEMPLATES, template)
    return world


def at_step_analysis() -> World:
    world = with_template(basic([{"setWeight": 25}, {"analysis": ANALYSIS}, {"pause": {}}]))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    return world


def test_step_starts_one_run_with_resolved_arguments() -> None:
    world = at_step_analysis()
    (name,) = world.runs()
    run = world.runs()[name]
    assert name == f"web-{world.hash('v2')}-2-1"
    assert run["spec"]["args"] == [{"name": "hash", "value": world.hash("v2")}]
    assert run["metadata"]["labels"]["rollout-type"] == "Step"
    assert run["metadata"]["labels"]["step-index"] == "1"
    assert world.status["canary"]["currentStepAnalysisRunStatus"]["name"] == name
    assert world.status["currentStepIndex"] == 1


def test_success_goes_on() -> None:
    world = at_step_analysis()
    world.finish_run(next(iter(world.runs())), "Successful")
    world.settle()
    assert world.status["currentStepIndex"] == 2
    assert "currentStepAnalysisRunStatus" not in world.status["canary"]


def test_failure_aborts_with_the_metric_in_the_message() -> None:
    world = at_step_analysis()
    world.finish_run(next(iter(world.runs())), "Failed", 'Metric "success-rate" assessed Failed')
    world.settle()
    assert world.phase == "Degraded"
    assert 'Metric "success-rate" assessed Failed' in world.status["message"]
    assert world.sizes() == {"v1": 4, "v2": 0}


def test_retry_lets_a_new_run_decide() -> None:
    world = at_step_analysis()
    (first,) = world.runs()
    world.finish_run(first, "Failed", "bad")
    world.settle()
    world.user(abort=False)
    world.settle()
    second = world.status["canary"]["currentStepAnalysisRunStatus"]["name"]
    assert second != first
    assert world.phase == "Progressing"
    world.finish_run(second, "Successful")
    world.settle()
    assert world.status["currentStepIndex"] == 2


def test_process_that_dies_after_creating_the_second_run_does_not_make_a_third() -> None:
    world = at_step_analysis()
    world.finish_run(next(iter(world.runs())), "Failed", "bad")
    world.settle()
    world.user(abort=False)

    def die(what: str) -> None:
        if what.startswith("create AnalysisRun"):
            raise SystemExit(what)

    world.api.after_write = die
    try:
        world.settle()
    except SystemExit:
        world.api.after_write = lambda what: None
    assert len(world.runs()) == 2
    world.finish_run(sorted(world.runs())[-1], "Failed", "bad again")
    world.settle()
    assert len(world.runs()) == 2
    assert world.phase == "Degraded"


def test_inconclusive_pauses_and_going_on_starts_a_new_run() -> None:
    world = at_step_analysis()
    (first,) = world.runs()
    world.finish_run(first, "Inconclusive")
    world.settle()
    assert (world.phase, world.status["message"]) == ("Paused", "InconclusiveAnalysisRun")
    world.user(pauseConditions=None)
    world.settle()
    assert world.status["canary"]["currentStepAnalysisRunStatus"]["name"] != first
    assert world.phase == "Progressing"


def canary(steps: list[dict[str, object]], **strategy: object) -> World:
    """Return a world at the first stop of its update."""
    world = with_template(basic(steps, **strategy))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    return world


def test_an_inconclusive_background_analysis_is_what_a_timed_pause_says_and_outlives_it() -> None:
    steps = [{"setWeight": 10}, {"pause": {"duration": "30s"}}, {"setWeight": 50}, {"pause": {}}]
    world = canary(steps, analysis={**ANALYSIS, "startingStep": 1})
    (name,) = world.runs()
    assert (world.status["currentStepIndex"], world.status["message"]) == (1, "CanaryPauseStep")
    world.wait(15)
    world.finish_run(name, "Inconclusive")
    world.settle()
    assert (world.phase, world.status["message"]) == ("Paused", "InconclusiveAnalysisRun")
    world.wait(20)
    world.settle()
    assert (world.phase, world.status["message"]) == ("Paused", "InconclusiveAnalysisRun")
    assert (world.status["currentStepIndex"], list(world.runs())) == (1, [name])


def test_going_on_after_an_inconclusive_background_analysis_ends_the_pause_step_too() -> None:
    world = canary([{"pause": {}}, {"setWeight": 50}, {"pause": {}}], analysis=ANALYSIS)
    (first,) = world.runs()
    world.finish_run(first, "Inconclusive")
    world.settle()
    world.user(pauseConditions=None)
    world.settle()
    assert (world.phase, world.status["currentStepIndex"]) == ("Paused", 2)
    assert len(world.runs()) == 2


def test_going_on_leaves_the_analyses_in_peace_that_were_not_inconclusive() -> None:
    world = canary([{"setWeight": 25}, {"analysis": ANALYSIS}, {"pause": {}}], analysis=ANALYSIS)
    background, step = sorted(world.runs())
    world.finish_run(step, "Running")
    world.finish_run(background, "Inconclusive")
    world.settle()
    assert (world.phase, world.runs()[step]["spec"].get("terminate")) == ("Paused", None)
    world.user(pauseConditions=None)
    world.settle()
    assert world.status["canary"]["currentStepAnalysisRunStatus"] == {"name": step, "status": "Running"}
    assert world.status["canary"]["currentBackgroundAnalysisRunStatus"]["name"] == f"{background}.1"
    assert len(world.runs()) == 3
    world.finish_run(step, "Successful")
    world.settle()
    assert world.status["currentStepIndex"] == 2


def test_a_person_may_go_past_an_inconclusive_step_and_is_asked_again_once() -> None:
    world = canary([{"analysis": ANALYSIS}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}])
    world.finish_run(next(iter(world.runs())), "Inconclusive")
    world.settle()
    world.user(pauseConditions=None, controllerPause=False, currentStepIndex=1)
    world.settle()
    assert (world.phase, world.status["message"]) == ("Paused", "CanaryPauseStep")
    assert "currentStepAnalysisRunStatus" not in world.status["canary"]
    world.user(pauseConditions=None)
    world.settle()
    assert world.status["currentStepIndex"] == 3


def test_a_person_may_go_past_a_running_analysis_to_the_next_one() -> None:
    world = canary([{"analysis": ANALYSIS}, {"analysis": ANALYSIS}, {"pause": {}}])
    (first,) = world.runs()
    world.finish_run(first, "Running")
    world.user(pauseConditions=None, currentStepIndex=1)
    world.settle()
    second = world.status["canary"]["currentStepAnalysisRunStatus"]["name"]
    assert second == f"web-{world.hash('v2')}-2-1"
    assert world.runs()[first]["spec"]["terminate"] is True
    world.finish_run(second, "Successful")
    world.settle()
    assert world.status["currentStepIndex"] == 2


@pytest.mark.parametrize("user", [{"abort": True}, {"promoteFull": True}])
def test_the_status_says_how_a_stopped_analysis_ended(user: dict[str, bool]) -> None:
    world = canary([{"setWeight": 25}, {"pause": {}}], analysis=ANALYSIS)
    (name,) = world.runs()
    world.finish_run(name, "Running")
    world.settle()
    world.user(**user)
    world.settle(pods=False)
    assert world.runs()[name]["spec"]["terminate"] is True
    world.finish_run(name, "Successful", "Run Terminated")
    world.settle(pods=False)
    assert world.status["canary"]["currentBackgroundAnalysisRunStatus"] == {
        "name": name, "status": "Successful", "message": "Run Terminated",
    }  # fmt: skip


def test_the_status_says_how_a_stopped_analysis_around_the_switch_ended() -> None:
    world = with_template(blue_green(prePromotionAnalysis=ANALYSIS))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    (name,) = world.runs()
    world.finish_run(name, "Running")
    world.user(abort=True)
    world.settle()
    world.finish_run(name, "Inconclusive")
    world.settle()
    assert (world.phase, world.selects("active")) == ("Degraded", "v1")
    assert world.status["blueGreen"]["prePromotionAnalysisRunStatus"]["status"] == "Inconclusive"


def test_runs_of_a_version_whose_replica_set_is_gone_go_too() -> None:
    world = canary([{"setWeight": 25}, {"analysis": ANALYSIS}])
    world.spec(revisionHistoryLimit=0)
    (first,) = world.runs()
    world.finish_run(first, "Failed")
    world.settle()
    assert list(world.runs()) == [first], "its version may be tried again"
    world.deploy("web:v3")
    world.settle()
    assert first not in world.runs()


def test_background_run_is_stopped_when_the_update_is_over() -> None:
    world = with_template(basic([{"setWeight": 25}, {"pause": {}}], analysis=ANALYSIS))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    (name,) = world.runs()
    world.finish_run(name, "Running")
    world.user(pauseConditions=None)
    world.settle()
    assert world.runs()[name]["spec"]["terminate"] is True
    assert world.phase == "Healthy"


def test_background_failure_aborts() -> None:
    world = with_template(basic([{"setWeight": 25}, {"pause": {}}], analysis=ANALYSIS))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    world.finish_run(next(iter(world.runs())), "Error", "no connection")
    world.settle()
    assert world.status["abort"] is True
    assert "Background analysis phase error/failed: no connection" in world.status["message"]


def test_missing_template_makes_the_spec_invalid() -> None:
    world = basic([{"analysis": ANALYSIS}])
    world.reconcile()
    assert world.phase == "Degraded"
    message = world.status["message"]
    assert "spec.strategy.canary.steps[0].analysis.templates[0].templateName" in message
    assert len(world.status["conditions"]) == 1
    with_template(world)
    world.settle()
    assert world.phase == "Healthy"


def test_argument_without_a_value_makes_the_spec_invalid_before_any_update() -> None:
    world = with_template(basic([{"analysis": {"templates": ANALYSIS["templates"]}}]))
    world.reconcile()
    assert world.phase == "Degraded"
    assert "spec.strategy.canary.steps[0].analysis.args" in world.status["message"]
    assert "args.hash was not resolved" in world.status["message"]


def test_two_metrics_of_one_name_make_the_spec_invalid() -> None:
    templates = [{"templateName": "slo"}, {"templateName": "other"}]
    world = with_template(basic([{"analysis": {**ANALYSIS, "templates": templates}}]))
    spec = {"args": [{"name": "hash"}], "metrics": [METRIC]}
    world.api.put(objects.ANALYSIS_TEMPLATES, {"metadata": {"name": "other"}, "spec": spec})
    world.reconcile()
    assert "two metrics have the same name 'success-rate'" in world.status["message"]


def test_blue_green_waits_for_the_analysis_before_the_switch() -> None:
    world = with_template(blue_green(prePromotionAnalysis=ANALYSIS))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert world.selects("active") == "v1"
    (name,) = world.runs()
    assert name == f"web-{world.hash('v2')}-2-pre"
    world.finish_run(name, "Successful")
    world.settle()
    assert world.selects("active") == "v2"
    assert world.phase == "Healthy"


def test_failed_analysis_before_the_switch_aborts() -> None:
    world = with_template(blue_green(prePromotionAnalysis=ANALYSIS))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    world.finish_run(next(iter(world.runs())), "Failed", "bad")
    world.settle()
    assert world.selects("active") == "v1"
    assert world.phase == "Degraded"


def test_failed_analysis_after_the_switch_switches_back() -> None:
    world = with_template(blue_green(postPromotionAnalysis=ANALYSIS))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert world.selects("active") == "v2"
    assert world.status["stableRS"] == world.hash("v1")
    world.finish_run(next(iter(world.runs())), "Failed", "bad")
    world.settle()
    assert world.selects("active") == "v1"
    assert world.phase == "Degraded"
    world.wait(31)
    world.settle()
    assert world.sizes() == {"v1": 2, "v2": 0}


def test_successful_analysis_after_the_switch_makes_stable() -> None:
    world = with_template(blue_green(postPromotionAnalysis=ANALYSIS))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    world.finish_run(next(iter(world.runs())), "Successful")
    world.settle()
    assert world.phase == "Healthy"
    assert world.status["stableRS"] == world.hash("v2")
    assert KEY.name == "web"
