"""The rules: what they record and when they alert, by Prometheus' own tool."""

import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from analysis.slo.formats.reading import read_file
from analysis.slo.rules import Named, prometheus_rule, rule_file
from tests.cluster.prometheus import PrometheusTools
from tests.unit.analysis.slo.examples import openslo, openslo_sli, ours, pyrra, sloth

NATIVE = {"latency": {"native": 'req{job="shop"}', "threshold": "300ms"}}
CLASSIC = {"latency": {"buckets": 'req_bucket{job="shop"}', "threshold": "1s"}}
RAW = {"errorRatio": "sum(rate(a[{{window}}])) / sum(rate(b[{{window}}]))"}
EXAMPLES = Path(__file__).parents[4] / "manifests" / "examples" / "slo" / "servicelevelobjective.yaml"
DOCUMENTS: dict[str, list[dict[str, Any]]] = {
    "shipped examples": list(yaml.safe_load_all(EXAMPLES.read_text())),
    "ratio": [ours()],
    "classic latency": [ours(indicator=CLASSIC)],
    "native latency": [ours(indicator=NATIVE)],
    "raw ratio": [ours(indicator=RAW)],
    "a day": [ours(window="1d")],
    "odd name": [{**ours(), "metadata": {"name": 'a"b\\c'}}],
    "sloth": [sloth()],
    "pyrra": [pyrra()],
    "openslo": [openslo(), openslo_sli()],
}
every_kind = pytest.mark.parametrize("documents", DOCUMENTS.values(), ids=DOCUMENTS)


def rules_of(*documents: dict[str, Any]) -> dict[str, Any]:
    found = read_file(documents)
    return rule_file([Named(item.name, item.spec, item.namespace) for item in found])


def listed(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in content["groups"] for rule in group["rules"]]


@every_kind
def test_every_expression_is_promql(documents: list[dict[str, Any]]) -> None:
    for rule in listed(rules_of(*documents)):
        promql_parser.parse(rule["expr"])


@every_kind
def test_a_series_is_recorded_once(documents: list[dict[str, Any]]) -> None:
    rules = [rule for rule in listed(rules_of(*documents)) if "record" in rule]
    series = [(rule["record"], sorted(rule.get("labels", {}).items())) for rule in rules]
    assert all(series.count(one) == 1 for one in series)


def test_pages_and_tickets_look_at_their_pairs() -> None:
    alerts = {
        r["labels"]["severity"]: r for r in listed(rules_of(ours())) if r.get("alert") == "ErrorBudgetBurn"
    }
    series = 'slo:sli_error:ratio_rate{}{{slo="availability",slo_service="shop",slo_namespace="web"}}'

    def pair(long: str, short: str, factor: str) -> str:
        above = f"> ({factor} * 0.001)"
        return f"(({series.format(long)} {above}) and ({series.format(short)} {above}))"

    assert alerts["page"]["expr"] == f"{pair('1h', '5m', '14.4')} or {pair('6h', '30m', '6')}"
    assert alerts["ticket"]["expr"] == f"{pair('1d', '2h', '3')} or {pair('3d', '6h', '1')}"


def test_alerts_carry_the_labels_that_were_asked_for() -> None:
    alerts = [rule for rule in listed(rules_of(sloth())) if "alert" in rule]
    assert [rule["alert"] for rule in alerts] == ["ShopErrors"]
    assert alerts[0]["labels"] == {
        "owner": "team-a",
        "slo": "shop-requests-availability",
        "slo_service": "shop",
        "severity": "page",
        "category": "availability",
        "routing": "oncall",
    }


def test_no_metric_is_a_ticket_of_its_own_unless_switched_off() -> None:
    names = [rule.get("alert") for rule in listed(rules_of(ours()))]
    assert "ErrorBudgetBurnNoData" in names
    off = [rule.get("alert") for rule in listed(rules_of(ours(alerting={"absent": False})))]
    assert "ErrorBudgetBurnNoData" not in off


def test_the_operator_gets_the_same_rules_as_an_object() -> None:
    item = read_file([ours()])[0]
    named = Named(item.name, item.spec, item.namespace)
    found = prometheus_rule(named, {"release": "monitoring"})
    assert found["kind"] == "PrometheusRule"
    expected = {"name": "slo-availability", "namespace": "web", "labels": {"release": "monitoring"}}
    assert found["metadata"] == expected
    assert found["spec"] == rule_file([named])


def promtool(tools: PrometheusTools, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(tools.promtool), *words], capture_output=True, text=True, check=False)


@pytest.mark.lane("prometheus")
@every_kind
def test_promtool_takes_the_rules(
    prometheus_tools: PrometheusTools, tmp_path: Path, documents: list[dict[str, Any]]
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rules_of(*documents)))
    checked = promtool(prometheus_tools, "check", "rules", "--lint-fatal", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def series_test(errors: str, requests: str, expressions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [
            {"series": 'http_requests_total{job="shop",code="200"}', "values": requests},
            *([{"series": 'http_requests_total{job="shop",code="500"}', "values": errors}] if errors else []),
        ],
        "promql_expr_test": expressions,
    }


def expect(expression: str, moment: str, *values: float) -> dict[str, Any]:
    samples = [{"labels": "{}", "value": value} for value in values]
    return {"expr": expression, "eval_time": moment, "exp_samples": samples}


@pytest.mark.lane("prometheus")
def test_prometheus_evaluates_the_rules_to_the_burn_of_the_samples(
    prometheus_tools: PrometheusTools, tmp_path: Path
) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules_of(ours())))
    page = 'count(ALERTS{alertname="ErrorBudgetBurn",severity="page"})'
    rounded = "sum(round(slo:current_burn_rate:ratio, 0.001))"
    left = "sum(round(slo:period_error_budget_remaining:ratio, 0.001))"
    cases = [
        # 2 % errors against 0.1 %: burn rate 20, above the page's 14.4 once the windows are full.
        series_test(
            "0+2x130",
            "0+98x130",
            [expect(rounded, "60m", 20), expect(page, "65m", 1), expect(left, "60m", -19)],
        ),
        # 0.05 %: half the budget goes.
        series_test(
            "0+1x130",
            "0+1999x130",
            [expect(rounded, "60m", 0.5), expect(page, "65m"), expect(left, "60m", 0.5)],
        ),
        # No error series was ever born: no errors, not "no data".
        series_test("", "0+100x130", [expect(rounded, "60m", 0), expect(left, "60m", 1)]),
        # Nobody asks: nothing is said, least of all that the budget burns.
        series_test("5+0x130", "5+0x130", [expect(rounded, "60m"), expect(page, "65m")]),
    ]
    file = tmp_path / "test.yaml"
    file.write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": cases})
    )
    ran = promtool(prometheus_tools, "test", "rules", str(file))
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.lane("prometheus")
def test_a_metric_that_is_gone_raises_the_ticket(prometheus_tools: PrometheusTools, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules_of(ours())))
    gone = 'count(ALERTS{alertname="ErrorBudgetBurnNoData",alertstate="firing"})'
    case = {
        "interval": "1m",
        "input_series": [],
        "promql_expr_test": [expect(gone, "5m"), expect(gone, "15m", 1)],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [case]}))
    ran = promtool(prometheus_tools, "test", "rules", str(file))
    assert ran.returncode == 0, ran.stdout + ran.stderr
