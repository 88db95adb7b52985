"""A change run forward before it is applied."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from rollouts.simulation.rehearsal import Assumptions, Rehearsal, rehearse, run_seconds

METRIC = {"name": "errors", "interval": "10s", "count": 3, "successCondition": "true"}
TEMPLATE = {
    "kind": "AnalysisTemplate",
    "metadata": {"name": "slo"},
    "spec": {"metrics": [{**METRIC, "provider": {"prometheus": {"address": "http://p", "query": "up"}}}]},
}


def rollout(strategy: dict[str, Any], image: str = "web:v1", replicas: int = 4) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
    selector = {"matchLabels": {"app": "web"}}
    spec = {"replicas": replicas, "selector": selector, "template": template, "strategy": strategy}
    return {"metadata": {"name": "web"}, "spec": spec}


def canary(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"canary": {"steps": list(steps), **more}}


def change(strategy: dict[str, Any], **assumed: Any) -> Rehearsal:
    wanted = copy.deepcopy(rollout(strategy, "web:v2"))
    return rehearse(rollout(strategy), wanted, [TEMPLATE], Assumptions(**assumed))


def test_steps_come_with_their_times_weights_and_pods() -> None:
    steps = ({"setWeight": 25}, {"pause": {"duration": "1h"}}, {"setWeight": 50}, {"pause": {}})
    istio = {"istio": {"virtualService": {"name": "web"}}}
    told = change(canary(*steps, stableService="s", canaryService="c", trafficRouting=istio))
    seen = [(m.step, m.weight, m.new_pods, m.new_ready) for m in told.moments]
    assert ("2/4 pause: 1h", 25, 1, 1) in seen
    assert ("4/4 pause", 50, 2, 2) in seen
    assert seen[-1] == ("4/4 done", 0, 4, 4)
    assert told.problem == ""
    assert 3600 <= told.seconds <= 3640
    waits = [m for m in told.moments if m.note == "waits for a person to promote"]
    assert [m.step for m in waits] == ["4/4 pause"]


def test_an_analysis_takes_as_long_as_its_metrics() -> None:
    told = change(canary({"setWeight": 25}, {"analysis": {"templates": [{"templateName": "slo"}]}}))
    assert told.problem == ""
    assert told.seconds >= 20


def test_a_failing_analysis_ends_it() -> None:
    steps = ({"setWeight": 25}, {"analysis": {"templates": [{"templateName": "slo"}]}}, {"setWeight": 50})
    told = change(canary(*steps), verdict="Failed")
    assert told.problem.startswith("RolloutAborted")
    assert max(m.new_pods for m in told.moments) == 1


def test_slower_pods_take_longer() -> None:
    slow, fast = (change(canary({"setWeight": 50}), pod_seconds=s).seconds for s in (30.0, 1.0))
    assert slow - fast >= 29


def test_blue_green_switches_after_its_wait() -> None:
    told = change({"blueGreen": {"activeService": "a", "previewService": "p", "autoPromotionSeconds": 90}})
    assert told.problem == ""
    assert 90 <= told.seconds <= 120


def test_a_first_deploy_needs_no_present_version() -> None:
    told = rehearse(None, rollout(canary({"setWeight": 25})))
    assert told.problem == ""
    assert told.moments[-1].phase == "Healthy"


def test_an_invalid_spec_is_told() -> None:
    told = rehearse(None, rollout(canary({"setWeight": 200})))
    assert "spec.strategy.canary.steps[0].setWeight" in told.problem


@pytest.mark.parametrize(
    ("metric", "seconds"),
    [
        ({}, 0),
        ({"count": 5, "interval": "1m"}, 240),
        ({"initialDelay": "30s"}, 30),
        ({"interval": "1m"}, 10**9),
    ],
    ids=["once", "some", "delayed", "endless"],
)
def test_how_long_a_run_measures(metric: dict[str, Any], seconds: float) -> None:
    assert run_seconds({"metrics": [metric]}) == seconds
