"""get, list, status, explain and version on a cluster over HTTP."""

from __future__ import annotations

import json

import pytest
import yaml

from rollouts.kube import objects
from rollouts.kube.objects import parse_time
from tests.cli.conftest import Shell, paused_canary


def test_get_shows_the_rollout_and_its_versions(shell: Shell) -> None:
    paused_canary(shell)
    done = shell.run("get", "rollout", "web")
    assert done.exit_code == 0
    assert "॥ Paused" in done.output
    assert "web:v2 (canary), web:v1 (stable)" in done.output
    assert done.output.index("# revision:2") < done.output.index("# revision:1")


@pytest.mark.parametrize("spelling", ["ro", "rollouts", "rollout"])
def test_get_knows_every_spelling_of_the_kind(shell: Shell, spelling: str) -> None:
    paused_canary(shell)
    assert json.loads(shell.run("get", spelling, "web", "-o", "json").output)["step"] == "1/3"


def test_every_view_is_json_and_yaml(shell: Shell) -> None:
    paused_canary(shell)
    status = ["status", "web", "--no-watch"]
    for command in (["get", "ro", "web"], ["list"], status, ["explain", "web"], ["version"]):
        as_json = json.loads(shell.run(*command, "-o", "json").stdout)
        as_yaml = yaml.safe_load(shell.run(*command, "-o", "yaml").stdout)
        assert as_json
        assert type(as_json) is type(as_yaml)


def test_list_shows_one_line_each(shell: Shell) -> None:
    for name in ("api", "web"):
        shell.put(objects.ROLLOUTS, name, spec={"strategy": {"canary": {}}}, status={"phase": "Healthy"})
    lines = shell.run("list", "ro", "-A").output.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["NAMESPACE", "NAME", "STRATEGY", "STATUS"],
        ["shop", "api", "Canary", "✔"],
        ["shop", "web", "Canary", "✔"],
    ]


def test_an_empty_list_says_where_it_looked(shell: Shell) -> None:
    done = shell.run("list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "No rollouts in namespace shop. Look everywhere with -A" in done.stderr


@pytest.mark.parametrize(
    ("phase", "options", "code"),
    [
        ("Healthy", [], 0),
        ("Degraded", [], 1),
        ("Degraded", ["--watch=true"], 1),
        ("Degraded", ["--no-watch"], 0),
        ("Progressing", ["--watch=false"], 0),
        ("Paused", ["--or-paused"], 0),
    ],
    ids=str,
)
def test_the_exit_code_of_status_is_the_phase(
    shell: Shell, phase: str, options: list[str], code: int
) -> None:
    shell.put(objects.ROLLOUTS, "web", spec={}, status={"phase": phase, "message": "so it is"})
    done = shell.run("status", "web", *options)
    assert (done.exit_code, done.output) == (code, f"{phase} - so it is\n")


def test_a_list_begins_its_lines_with_the_moment_where_asked(shell: Shell) -> None:
    paused_canary(shell)
    head, line = shell.run("list", "rollouts", "--timestamps", "--watch=false").output.splitlines()
    assert head.split()[:2] == ["TIMESTAMP", "NAME"]
    assert parse_time(line.split()[0]) is not None
    assert line.split()[1] == "web"


def test_explain_runs_the_controllers_decision_on_the_live_objects(shell: Shell) -> None:
    paused_canary(shell)
    done = shell.run("explain", "web")
    assert done.exit_code == 0
    assert "The update to revision 2, step 2 of 3, is held until a person goes on." in done.output
    assert "waits for a person to promote; paused" in done.output
    assert "rollouts promote web -n shop" in done.output


def test_explain_names_the_field_of_an_invalid_spec(shell: Shell) -> None:
    strategy = {"canary": {"canaryService": "nope", "stableService": "nope2"}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "strategy": strategy}
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "w"}]},
    }
    shell.put(objects.ROLLOUTS, "web", spec={**spec, "template": template})
    done = shell.run("explain", "web", "-o", "json")
    assert json.loads(done.output)["why"][0]["text"].startswith("spec.strategy.canary.canaryService: ")


def test_an_analysis_run_shows_value_condition_and_limits(shell: Shell) -> None:
    metric = {
        "name": "errors", "interval": "10s", "count": 5, "failureLimit": 2,
        "successCondition": "result[0] < 0.01",
        "provider": {"prometheus": {"address": "http://prometheus:9090", "query": "up"}},
    }  # fmt: skip
    measurement = {"phase": "Failed", "value": "[0.02]", "finishedAt": "2026-01-01T12:00:00Z"}
    results = [{"name": "errors", "phase": "Running", "failed": 1, "count": 1, "measurements": [measurement]}]
    shell.put(
        objects.ANALYSIS_RUNS, "web-1", spec={"metrics": [metric]},
        status={"phase": "Running", "startedAt": "2026-01-01T11:59:00Z", "metricResults": results},
    )  # fmt: skip
    row = shell.run("get", "ar", "web-1").output.splitlines()[-1]
    assert row.split() == [
        "errors", "◌", "Running", "[0.02]", "result[0]", "<", "0.01", "1/5", "0", "1", "(limit", "2)", "0",
        "0", "2026-01-01T12:00:10Z",
    ]  # fmt: skip


def test_an_experiment_shows_its_templates(shell: Shell) -> None:
    shell.put(
        objects.EXPERIMENTS, "ab", spec={"templates": [{"name": "a"}, {"name": "b"}]},
        status={"phase": "Running", "templateStatuses": [{"name": "a", "status": "Running", "replicas": 1}]},
    )  # fmt: skip
    lines = shell.run("get", "exp", "ab").output.splitlines()
    assert [line.split()[1:5] for line in lines[-2:]] == [
        ["a", "Template", "◌", "Running"],
        ["b", "Template", "◌", "Pending"],
    ]


def test_version_tells_of_client_and_server(shell: Shell) -> None:
    done = json.loads(shell.run("version", "-o", "json").output)
    assert done["server"].startswith("v1.")
    assert done["crd"] == "argoproj.io/v1alpha1 served"
