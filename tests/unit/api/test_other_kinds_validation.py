"""Rules of the kinds beside Rollout."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.argoproj.application_validation import validate_application, validate_application_set
from rollouts.api.argoproj.experiment_validation import validate_experiment
from rollouts.api.argoproj.references import Reference, service_references, template_references
from rollouts.api.argoproj.rollout import RolloutSpec

VERSION: dict[str, Any] = {
    "name": "a",
    "selector": {"matchLabels": {"app": "web"}},
    "template": {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    },
}
SOURCE = {"repoURL": "https://example.com/repo", "path": "."}
TO = {"server": "https://kubernetes.default.svc"}


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"templates": [VERSION], "duration": "5m"}, None),
        ({}, "spec.templates: Required value"),
        ({"templates": [VERSION, VERSION]}, 'spec.templates[1].name: Duplicate value: "a"'),
        ({"templates": [VERSION], "duration": "soon"}, 'spec.duration: Invalid value: "soon"'),
        ({"templates": [{**VERSION, "replicas": -1}]}, "spec.templates[0].replicas: Invalid value: -1"),
        ({"templates": [{**VERSION, "selector": {}}]}, "spec.templates[0].selector: Required value"),
        (
            {"templates": [{**VERSION, "selector": {"matchLabels": {"app": "x"}}}]},
            "spec.templates[0].template.metadata.labels: Invalid value",
        ),
        (
            {"templates": [{**VERSION, "minReadySeconds": 600}]},
            "spec.templates[0].minReadySeconds: Invalid value: 600: must be less than",
        ),
        (
            {"templates": [VERSION], "analyses": [{"name": "x"}]},
            "spec.analyses[0].templateName: Required value",
        ),
    ],
)
def test_the_first_error_of_an_experiment(spec: dict[str, Any], error: str | None) -> None:
    found = [str(e) for e in validate_experiment({"spec": spec})]
    assert found == [] if error is None else found[0].startswith(error)


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"source": SOURCE, "destination": TO}, None),
        ({"sources": [SOURCE, {**SOURCE, "path": "", "ref": "values"}], "destination": TO}, None),
        ({"destination": TO}, "spec.source: Required value"),
        ({"source": {"path": "."}, "destination": TO}, "spec.source.repoURL: Required value"),
        ({"source": {"repoURL": "x"}, "destination": TO}, "spec.source.path: Required value"),
        ({"source": {**SOURCE, "chart": "c"}, "destination": TO}, 'spec.source.chart: Invalid value: "c"'),
        (
            {"source": {**SOURCE, "helm": {}, "kustomize": {}}, "destination": TO},
            "spec.source: Invalid value: ",
        ),
        ({"source": SOURCE}, "spec.destination: Required value"),
        ({"source": SOURCE, "destination": {**TO, "name": "c"}}, "spec.destination: Invalid value"),
        (
            {"source": SOURCE, "destination": TO, "syncPolicy": {"retry": {"backoff": {"duration": "5x"}}}},
            'spec.syncPolicy.retry.backoff.duration: Invalid value: "5x"',
        ),
        (
            {"source": SOURCE, "destination": TO, "syncPolicy": {"syncOptions": ["ServerSideApply"]}},
            'spec.syncPolicy.syncOptions[0]: Invalid value: "ServerSideApply": an option is',
        ),
        (
            {"source": SOURCE, "destination": TO, "syncPolicy": {"automated": {"prune": "maybe"}}},
            "spec.syncPolicy.automated.prune: Invalid value: ",
        ),
    ],
)
def test_the_first_error_of_an_application(spec: dict[str, Any], error: str | None) -> None:
    found = [str(e) for e in validate_application({"spec": spec})]
    assert found == [] if error is None else found[0].startswith(error)


LIST: dict[str, Any] = {"list": {"elements": [{"a": 1}]}}


@pytest.mark.parametrize(
    ("generators", "error"),
    [
        ([LIST, {**LIST, "selector": {}}], None),
        (
            [{"matrix": {"generators": [LIST, {"merge": {"generators": [LIST, LIST], "mergeKeys": ["a"]}}]}}],
            None,
        ),
        ([], "spec.generators: Required value"),
        ([{}], "spec.generators[0]: Invalid value: {}: exactly one of list, clusters, git, "),
        ([{**LIST, "clusters": {}}], "spec.generators[0]: Invalid value: "),
        (
            [{"matrix": {"generators": [LIST]}}],
            "spec.generators[0].matrix.generators: Invalid value: 1: a matrix needs exactly two generators",
        ),
        (
            [{"matrix": {"generators": [LIST, {}]}}],
            "spec.generators[0].matrix.generators[1]: Invalid value: {}: exactly one of",
        ),
        (
            [{"merge": {"generators": [LIST, LIST]}}],
            "spec.generators[0].merge.mergeKeys: Required value",
        ),
    ],
)
def test_the_first_error_of_an_application_set(generators: list[Any], error: str | None) -> None:
    found = [str(e) for e in validate_application_set({"spec": {"generators": generators}})]
    assert found == [] if error is None else found[0].startswith(error)


def test_a_rollout_names_its_services_and_templates() -> None:
    canary = {
        "stableService": "s",
        "canaryService": "",
        "pingPong": {"pingService": "a", "pongService": "b"},
        "analysis": {"templates": [{"templateName": "t", "clusterScope": True}]},
        "steps": [{"experiment": {"analyses": [{"name": "x", "templateName": "e"}]}}],
    }
    spec = RolloutSpec.model_validate({"strategy": {"canary": canary}})
    base = "spec.strategy.canary"
    assert service_references(spec) == (
        Reference(f"{base}.stableService", "Service", "s"),
        Reference(f"{base}.pingPong.pingService", "Service", "a"),
        Reference(f"{base}.pingPong.pongService", "Service", "b"),
    )
    assert template_references(spec) == (
        Reference(f"{base}.analysis.templates[0].templateName", "ClusterAnalysisTemplate", "t"),
        Reference(f"{base}.steps[0].experiment.analyses[0].templateName", "AnalysisTemplate", "e"),
    )


def test_a_blue_green_rollout_names_its_services_and_templates() -> None:
    analysis = {"templates": [{"templateName": "t"}]}
    strategy = {"activeService": "a", "previewService": "p", "postPromotionAnalysis": analysis}
    spec = RolloutSpec.model_validate({"strategy": {"blueGreen": strategy}})
    assert [reference.name for reference in service_references(spec)] == ["a", "p"]
    assert [reference.path for reference in template_references(spec)] == [
        "spec.strategy.blueGreen.postPromotionAnalysis.templates[0].templateName"
    ]
