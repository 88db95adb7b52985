"""Analyses of an Experiment: when they start, what they get, and what their verdicts mean."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.kube import objects
from tests.unit.controllers.experiment.world import METRIC, World, analysis, experiment, template


def runs(world: World) -> dict[str, Any]:
    return world.named(objects.ANALYSIS_RUNS)


def test_analyses_start_only_when_all_versions_are_available() -> None:
    world = experiment(analyses=[analysis("pass")])
    world.reconcile()
    world.ready_pods(a=0)
    world.settle(pods=False)
    assert runs(world) == {}
    world.settle()
    assert set(runs(world)) == {"exp-pass"}
    assert world.status["analysisRuns"] == [{"name": "pass", "analysisRun": "exp-pass", "phase": "Pending"}]
    owner = objects.controller_owner(runs(world)["exp-pass"])
    assert (owner or {}).get("kind") == "Experiment"


@pytest.mark.parametrize("phase", ["Failed", "Error", "Inconclusive"])
def test_a_bad_verdict_ends_the_experiment_at_once_and_stops_the_others(phase: str) -> None:
    world = experiment(analyses=[analysis("x"), analysis("y")], duration="1h").settle()
    world.verdict("exp-y", "Running")
    world.verdict("exp-x", phase, "it was seen").settle()
    assert (world.phase, world.status["message"]) == (phase, "analysis 'x': it was seen")
    assert world.states() == {"a": "Successful", "b": "Successful"}
    assert runs(world)["exp-y"]["spec"]["terminate"] is True
    assert "terminate" not in runs(world)["exp-x"]["spec"]
    assert [e.type for e in world.events if e.reason == f"Experiment{phase}"] == ["Warning"]
    world.verdict("exp-y", "Successful").settle()
    assert world.phases() == {"x": phase, "y": "Successful"}
    assert world.phase == phase


def test_the_worst_of_several_verdicts_counts() -> None:
    world = experiment(analyses=[analysis("x"), analysis("y"), analysis("z")]).settle()
    world.verdict("exp-x", "Inconclusive").verdict("exp-y", "Failed").verdict("exp-z", "Error").settle()
    assert world.phase == "Failed"


def test_the_duration_stops_what_is_not_required_and_waits_for_what_is() -> None:
    required = analysis("x", requiredForCompletion=True)
    world = experiment(analyses=[required, analysis("y")], duration="1m").settle()
    world.verdict("exp-x", "Running").verdict("exp-y", "Running").settle()
    world.wait(60)
    world.settle()
    assert world.phase == "Running"
    assert runs(world)["exp-y"]["spec"]["terminate"] is True
    assert "terminate" not in runs(world)["exp-x"]["spec"]
    world.verdict("exp-y", "Inconclusive").settle()
    assert world.phase == "Running", "what was stopped before it could know decides nothing"
    world.verdict("exp-x", "Successful").settle()
    assert (world.phase, world.sizes()) == ("Successful", {"exp-a": 1, "exp-b": 1})


def test_required_analyses_that_succeed_end_it_before_its_duration_is_over() -> None:
    required = analysis("x", requiredForCompletion=True)
    world = experiment(analyses=[required, analysis("y")], duration="1h").settle()
    world.verdict("exp-y", "Running").verdict("exp-x", "Successful").settle()
    assert (world.phase, runs(world)["exp-y"]["spec"]["terminate"]) == ("Running", True)
    world.verdict("exp-y", "Successful").settle()
    assert world.phase == "Successful"


def test_without_a_duration_the_required_analyses_end_it() -> None:
    world = experiment(
        analyses=[analysis("x", requiredForCompletion=True), analysis("y", requiredForCompletion=True)]
    ).settle()
    world.verdict("exp-x", "Successful").settle()
    assert world.phase == "Running"
    world.verdict("exp-y", "Successful").settle()
    assert world.phase == "Successful"


def test_terminating_waits_for_the_runs_to_stop() -> None:
    world = experiment(analyses=[analysis("x", requiredForCompletion=True)]).settle()
    world.verdict("exp-x", "Running")
    world.patch(spec={"terminate": True})
    world.settle()
    assert (world.phase, runs(world)["exp-x"]["spec"]["terminate"]) == ("Running", True)
    world.verdict("exp-x", "Successful").settle()
    assert world.phase == "Successful"


ARGS = [
    ("{{templates.a.podTemplateHash}}", "hash"),
    ("{{ templates.b.replicaset.name }}", "exp-b"),
    ("from {{experiment.availableAt}} to {{experiment.finishedAt}}",
     "from 2026-01-01T12:00:00Z to 2026-01-01T12:01:30Z"),
    ("plain", "plain"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "wanted"), ARGS)
def test_arguments_can_name_versions_and_times(value: str, wanted: str) -> None:
    args = [{"name": "q", "value": value}]
    world = experiment(analyses=[analysis("x", args=args)], duration="90s")
    world.api.change(objects.ANALYSIS_TEMPLATES, "x", {"spec": {"args": [{"name": "q"}]}})
    world.settle()
    if wanted == "hash":
        wanted = world.entry("a")["podTemplateHash"]
    assert runs(world)["exp-x"]["spec"]["args"] == [{"name": "q", "value": wanted}]


def test_arguments_come_from_fields_and_secrets_too() -> None:
    args = [
        {"name": "q", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "s", "valueFrom": {"secretKeyRef": {"name": "token", "key": "value"}}},
    ]
    world = experiment(analyses=[analysis("x", args=args)])
    world.api.change(objects.ANALYSIS_TEMPLATES, "x", {"spec": {"args": [{"name": "q"}, {"name": "s"}]}})
    world.settle()
    assert runs(world)["exp-x"]["spec"]["args"] == [
        {"name": "q", "value": "exp"},
        {"name": "s", "valueFrom": {"secretKeyRef": {"name": "token", "key": "value"}}},
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "{{templates.c.podTemplateHash}}",
            "failed to resolve {{templates.c.podTemplateHash}}; known here: ",
        ),
        ("{{experiment.finishedAt}}", "failed to resolve {{experiment.finishedAt}}; it needs spec.duration"),
    ],
    ids=["unknown version", "no duration"],
)
def test_an_argument_that_names_nothing_is_an_error(value: str, said: str) -> None:
    world = experiment(analyses=[analysis("x", args=[{"name": "q", "value": value}])])
    world.api.change(objects.ANALYSIS_TEMPLATES, "x", {"spec": {"args": [{"name": "q"}]}})
    world.settle()
    assert world.phase == "Error"
    assert world.phases() == {"x": "Error"}
    assert f"Failed to create AnalysisRun for analysis 'x': args[0].value: {said}" in world.status["message"]


def test_rules_and_metadata_are_handed_on() -> None:
    world = experiment(
        analyses=[analysis("x")],
        dryRun=[{"metricName": "ok"}],
        measurementRetention=[{"metricName": "ok", "limit": 3}],
        analysisRunMetadata={"labels": {"team": "shop"}, "annotations": {"note": "n"}},
    ).settle()
    run = runs(world)["exp-x"]
    assert run["spec"]["dryRun"] == [{"metricName": "ok"}]
    assert run["spec"]["measurementRetention"] == [{"metricName": "ok", "limit": 3}]
    assert run["metadata"]["labels"]["team"] == "shop"
    assert run["metadata"]["annotations"]["note"] == "n"


def test_a_template_that_comes_a_moment_late_is_waited_for() -> None:
    world = World({"templates": [template("a")], "analyses": [analysis("x")]})
    world.settle()
    assert (world.phase, world.phases()) == ("Running", {})
    world.add_template("x")
    world.settle()
    assert world.phases() == {"x": "Pending"}


def test_a_template_that_does_not_come_is_an_error() -> None:
    world = World({"templates": [template("a")], "analyses": [analysis("x")]})
    world.settle()
    assert world.requeue_at is not None
    world.wait(5)
    world.settle()
    assert world.phase == "Error"
    assert world.status["message"] == (
        "Failed to create AnalysisRun for analysis 'x': AnalysisTemplate 'x' not found"
    )


@pytest.mark.parametrize(
    ("cluster", "kind"), [(False, "AnalysisTemplate"), (True, "ClusterAnalysisTemplate")]
)
def test_a_template_that_is_not_there_is_told_before_the_pods_are(cluster: bool, kind: str) -> None:
    world = World({"templates": [template("a")], "analyses": [analysis("x", clusterScope=cluster)]})
    world.settle(pods=False)
    assert (world.phase, world.phases()) == ("Pending", {})
    world.wait(5)
    world.settle(pods=False)
    assert (world.phase, world.phases()) == ("Error", {"x": "Error"})
    assert world.status["message"] == f"{kind} 'x' not found for analysis 'x'"
    world.wait(31)
    world.settle(pods=False)
    assert world.sizes() == {"exp-a": 0}


def test_a_template_may_be_the_clusters() -> None:
    world = World({"templates": [template("a")], "analyses": [analysis("x", clusterScope=True)]})
    world.api.put(
        objects.CLUSTER_ANALYSIS_TEMPLATES,
        {"metadata": {"name": "x"}, "kind": "ClusterAnalysisTemplate", "spec": {"metrics": [METRIC]}},
    )
    world.settle()
    assert [metric["name"] for metric in runs(world)["exp-x"]["spec"]["metrics"]] == [METRIC["name"]]


def test_a_taken_name_gets_a_number() -> None:
    world = experiment(analyses=[analysis("x")])
    world.api.put(objects.ANALYSIS_RUNS, {"metadata": {"name": "exp-x"}, "status": {"phase": "Failed"}})
    world.settle()
    assert world.status["analysisRuns"][0]["analysisRun"] == "exp-x.1"
    assert world.phase == "Running"


def test_run_again_the_old_verdict_does_not_decide() -> None:
    world = experiment(analyses=[analysis("x")]).settle()
    world.verdict("exp-x", "Failed").settle()
    world.wait(60)
    world.settle()
    world.patch(status=None)
    world.settle()
    assert (world.phase, set(runs(world))) == ("Running", {"exp-x", "exp-x.1"})
    world.verdict("exp-x.1", "Successful").settle()
    assert world.phases() == {"x": "Successful"}


def test_a_run_of_another_controller_is_taken_over_by_its_pointer() -> None:
    world = experiment(analyses=[analysis("x")]).settle()
    world.api.change(objects.ANALYSIS_RUNS, "exp-x", {"metadata": {"annotations": None}})
    world.verdict("exp-x", "Failed", "seen").settle()
    assert (world.phase, set(runs(world))) == ("Failed", {"exp-x"})
