"""Templates become a run's spec: nesting, merging, arguments."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.spec.arguments import integer, resolve_metric, substitute, values_without_secrets
from analysis.spec.errors import SpecError
from analysis.spec.objects import AnalysisRunSpec, AnalysisTemplateSpec, Argument, Metric, TemplateRef
from analysis.spec.templates import build_run_spec, flatten, resolve_templates

UPSTREAM = Path(
    os.environ.get("ROLLOUTS_UPSTREAM_DATA", Path(__file__).parents[5] / "shared" / "data" / "upstream")
)


def metric(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "provider": {"prometheus": {"query": f"q_{name}"}}, **fields}


def template(*metrics: str, nested: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    spec = {
        "metrics": [metric(m) for m in metrics],
        "templates": [{"templateName": n} for n in nested],
        **fields,
    }
    return {"kind": "AnalysisTemplate", "metadata": {"name": "x"}, "spec": spec}


def find_in(templates: Mapping[str, Mapping[str, Any]]):
    return lambda name, cluster_scope: None if cluster_scope else templates.get(name)


def ref(name: str, cluster_scope: bool = False) -> TemplateRef:
    return TemplateRef(template_name=name, cluster_scope=cluster_scope)


def names(specs) -> list[str]:
    return [m["name"] for spec in specs for m in spec["metrics"]]


def test_nested_templates_are_walked_breadth_first_and_once() -> None:
    stored = {
        "a": template("a", nested=("c", "b")),
        "b": template("b", nested=("d",)),
        "c": template("c", nested=("a", "d")),
        "d": template("d"),
    }
    assert names(flatten([ref("a"), ref("b")], find_in(stored))) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("cluster_scope", "message"),
    [(False, "AnalysisTemplate 'x' not found"), (True, "ClusterAnalysisTemplate 'x' not found")],
)
def test_a_missing_template_is_named_with_its_kind(cluster_scope: bool, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        flatten([ref("x", cluster_scope)], lambda *_: None)
    assert str(caught.value) == message


def test_a_run_argument_overrides_the_template_default_and_unknown_ones_are_dropped() -> None:
    spec = build_run_spec(
        [{"metrics": [metric("m")], "args": [{"name": "a", "value": "1"}, {"name": "b"}]}],
        [{"name": "b", "value": "2"}, {"name": "a", "value": "3"}, {"name": "z", "value": "9"}],
    )
    assert spec["args"] == [{"name": "a", "value": "3"}, {"name": "b", "value": "2"}]


def test_of_several_run_arguments_with_one_name_the_last_counts() -> None:
    given = [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]
    spec = build_run_spec([{"metrics": [metric("m")], "args": [{"name": "a"}]}], given)
    assert spec["args"] == [{"name": "a", "value": "2"}]


def test_a_run_argument_replaces_a_secret_reference() -> None:
    declared = {"name": "a", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    spec = build_run_spec([{"metrics": [metric("m")], "args": [declared]}], [{"name": "a", "value": "plain"}])
    assert spec["args"] == [{"name": "a", "value": "plain"}]


def test_an_argument_without_a_value_is_an_error_that_names_it() -> None:
    with pytest.raises(SpecError, match=r"args\.host was not resolved"):
        build_run_spec([{"metrics": [metric("m")], "args": [{"name": "host"}]}], [])


def test_two_metrics_of_one_name_are_an_error() -> None:
    with pytest.raises(SpecError, match="two metrics have the same name 'm'"):
        build_run_spec([{"metrics": [metric("m")]}, {"metrics": [metric("m")]}], [])


def test_two_values_for_one_argument_are_an_error() -> None:
    with pytest.raises(SpecError, match="'a' different values"):
        resolve_templates([{"args": [{"name": "a", "value": "1"}]}, {"args": [{"name": "a", "value": "2"}]}])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_default_beats_a_bare_declaration_in_either_order(order: tuple[int, int]) -> None:
    both = [{"args": [{"name": "a", "value": "1"}]}, {"args": [{"name": "a"}]}]
    merged = resolve_templates([both[i] for i in order])
    assert [a.value for a in merged.args] == ["1"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_value_beats_a_secret_of_another_template_in_either_order(order: tuple[int, int]) -> None:
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    both = [{"args": [{"name": "a", "value": "1"}]}, {"args": [{"name": "a", "valueFrom": source}]}]
    (merged,) = resolve_templates([both[i] for i in order]).args
    assert (merged.value, merged.value_from) == ("1", None)


def test_of_two_secrets_for_one_argument_the_later_one_is_read() -> None:
    sources = [{"secretKeyRef": {"name": name, "key": "k"}} for name in ("first", "second")]
    merged = resolve_templates([{"args": [{"name": "a", "valueFrom": s}]} for s in sources]).args
    assert [a.value_from.secret_key_ref.name for a in merged] == ["second"]


def test_rules_of_rollout_and_templates_are_put_together() -> None:
    spec = build_run_spec(
        [{"metrics": [metric("m")], "dryRun": [{"metricName": "m"}]}],
        [],
        dry_run=[{"metricName": "n"}],
        measurement_retention=[{"metricName": "*", "limit": 3}],
    )
    assert spec["dryRun"] == [{"metricName": "n"}, {"metricName": "m"}]
    assert spec["measurementRetention"] == [{"metricName": "*", "limit": 3}]


def test_the_same_rule_twice_is_an_error() -> None:
    with pytest.raises(SpecError, match="same metricName 'm'"):
        build_run_spec(
            [{"metrics": [metric("m")], "dryRun": [{"metricName": "m"}]}], [], dry_run=[{"metricName": "m"}]
        )


def test_a_wrong_type_names_the_path_and_not_the_value() -> None:
    with pytest.raises(SpecError) as caught:
        build_run_spec([{"metrics": [{"name": {"secret": "hunter2"}}]}], [])
    assert caught.value.path == "templates[0].metrics[0].name"
    assert "hunter2" not in str(caught.value)


def test_arguments_reach_every_string_and_turn_into_integers() -> None:
    source = Metric.model_validate(
        metric("m", count="{{args.n}}", failureLimit="{{ args.n }}", successCondition="result < {{args.max}}")
    )
    resolved = resolve_metric(source, {"n": "3", "max": "0.5"}, "spec.metrics[0]")
    assert integer(resolved.count, 1, "") == 3
    assert integer(resolved.failure_limit, 0, "") == 3
    assert resolved.success_condition == "result < 0.5"


def test_a_value_that_looks_like_a_tag_is_not_expanded_again() -> None:
    assert substitute("{{args.a}}", {"a": "{{args.b}}", "b": "x"}, "p") == "{{args.b}}"


@pytest.mark.parametrize("text", ["{{args.nope}}", "{{ inputs.x }}", "{{}}"])
def test_an_unresolved_tag_names_path_tag_and_what_exists(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        substitute({"q": [text]}, {"known": "1"}, "spec.metrics[0]")
    assert caught.value.path == "spec.metrics[0].q[0]"
    assert "known" in caught.value.message


def test_a_count_that_is_not_a_number_is_an_error() -> None:
    with pytest.raises(SpecError, match=r"count: 'many' is not a whole number"):
        integer("many", 1, "spec.metrics[0].count")


def test_secret_arguments_are_a_placeholder_where_their_value_is_not_needed() -> None:
    secret = Argument.model_validate({"name": "t", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}})
    assert values_without_secrets([secret]) == {"t": "***"}


def documents_of(path: Path) -> list[Any]:
    try:
        return list(yaml.safe_load_all(path.read_text()))
    except yaml.constructor.ConstructorError:  # one example has an unquoted {{args.x}} as a whole value
        return []


def example_documents() -> list[Any]:
    if not UPSTREAM.is_dir():
        return []
    found = []
    for path in sorted((UPSTREAM / "argo-rollouts" / "examples").rglob("*.yaml")):
        if "helm-" in str(path):
            continue
        for document in documents_of(path):
            if isinstance(document, dict) and document.get("kind") in (
                "AnalysisTemplate",
                "ClusterAnalysisTemplate",
                "AnalysisRun",
            ):
                found.append(pytest.param(document, id=f"{path.stem}-{document['metadata'].get('name', '')}"))
    return found


@pytest.mark.skipif(not UPSTREAM.is_dir(), reason="upstream examples are not here")
@pytest.mark.parametrize("document", example_documents())
def test_upstream_examples_lose_nothing(document: dict[str, Any]) -> None:
    model = AnalysisRunSpec if document["kind"] == "AnalysisRun" else AnalysisTemplateSpec
    assert model.model_validate(document["spec"]).manifest() == document["spec"]


def test_unknown_fields_are_kept() -> None:
    spec = {
        "metrics": [{"name": "m", "provider": {"prometheus": {"query": "q", "later": {"x": 1}}}, "new": [1]}]
    }
    assert AnalysisTemplateSpec.model_validate(spec).manifest() == spec
