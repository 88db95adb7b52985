"""The command line: what it prints and how it exits."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from click.testing import CliRunner, Result

from analysis.cli import main
from tests.unit.analysis.providers.backend import Asked, serving

TEMPLATE = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AnalysisTemplate",
    "metadata": {"name": "errors"},
    "spec": {
        "args": [{"name": "service"}, {"name": "limit", "value": "0.05"}],
        "metrics": [
            {
                "name": "rate",
                "successCondition": "result[0] < {{args.limit}}",
                "provider": {"prometheus": {"query": 'errors{service="{{args.service}}"}'}},
            }
        ],
    },
}


def call(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(main, list(words), env=environment)


def written(path: Path, *documents: Any) -> str:
    file = path / "templates.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return str(file)


def changed(**metric: Any) -> dict[str, Any]:
    spec = TEMPLATE["spec"]
    return {**TEMPLATE, "spec": {**spec, "metrics": [{**spec["metrics"][0], **metric}]}}


def test_a_good_template_is_ok(tmp_path: Path) -> None:
    result = call("check", "-f", written(tmp_path, TEMPLATE))
    assert (result.exit_code, result.stdout) == (0, "AnalysisTemplate errors: ok\n")


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ({"count": 3}, "spec.metrics[0].interval: interval must be specified when count > 1"),
        (
            {"successCondition": "result[0] <"},
            "spec.metrics[0].successCondition: expected a value, found the end of the condition (column 12)",
        ),
        ({"provider": {"promtheus": {}}}, "unknown provider"),
        ({"name": 5}, "spec.metrics[0].name"),
    ],
)
def test_a_wrong_template_is_named_with_its_path(
    tmp_path: Path, metric: dict[str, Any], message: str
) -> None:
    result = call("check", "-f", written(tmp_path, changed(**metric)))
    assert result.exit_code == 1
    assert message in result.stderr


def test_a_file_without_templates_is_an_error(tmp_path: Path) -> None:
    result = call("check", "-f", written(tmp_path, {"kind": "Pod"}))
    assert result.exit_code == 2
    assert "holds no AnalysisTemplate" in result.stderr


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("len(result) > 1", "--result", "[1, 2]"), "true\n"),
        (("isNaN(result[0])", "--vector", "--result", "[NaN]"), "true\n"),
        (("result.a + 1", "--result", '{"a": 1.5}'), "2.5\n"),
    ],
)
def test_an_expression_is_evaluated(words: tuple[str, ...], output: str) -> None:
    result = call("eval", *words)
    assert (result.exit_code, result.stdout) == (0, output)


def test_an_expression_that_fails_points_at_the_column() -> None:
    result = call("eval", "result[0] > 1", "--result", "[]")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: index out of range: 0 (array length is 0) (column 7)",
        "  result[0] > 1",
        "        ^",
    ]


@pytest.mark.parametrize(
    ("value", "code", "last"),
    [
        ("0.01", 0, "Successful"),
        ("0.5", 1, 'Failed: Metric "rate" assessed Failed due to failed (1) > failureLimit (0)'),
    ],
)
async def test_a_template_is_run_against_a_real_backend(
    tmp_path: Path, value: str, code: int, last: str
) -> None:
    def respond(asked: Asked) -> web.Response:
        data = {"resultType": "vector", "result": [{"metric": {}, "value": [0, value]}]}
        return web.json_response({"status": "success", "data": data})

    async with serving(respond) as backend:
        words = ("run", "-f", written(tmp_path, TEMPLATE), "--arg", "service=shop")
        environment = {"ARGO_ROLLOUTS_PROMETHEUS_ADDRESS": backend.url}
        result = await asyncio.to_thread(call, *words, **environment)
        assert "service%3D%22shop%22" in backend.asked[0].body
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (code, last)
    assert f"[{value}]" in result.stdout


async def test_a_run_can_be_read_by_a_machine(tmp_path: Path) -> None:
    metric = changed(provider={"web": {"url": "http://127.0.0.1:1/"}}, consecutiveErrorLimit=0)
    words = ("run", "-f", written(tmp_path, metric), "--arg", "service=x", "-o", "json")
    result = await asyncio.to_thread(call, *words)
    assert result.exit_code == 2
    assert json.loads(result.stdout)["metricResults"][0]["phase"] == "Error"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "args.service was not resolved"),
        (("--arg", "service"), "is not NAME=VALUE"),
        (("--arg", "service=x", "--allow-egress", "a/b"), "neither a host name nor a CIDR"),
    ],
)
def test_a_run_that_cannot_start_says_why(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    result = call("run", "-f", written(tmp_path, TEMPLATE), *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_file_of_connections_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    environment = {"ROLLOUTS_ANALYSIS_CONNECTIONS": str(tmp_path / "gone")}
    result = call("run", "-f", written(tmp_path, TEMPLATE), "--arg", "service=a", **environment)
    assert (result.exit_code, "No such file" in result.output) == (2, True)
