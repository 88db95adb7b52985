"""The template's part: what it may say, and what a person reads when it is wrong."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.providers import canary
from analysis.providers.canary.config import NAME, Action, CanaryConfig, Errors, Latency, Slo, read_config
from analysis.providers.canary.intervals import _is_whole
from analysis.providers.errors import ConfigurationError
from analysis.run.plan import prepare
from analysis.spec.objects import AnalysisRunSpec, Metric
from analysis.spec.templates import build_run_spec
from tests.unit.analysis.providers.canary.fleet import CANARY, STABLE, configured

LATENCY = {"buckets": "b{{{selector}}}", "edges": [0.1, 0.5]}


def metric(config: Any, **fields: Any) -> Metric:
    return Metric.model_validate({"name": "m", "provider": {"plugin": {NAME: config}}, **fields})


def test_numbers_and_durations_may_come_as_text_from_arguments() -> None:
    config = read_config(
        metric(configured(attempt="2", weight="5", tick="30s", slo={"objective": "0.999"}, sticky="true"))
    )
    assert (config.attempt, config.weight, config.tick, config.sticky) == (2, 5.0, 30.0, True)
    assert config.objective is not None
    assert config.objective.allowed == pytest.approx(0.001)


def test_what_is_not_said_is_safe() -> None:
    config = read_config(metric(configured()))
    assert (config.tick, config.lag, config.duration, config.min_requests) == (15.0, 30.0, None, 50)
    assert (config.on_no_data.action, config.on_error.action) == (Action.HOLD, Action.HOLD)
    assert (config.early_promotion, config.profile) == (False, None)


def test_a_policy_is_a_word_or_has_a_time() -> None:
    config = read_config(metric(configured(onNoData="fail", onError={"action": "pass", "after": "5m"})))
    assert (config.on_no_data.action, config.on_no_data.after) == (Action.FAIL, 120.0)
    assert (config.on_error.action, config.on_error.after) == (Action.PASS, 300.0)


PATH = f'provider.plugin["{NAME}"]'
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown-field": ({"treshold": 3}, f"{PATH}.treshold: Extra inputs are not permitted"),
    "no-question": ({"errors": None}, f"{PATH}: needs either errors or latency"),
    "two-questions": ({"errors": {"total": "x", "bad": "y"}, "latency": LATENCY}, "needs either errors"),
    "same-version": ({"canary": STABLE}, f"stable and canary are both '{STABLE}'"),
    "no-version": ({"stable": ""}, f"{PATH}.stable: '' is not a pod-template hash"),
    "a-regular-expression-as-version": (
        {"canary": "a|b"},
        f"{PATH}.canary: 'a|b' is not a pod-template hash",
    ),
    "bad-and-labels": ({"errors": {"total": "x", "bad": "y", "badLabels": {"code": "5.."}}}, "not both"),
    "neither-bad": ({"errors": {"total": "x"}}, f"{PATH}.errors: needs either bad"),
    "no-pattern": ({"errors": {"total": "x", "badLabels": {"code": "("}}}, "is not a regular expression"),
    "no-query": ({"errors": {"total": "", "bad": "y"}}, f"{PATH}.errors.total"),
    "objective-in-percent": ({"slo": {"objective": 99.9}}, f"{PATH}.slo.objective"),
    "impossible-burn": ({"slo": {"objective": 0.5, "burnRate": 2}}, "nothing could ever be over"),
    "edge-without-latency": ({"slo": {"objective": 0.9, "edge": 0.1}}, "slo.edge belongs to latency"),
    "no-duration": ({"duration": "soon"}, f"{PATH}.duration: 'soon' is not a duration"),
    "zero-tick": ({"tick": "0s"}, f"{PATH}.tick: must be longer than zero"),
    "weight": ({"weight": 100}, f"{PATH}.weight"),
    "attempt": ({"attempt": 0}, f"{PATH}.attempt"),
    "action": ({"onError": "ignore"}, f"{PATH}.onError.action"),
    "profile": ({"profile": "quick"}, f"{PATH}.profile"),
    "label": ({"podLabel": "a-b"}, f"{PATH}.podLabel: 'a-b' is not a label name"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_configuration_names_its_field(name: str) -> None:
    fields, message = WRONG[name]
    with pytest.raises(ConfigurationError) as raised:
        read_config(metric({**configured(), **fields}))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"slo": {"objective": 0.9}}, "slo.edge must say which latency edge"),
        ({"slo": {"objective": 0.9, "edge": 0.2}}, "slo.edge 0.2 is not one of latency.edges"),
        ({"latency": {**LATENCY, "edges": [0.5, 0.1]}}, "edges must be ascending"),
        ({"latency": {**LATENCY, "edges": [float(i) for i in range(11)]}}, "at most 10"),
    ],
    ids=["no-edge", "other-edge", "order", "many"],
)
def test_latency_has_its_own_rules(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_config(metric(configured(**{"latency": LATENCY, **fields})))


@pytest.mark.parametrize("field", ["interval", "count", "successCondition", "failureCondition"])
def test_the_engines_own_loop_does_not_go_with_the_judge(field: str) -> None:
    value = {"interval": "15s", "count": 3}.get(field, "result < 1")
    with pytest.raises(ConfigurationError, match=f"{field} does not go with"):
        read_config(metric(configured(), **{field: value}))


def test_a_secret_is_not_echoed() -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_config(metric({**configured(), "authentication": {"basicAuth": {"password": ["hunter2"]}}}))
    assert "hunter2" not in str(raised.value)


def test_arguments_are_put_in_and_the_selector_is_left_to_the_judge() -> None:
    config = configured(
        stable="{{args.stable}}",
        canary="{{ args.canary }}",
        errors={"total": 'http{job="{{args.job}}",{{selector}}}', "badLabels": {"code": "5.."}},
    )
    arguments = {"stable": STABLE, "canary": CANARY, "job": "shop"}
    args = [{"name": name, "value": value} for name, value in arguments.items()]
    plan = prepare(
        AnalysisRunSpec.model_validate(
            {"metrics": [{"name": "m", "provider": {"plugin": {NAME: config}}}], "args": args}
        )
    )
    assert read_config(plan.metrics[0].metric).queries() == (
        f'http{{job="shop",pod=~".+-({CANARY}|{STABLE})-[a-z0-9]+"}}',
    )


def test_another_question_has_another_digest() -> None:
    def digest(**fields: Any) -> str:
        return read_config(metric(configured(**fields))).digest()

    assert digest() == digest(duration="5m", onError="fail")
    assert len({digest(), digest(canary="abc"), digest(tick="30s"), digest(podLabel="instance")}) == 4


def test_the_example_in_the_readme_is_a_template_that_works() -> None:
    text = (Path(canary.__file__).parent / "README.md").read_text()
    template = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    args = [{"name": "stable", "value": STABLE}, {"name": "canary", "value": CANARY}]
    spec = AnalysisRunSpec.model_validate(build_run_spec([template["spec"]], args))
    config = read_config(prepare(spec).metrics[0].metric)
    assert (config.duration, config.versions.canary) == (600.0, CANARY)


def test_the_readme_names_every_field() -> None:
    text = (Path(canary.__file__).parent / "README.md").read_text()
    for model in (CanaryConfig, Errors, Latency, Slo):
        for name, field in model.model_fields.items():
            written = field.alias or name
            assert re.search(rf"`([a-z]+\.)?{written}`|`{written}\.", text), f"{model.__name__}.{written}"


@pytest.mark.parametrize(
    ("pattern", "value", "bad"),
    [
        ("5..", "503", True),
        ("5..", "5030", False),
        ("5..", "1503", False),
        ("a|b", "b", True),
        ("a|b", "ab", False),
    ],
)
def test_a_label_pattern_is_about_the_whole_value(pattern: str, value: str, bad: bool) -> None:
    assert _is_whole(pattern, value) is bad


def test_a_pattern_cannot_hang_the_process() -> None:
    assert _is_whole("(a+)+", "a" * 500 + "!") is False
