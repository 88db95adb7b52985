"""Objects of files, and AnalysisRuns from templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.kube import objects
from tests.cli.conftest import PATIENCE, STEPS, TEMPLATE, Shell, line_of

PROVIDER = {"prometheus": {"address": "http://prometheus", "query": "errors{service='{{args.service}}'}"}}
METRIC = {"name": "errors", "successCondition": "result[0] < 1", "provider": PROVIDER}


def template(name: str, **spec: Any) -> dict[str, Any]:
    meta = {"name": name}
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": meta, "spec": spec
    }  # fmt: skip


ERRORS = template("errors", args=[{"name": "service"}], metrics=[METRIC])
ROLLOUT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE,
        "strategy": {"canary": {"steps": STEPS}},
    },
}  # fmt: skip


def written(folder: Path, *manifests: dict[str, Any]) -> str:
    path = folder / "objects.yaml"
    path.write_text(yaml.safe_dump_all(manifests))
    return str(path)


def test_the_objects_of_a_file_are_created_in_order(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("create", "-f", written(tmp_path, ERRORS, ROLLOUT))
    assert done.output == "analysistemplate.argoproj.io/errors created\nrollout.argoproj.io/web created\n"
    assert shell.get(objects.ROLLOUTS, "web")["spec"]["strategy"]["canary"]["steps"] == STEPS
    again = shell.run("create", "-f", written(tmp_path, ROLLOUT))
    assert (again.exit_code, again.stdout) == (1, "")
    assert "Rollout 'web' is there already in namespace shop" in again.stderr


def test_nothing_is_created_from_a_file_with_an_error(shell: Shell, tmp_path: Path) -> None:
    wrong = {**ROLLOUT, "spec": {**ROLLOUT["spec"], "strategey": {}}}  # type: ignore[dict-item]
    done = shell.run("create", "-f", written(tmp_path, ERRORS, wrong))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "spec.strategey" in done.stderr


def test_other_kinds_are_left_to_kubectl(shell: Shell, tmp_path: Path) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    done = shell.run("create", "-f", written(tmp_path, config))
    assert (done.exit_code, "v1 ConfigMap is not created by this command" in done.stderr) == (1, True)


def test_what_was_created_is_followed_where_asked(shell: Shell, tmp_path: Path) -> None:
    started = shell.begin("create", "-f", written(tmp_path, ROLLOUT), "-w")
    assert line_of(started.stdout) == "rollout.argoproj.io/web created"
    assert "Progressing" in line_of(started.stdout)
    shell.delete(objects.ROLLOUTS, "web")
    _, err = started.communicate(timeout=PATIENCE)
    assert (err, started.returncode) == ("it has been deleted\n", 1)


def only_run(shell: Shell) -> dict[str, Any]:
    (run,) = shell.wait(shell.cluster.api().list(objects.ANALYSIS_RUNS, "shop")).items
    return run


@pytest.mark.parametrize("word", ["both", "at/both"])
def test_a_run_is_made_of_a_template_and_those_that_it_names(shell: Shell, word: str) -> None:
    shell.put(objects.ANALYSIS_TEMPLATES, "errors", spec=ERRORS["spec"])
    shell.put(objects.ANALYSIS_TEMPLATES, "both", spec={"templates": [{"templateName": "errors"}]})
    done = shell.run("create", "analysisrun", "--from", word, "-a", "service=web=1", "--instance-id", "blue")
    run = only_run(shell)
    assert done.output == f"analysisrun.argoproj.io/{objects.name_of(run)} created\n"
    assert objects.name_of(run).startswith("both-")
    assert objects.labels_of(run) == {"argo-rollouts.argoproj.io/controller-instance-id": "blue"}
    assert run["spec"]["args"] == [{"name": "service", "value": "web=1"}]
    assert [metric["name"] for metric in run["spec"]["metrics"]] == ["errors"]


def test_a_run_is_made_of_a_template_in_a_file(shell: Shell, tmp_path: Path) -> None:
    done = shell.run(
        "create", "ar", "--from-file", written(tmp_path, ERRORS), "--name", "try-1", "-a", "service=web"
    )
    assert done.output == "analysisrun.argoproj.io/try-1 created\n"
    assert objects.name_of(only_run(shell)) == "try-1"


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--from", "errors"], 1, "service"),
        (["--from", "erors", "-a", "service=web"], 1, "Did you mean 'errors'?"),
        (["--from", "errors", "-a", "service"], 2, "'service' is not NAME=VALUE"),
        ([], 2, "one of --from and --from-file is needed"),
    ],
    ids=["no value", "no such template", "no pair", "no template"],
)
def test_a_run_that_cannot_be_made_says_why(shell: Shell, args: list[str], code: int, said: str) -> None:
    shell.put(objects.ANALYSIS_TEMPLATES, "errors", spec=ERRORS["spec"])
    done = shell.run("create", "analysisrun", *args)
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr
