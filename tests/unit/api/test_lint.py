from __future__ import annotations

from textwrap import dedent, indent

import pytest

from rollouts.api.lint import Severity, has_errors, lint_documents

HEAD = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: web
spec:
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - {name: web, image: "web:1"}
"""
SERVICES = """\
---
apiVersion: v1
kind: Service
metadata: {name: stable}
spec: {selector: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: other}
spec: {selector: {app: other}}
"""
TEMPLATE = """\
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  metrics:
  - name: errors
    successCondition: result[0] < 0.1
    provider:
      prometheus:
        address: http://prometheus
        query: %s
"""


def rollout(canary: str) -> str:
    return HEAD + "  strategy:\n    canary:\n" + indent(dedent(canary), " " * 6)


def lint(text: str) -> list[str]:
    return [str(finding) for finding in lint_documents(text)]


def test_a_good_file_has_no_findings() -> None:
    text = rollout("stableService: stable\nsteps: [{setWeight: 20}, {pause: {duration: 10m}}]\n")
    query = "'sum(rate(errors{service=\"{{args.service}}\"}[{{args.window}}]))'"
    assert lint(text + SERVICES + TEMPLATE % query) == []


@pytest.mark.parametrize(
    ("canary", "finding"),
    [
        (
            "steps:\n- setWeight: 5\n- setWieght: 20\n",
            "line 18: error: Rollout web: spec.strategy.canary.steps[1].setWieght: unknown field: "
            "nothing reads it; did you mean setWeight?",
        ),
        (
            "steps:\n- setWeight: 120\n",
            "line 17: error: Rollout web: spec.strategy.canary.steps[0].setWeight: Invalid value: 120: "
            "SetWeight needs to be between 0 and 100",
        ),
        (
            'steps:\n- setWeight: "20"\n',
            "line 17: error: Rollout web: spec.strategy.canary.steps[0].setWeight: Invalid value: "
            "wanted a number, but this is a string",
        ),
        (
            "dynamicStableScale: 1\ntrafficRouting: {plugins: {argoproj-labs/gatewayAPI: {}}}\n",
            "line 16: error: Rollout web: spec.strategy.canary.dynamicStableScale: Invalid value: "
            "wanted true or false, but this is a number",
        ),
        (
            "steps:\n- setWeight: lots\n",
            "line 17: error: Rollout web: spec.strategy.canary.steps[0].setWeight: Invalid value: "
            "Input should be a valid integer, unable to parse string as an integer",
        ),
        (
            "maxSurge: [1]\n",
            "line 16: error: Rollout web: spec.strategy.canary.maxSurge: Invalid value: "
            "Input should be an integer or a string",
        ),
        (
            "trafficRouting: {plugins: {acme/mesh: {}}}\n",
            'line 16: warning: Rollout web: spec.strategy.canary.trafficRouting.plugins["acme/mesh"]: '
            "this controller does not act on this field yet",
        ),
    ],
)
def test_a_finding_has_line_object_path_and_remedy(canary: str, finding: str) -> None:
    assert finding in lint(rollout(canary))


def test_a_null_counts_as_absent() -> None:
    assert lint(rollout("steps: null\nanalysis: null\nmaxSurge: null\n")) == []


def test_the_objects_of_a_list_are_checked_each() -> None:
    text = """\
apiVersion: v1
kind: List
items:
- apiVersion: argoproj.io/v1alpha1
  kind: Rollout
  metadata: {name: web}
  spec:
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec: {containers: [{name: web, image: "web:1"}]}
    strategy:
      canary:
        stepz: []
"""
    (finding,) = lint_documents(text)
    assert str(finding).startswith("line 14: error: Rollout web: spec.strategy.canary.stepz: unknown field")


def test_two_strategies_are_an_error() -> None:
    (found,) = lint(rollout("steps: []\n") + "    blueGreen: {activeService: a}\n")
    assert found.endswith("Multiple Strategies can not be listed; keep either canary or blueGreen")


def test_a_key_that_occurs_twice_is_the_only_finding() -> None:
    (found,) = lint_documents(rollout("steps: []\nsteps: []\n"))
    assert (found.line, found.severity) == (17, Severity.ERROR)
    assert 'key "steps" occurs twice' in found.message


def test_a_service_must_be_in_the_file_when_any_is() -> None:
    canary = "stableService: stable\ncanaryService: cnary\n"
    assert lint(rollout(canary)) == []
    assert lint(rollout(canary) + SERVICES) == [
        "line 17: error: Rollout web: spec.strategy.canary.canaryService: "
        'Not found: "cnary": the file has no Service of this name'
    ]


def test_a_service_must_select_the_pods() -> None:
    assert lint(rollout("stableService: other\n") + SERVICES) == [
        "line 16: error: Rollout web: spec.strategy.canary.stableService: Invalid value: "
        '"other": Service selects app="other", which the labels of the pod template do not have'
    ]


def test_a_service_of_another_namespace_is_not_found() -> None:
    text = rollout("stableService: stable\n").replace("name: web\n", "name: web\n  namespace: one\n", 1)
    assert lint(text + SERVICES) == []
    (found,) = lint(text + SERVICES.replace("{name: stable}", "{name: stable, namespace: two}"))
    assert "the file has no Service of this name in namespace one" in found


@pytest.mark.parametrize(
    "canary",
    [
        "analysis: {templates: [{templateName: missing}]}\n",
        "steps: [{analysis: {templates: [{templateName: missing}]}}]\n",
    ],
)
def test_an_analysis_template_must_be_in_the_file_when_any_is(canary: str) -> None:
    assert lint(rollout(canary)) == []
    (found,) = lint(rollout(canary) + TEMPLATE % "up")
    assert 'templates[0].templateName: Not found: "missing": the file has no AnalysisTemplate' in found


def test_a_cluster_template_is_not_looked_for_among_the_namespaced_ones() -> None:
    canary = "analysis: {templates: [{templateName: missing, clusterScope: true}]}\n"
    assert lint(rollout(canary) + TEMPLATE % "up") == []


def test_an_analysis_is_checked_and_its_query_parsed() -> None:
    pytest.importorskip("promql_parser", reason="the extra lint is not installed")
    found = lint(
        (TEMPLATE % "'sum(rate(errors[5m))'").replace("- name: errors", "- name: errors\n    count: 3")
    )
    assert found[0].endswith("spec.metrics[0].interval: interval must be specified when count > 1")
    assert ": spec.metrics[0].provider.prometheus.query: not PromQL: " in found[1]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("kind: Rollout\nmetadata: {name: x}\n", "line 1: error: Rollout x: apiVersion: Required value"),
        ("apiVersion: v1\nkind: ConfigMap\n", None),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Rolout\n", "unknown kind Rolout; did you mean Rollout?"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", None),
        ("apiVersion: argoproj.io/v1\nkind: Rollout\n", "wanted argoproj.io/v1alpha1"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: AppProject\n", "metadata.name: Required value"),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: x}\nsepc: {}\n",
            "Rollout x: spec: Required value",
        ),
        ("a: [\n", "line 2: error: did not find expected node content (column 1)"),
    ],
)
def test_objects_that_are_not_what_they_should_be(text: str, finding: str | None) -> None:
    found = lint(text)
    assert found == [] if finding is None else finding in found[0]


def test_values_of_the_wrong_type_are_not_shown() -> None:
    assert not any("hunter2" in found for found in lint(rollout("steps: [{setWeight: hunter2}]\n")))


def test_warnings_are_no_errors() -> None:
    warned = lint_documents(rollout("trafficRouting: {plugins: {acme/mesh: {}}}\n"))
    assert warned
    assert not has_errors(warned)
    assert has_errors(lint_documents("a"))
