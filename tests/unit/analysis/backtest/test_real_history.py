"""A backtest on a real Prometheus with backfilled history: verdicts, and points equal to instant queries."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from analysis.backtest.history import ClientRanges
from analysis.cli import main
from analysis.providers.errors import BackendError
from analysis.spec.providers import PrometheusMetric
from tests.unit.analysis.backtest.conftest import CANARY, STABLE, Past

pytestmark = pytest.mark.lane("prometheus")

ERRORS = f'sum(rate(requests_total{{pod=~".+-{CANARY}-.+",code="500"}}[2m])) / sum(rate(requests_total{{pod=~".+-{CANARY}-.+"}}[2m]))'  # noqa: E501


def template(folder: Path, metric: dict[str, Any]) -> str:
    written = {
        "kind": "AnalysisTemplate",
        "metadata": {"name": "errors"},
        "spec": {
            "args": [{"name": "canary", "value": CANARY}],
            "metrics": [{"name": "errors", "interval": "1m", **metric}],
        },
    }
    file = folder / "template.yaml"
    file.write_text(yaml.safe_dump(written))
    return str(file)


def plain(query: str = ERRORS, **fields: Any) -> dict[str, Any]:
    return {
        "count": 30,
        "successCondition": "result[0] < 0.05",
        "provider": {"prometheus": {"query": query}},
        **fields,
    }


def at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def backtest(past: Past, file: str, start: float, *words: str) -> Result:
    return CliRunner().invoke(
        main,
        ["backtest", "-f", file, "--from", at(start), "--to", at(past.end), "--address", past.url, *words],
    )


def test_a_quiet_hour_is_successful(past: Past, tmp_path: Path) -> None:
    result = backtest(past, template(tmp_path, plain()), past.start + 600)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "  Successful after 29m0s"


def test_the_failure_is_found_when_it_began(past: Past, tmp_path: Path) -> None:
    result = backtest(past, template(tmp_path, plain()), past.trouble - 300, "-o", "json")
    assert result.exit_code == 1, result.output
    run = json.loads(result.stdout)[0]
    ended = datetime.fromisoformat(run["ended"]).timestamp()
    assert run["phase"] == "Failed"
    assert 60 <= ended - past.trouble <= 180


def test_runs_one_after_the_other_are_counted(past: Past, tmp_path: Path) -> None:
    file = template(tmp_path, plain(count=5))
    result = backtest(past, file, past.start + 600, "--every", "10m")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "11 runs: 6 Failed, 5 Successful"


def test_the_burn_of_the_canary_is_judged_in_the_past(past: Past, tmp_path: Path) -> None:
    slo = {
        "objective": 0.999,
        "indicator": {"ratio": {"total": "requests_total", "bad": 'requests_total{code="500"}'}},
    }
    burn = {"canary": "{{args.canary}}", "stable": STABLE}
    plugin = {"rollouts.dev/slo": {"slo": slo, "burn": burn, "lag": "0s"}}
    file = template(tmp_path, {"provider": {"plugin": plugin}})
    result = backtest(past, file, past.trouble - 600, "-o", "json")
    run = json.loads(result.stdout)[0]
    assert (result.exit_code, run["phase"]) == (1, "Failed")
    assert "times too fast over 5m" in run["message"]
    failed_after = datetime.fromisoformat(run["ended"]).timestamp() - past.trouble
    assert 60 <= failed_after <= 180
    assert run["measurements"][0]["phase"] == "Successful"


def test_the_budget_is_asked_for_before_a_rollout_of_the_past(past: Past, tmp_path: Path) -> None:
    slo = {
        "objective": 0.999,
        "window": "30m",
        "indicator": {"ratio": {"total": "requests_total", "bad": 'requests_total{code="500"}'}},
        "alerting": {"windows": [{"severity": "page", "budgetShare": 0.5, "long": "10m", "short": "1m"}]},
    }
    gate = {"onBlocked": {"action": "fail", "after": "5m"}}
    plugin = {"rollouts.dev/slo": {"slo": slo, "gate": gate, "lag": "0s"}}
    file = template(tmp_path, {"count": 1, "provider": {"plugin": plugin}})
    quiet = json.loads(backtest(past, file, past.trouble - 600, "-o", "json").stdout)[0]
    assert (quiet["phase"], quiet["measurements"][-1]["value"]) == ("Successful", "ok")
    assert quiet["measurements"][-1]["metadata"]["remaining"] == "0.5"
    busy = backtest(past, file, past.trouble + 600, "-o", "json")
    run = json.loads(busy.stdout)[0]
    assert (busy.exit_code, run["phase"]) == (1, "Failed")
    assert "the budget burns at page level" in run["message"]
    assert "times in 10m/1m, above 1.5, for 300 s" in run["message"]
    assert len(run["measurements"]) == 6


async def test_points_of_a_range_are_those_of_instant_queries(past: Past) -> None:
    start = datetime.fromtimestamp(past.trouble - 120, UTC)
    step = timedelta(seconds=30)
    metric = PrometheusMetric(query=ERRORS)
    points = await ClientRanges().read(metric, past.url, start, start + 10 * step, step)
    assert len(points) == 11
    for moment, values in points.items():
        instant = past.server.query(ERRORS, time=moment)["result"]
        assert values == tuple(float(series["value"][1]) for series in instant)


async def test_a_query_that_is_none_is_told_with_the_server_s_words(past: Past) -> None:
    start = datetime.fromtimestamp(past.trouble, UTC)
    with pytest.raises(BackendError, match="parse error"):
        await ClientRanges().read(
            PrometheusMetric(query="sum("), past.url, start, start, timedelta(minutes=1)
        )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "yesterday"], "is no time"),
        (["--from", "-1h", "--to", "-2h"], "the history is empty"),
        (["--from", "-365d", "--every", "1s"], "wanted 1 to 1000"),
        (["--from", "-1h", "--arg", "canary"], "is not NAME=VALUE"),
    ],
    ids=["no time", "ends before it begins", "too many runs", "argument"],
)
def test_wrong_words_are_told(tmp_path: Path, words: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["backtest", "-f", template(tmp_path, plain()), *words])
    assert result.exit_code == 2
    assert message in result.stderr
