"""What is told of an AnalysisRun."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rollouts.views.analysis import MetricRow, run_row

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def run(metric: dict[str, Any], result: dict[str, Any] | None, **spec: Any) -> dict[str, Any]:
    provider = {"prometheus": {"address": "http://prometheus:9090", "query": "up"}}
    results = [{"name": "errors", **result}] if result is not None else []
    return {
        "metadata": {
            "name": "web-1", "namespace": "shop", "creationTimestamp": "2026-01-01T11:59:00Z",
            "labels": {"rollout-type": "Step"},
        },
        "spec": {"metrics": [{"name": "errors", "provider": provider, **metric}], **spec},
        "status": {"phase": "Running", "startedAt": "2026-01-01T11:59:00Z", "metricResults": results},
    }  # fmt: skip


def measured(value: str, phase: str, **counts: int) -> dict[str, Any]:
    last = {"value": value, "phase": phase, "finishedAt": "2026-01-01T11:59:50Z"}
    return {"phase": "Running", "measurements": [last], **counts}


def metric_of(manifest: dict[str, Any]) -> MetricRow:
    (metric,) = run_row(manifest, NOW).metrics
    return metric


@pytest.mark.parametrize(
    ("metric", "result", "standing"),
    [
        pytest.param({"interval": "30s", "count": 3}, None, "no measurement yet", id="nothing yet"),
        pytest.param(
            {"interval": "30s", "count": 5, "failureLimit": 2, "successCondition": "result[0] < 0.01"},
            measured("[0.02]", "Failed", failed=1, successful=1),
            "[0.02] against result[0] < 0.01; measurement 2 of 5; 1 failed, 2 tolerated, 1 left",
            id="one of two failures used",
        ),
        pytest.param(
            {"interval": "30s", "failureCondition": "result[0] > 1"},
            {**measured("[2]", "Failed", failed=1), "phase": "Failed"},
            "[2] against not (result[0] > 1); 1 failed, 0 tolerated",
            id="limit passed",
        ),
        pytest.param(
            {"interval": "30s", "failureLimit": -1, "consecutiveSuccessLimit": 2},
            measured("[2]", "Failed", failed=7),
            "[2]; 7 failed, no limit",
            id="limit switched off",
        ),
        pytest.param(
            {"interval": "30s", "inconclusiveLimit": 3},
            measured("[2]", "Inconclusive", inconclusive=2),
            "[2]; 2 inconclusive, 3 tolerated, 1 left",
            id="inconclusive",
        ),
        pytest.param(
            {"interval": "30s", "consecutiveErrorLimit": 4},
            {
                "phase": "Running", "error": 3, "consecutiveError": 3,
                "measurements": [{"phase": "Error", "message": "connection refused"}],
            },
            "connection refused; 3 errors in a row, 4 tolerated, 1 left",
            id="errors in a row",
        ),
    ],
)  # fmt: skip
def test_a_metric_tells_its_value_its_condition_and_what_its_limits_leave(
    metric: dict[str, Any], result: dict[str, Any] | None, standing: str
) -> None:
    assert metric_of(run(metric, result)).standing() == standing


def test_the_next_measurement_is_an_interval_after_the_last() -> None:
    row = metric_of(run({"interval": "30s"}, measured("[1]", "Successful", successful=1, count=1)))
    assert row.next_at == "2026-01-01T12:00:20Z"


def test_a_metric_that_is_decided_is_not_measured_again() -> None:
    row = metric_of(run({"interval": "30s"}, {**measured("[1]", "Failed", failed=1), "phase": "Failed"}))
    assert row.next_at == ""


def test_a_dry_run_says_that_it_decides_nothing() -> None:
    row = metric_of(run({"count": 1}, None, dryRun=[{"metricName": "errors"}]))
    assert row.standing() == "no measurement yet; dry run: it decides nothing"


def test_arguments_are_put_into_the_condition() -> None:
    spec = {"args": [{"name": "limit", "value": "0.05"}]}
    row = metric_of(run({"successCondition": "result[0] < {{args.limit}}"}, None, **spec))
    assert row.condition == "result[0] < 0.05"


def test_a_run_whose_spec_cannot_be_read_still_shows_its_results() -> None:
    manifest = run({}, measured("[1]", "Successful", successful=1))
    manifest["spec"] = {"metrics": "nonsense"}
    assert metric_of(manifest).last() == "[1]"


def test_a_run_knows_its_purpose_and_age() -> None:
    row = run_row(run({"count": 1}, None), NOW)
    assert (row.kind, row.phase, row.age_seconds) == ("Step", "Running", 60)


def test_measurements_that_ended_in_an_error_do_not_count_as_measured() -> None:
    result = measured("", "Error", successful=1, error=3, consecutiveError=3)
    row = metric_of(run({"interval": "30s", "count": 2}, result))
    assert row.progress() == "measurement 1 of 2"
    assert "3 errors in a row" in row.standing()
