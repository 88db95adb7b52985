"""The doctor on a real Prometheus with recorded history."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from analysis.cli import main
from tests.unit.analysis.backtest.conftest import CANARY, STABLE, Past
from tests.unit.analysis.slo.examples import ours

pytestmark = pytest.mark.lane("prometheus")

RATIO = {"ratio": {"total": 'requests_total{job="shop"}', "bad": 'requests_total{job="shop",code="500"}'}}


def doctor(past: Past, folder: Path, *documents: dict[str, Any], words: tuple[str, ...] = ()) -> Result:
    file = folder / "asked.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    at = datetime.fromtimestamp(past.end - 5, UTC).isoformat()
    command = ["doctor", "-f", str(file), "--address", past.url, "--at", at]
    return CliRunner().invoke(main, [*command, *words])


def template(provider: dict[str, Any]) -> dict[str, Any]:
    metric = {"name": "errors", "provider": provider}
    return {"kind": "AnalysisTemplate", "metadata": {"name": "a"}, "spec": {"metrics": [metric]}}


def test_a_sound_objective_has_no_problem(past: Past, tmp_path: Path) -> None:
    result = doctor(past, tmp_path, ours(indicator=RATIO))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "objective availability"
    assert lines[1].startswith("  ok       the query gives 0.02")
    assert '  ok       requests_total{job="shop"}: 4 series, sampled every 15 s' in result.stdout
    assert "25 requests a second: 3000 without a bad one show 99.9%" in result.stdout


@pytest.mark.parametrize(
    ("threshold", "code", "words"),
    [("300ms", 0, "0.3 s is one of its 3 bucket edges"), ("200ms", 1, "the nearest are 0.1 and 0.3")],
)
def test_a_latency_threshold_is_looked_up_among_the_edges(
    past: Past, tmp_path: Path, threshold: str, code: int, words: str
) -> None:
    latency = {"latency": {"buckets": 'seconds_bucket{job="shop"}', "threshold": threshold}}
    result = doctor(past, tmp_path, ours(indicator=latency))
    assert (result.exit_code, words in result.stdout) == (code, True), result.output


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sum(rate(request_total[5m]))", "there is no series of this name"),
        ('sum(rate(requests_total{job="shop",code="404"}[5m]))', 'without code="404" there are 4'),
        ("sum(rate(requests_total[20s]))", "fewer than two samples"),
        ("sum(requests_total) / 0 - sum(requests_total) / 0", "gives NaN"),
        ("requests_total", "4 series in no certain order"),
    ],
    ids=["misspelt", "a matcher", "a short range", "NaN", "not aggregated"],
)
def test_what_is_wrong_with_a_query_is_told(past: Past, tmp_path: Path, query: str, words: str) -> None:
    result = doctor(past, tmp_path, template({"prometheus": {"query": query}}))
    assert words in result.stdout, result.output


def test_a_judge_s_series_are_looked_at_with_its_versions(past: Past, tmp_path: Path) -> None:
    errors = {"total": 'requests_total{job="shop",{{selector}}}', "badLabels": {"code": "5.."}}
    good = {"canary": CANARY, "stable": STABLE, "errors": errors}
    result = doctor(past, tmp_path, template({"plugin": {"rollouts.dev/canary": good}}), words=("-o", "json"))
    assert result.exit_code == 0, result.output
    assert (
        json.loads(result.stdout)[0]["message"].partition("}: ")[2].startswith("4 series, sampled every 15 s")
    )
    bad = {**good, "podLabel": "instance", "hashLabel": "version"}
    result = doctor(past, tmp_path, template({"plugin": {"rollouts.dev/canary": bad}}))
    assert result.exit_code == 1
    assert f'without version=~"{CANARY}|{STABLE}" there are 4' in result.stdout


def test_the_slo_plugin_s_series_need_the_label_of_the_version(past: Past, tmp_path: Path) -> None:
    slo = {"objective": 0.999, "indicator": {"ratio": {"total": "seconds_bucket", "bad": "requests_total"}}}
    plugin = {"rollouts.dev/slo": {"slo": slo, "burn": {"canary": CANARY}}}
    result = doctor(past, tmp_path, template({"plugin": plugin}))
    assert result.exit_code == 1
    assert "seconds_bucket: 4 of 4 series have no label 'pod'" in result.stdout


@pytest.mark.parametrize(
    ("documents", "words", "message"),
    [
        ([template({"prometheus": {"query": "sum("}})], (), "is no PromQL"),
        ([{"kind": "Pod"}], (), "is no objective"),
        ([ours()], ("--address", "http://127.0.0.1:1"), "127.0.0.1"),
    ],
    ids=["no PromQL", "no template", "nobody answers"],
)
def test_what_cannot_be_asked_is_an_error(
    past: Past, tmp_path: Path, documents: list[dict[str, Any]], words: tuple[str, ...], message: str
) -> None:
    result = doctor(past, tmp_path, *documents, words=words)
    assert result.exit_code == 2
    assert message in result.stderr
