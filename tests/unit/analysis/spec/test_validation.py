"""What a template must keep before anything is measured."""

from typing import Any

import pytest

from analysis.spec.objects import AnalysisTemplateSpec
from analysis.spec.validation import problems


def found(**metric: Any) -> list[str]:
    whole = {"name": "m", "provider": {"web": {"url": "http://x"}}, **metric}
    return [str(p) for p in problems(AnalysisTemplateSpec.model_validate({"metrics": [whole]}))]


@pytest.mark.parametrize(
    "metric",
    [
        {},
        {"count": 1},
        {"count": 5, "interval": "5s"},
        {"interval": "5m", "failureLimit": -1, "consecutiveSuccessLimit": 3},
        {"count": 3, "interval": "1s", "failureLimit": 3},
        {"count": 5, "interval": "1s", "failureLimit": 3, "consecutiveSuccessLimit": 2},
        {"count": "{{args.n}}", "failureLimit": "{{args.n}}", "interval": "{{args.i}}"},
    ],
)
def test_good_metrics_have_no_problems(metric: dict[str, Any]) -> None:
    assert found(**metric) == []


@pytest.mark.parametrize(
    ("metric", "path", "message"),
    [
        ({"count": 2}, "interval", "interval must be specified when count > 1"),
        ({"interval": "5"}, "interval", "'5' is not a duration such as 30s, 5m or 1h30m"),
        ({"initialDelay": "x"}, "initialDelay", "'x' is not a duration such as 30s, 5m or 1h30m"),
        ({"count": "x"}, "count", "'x' is not a whole number"),
        (
            {"count": 3, "interval": "1s", "failureLimit": 4},
            "count",
            "count 3 must be >= failureLimit + consecutiveSuccessLimit = 4",
        ),
        (
            {"count": 4, "interval": "1s", "failureLimit": 3, "consecutiveSuccessLimit": 2},
            "count",
            "count 4 must be >= failureLimit + consecutiveSuccessLimit = 5",
        ),
        (
            {"count": 1, "inconclusiveLimit": 2},
            "count",
            "count 1 must be >= inconclusiveLimit 2",
        ),
        ({"failureLimit": -2}, "failureLimit", "failureLimit must be >= 0, or -1 to switch it off, not -2"),
        ({"inconclusiveLimit": -1}, "inconclusiveLimit", "inconclusiveLimit must be >= 0, not -1"),
        (
            {"failureLimit": -1},
            "failureLimit",
            "failureLimit -1 and consecutiveSuccessLimit 0 are both off; one of them must decide",
        ),
        ({"provider": {}}, "provider", "no provider specified"),
        (
            {"provider": {"web": {"url": "u"}, "job": {"spec": {}}}},
            "provider",
            "multiple providers specified (web, job); keep one",
        ),
        ({"provider": {"plugin": {}}}, "provider.plugin", "exactly one plugin must be named, not 0"),
    ],
)
def test_a_broken_rule_is_named_with_its_path(metric: dict[str, Any], path: str, message: str) -> None:
    assert f"spec.metrics[0].{path}: {message}" in found(**metric)


def test_an_unknown_provider_is_an_error() -> None:
    assert any("provider.promtheus: unknown provider" in p for p in found(provider={"promtheus": {}}))


def test_an_empty_template_is_an_error_and_a_nesting_one_is_not() -> None:
    assert [p.path for p in problems(AnalysisTemplateSpec())] == ["spec.metrics"]
    nesting = AnalysisTemplateSpec.model_validate({"templates": [{"templateName": "x"}]})
    assert problems(nesting) == ()


@pytest.mark.parametrize(
    ("rule", "message"),
    [("other", "did not match any metric name"), ("(", "in pattern '('"), ("*", ""), ("^m", ""), ("m|x", "")],
)
def test_dry_run_rules_are_patterns_that_must_match(rule: str, message: str) -> None:
    spec = AnalysisTemplateSpec.model_validate(
        {"metrics": [{"name": "m", "provider": {"web": {"url": "u"}}}], "dryRun": [{"metricName": rule}]}
    )
    seen = [str(p) for p in problems(spec)]
    assert (seen == []) if not message else (len(seen) == 1 and message in seen[0])
