"""Error budgets on the command line: slo list, slo get, and what explain and plan tell of the gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.clock import SystemClock
from rollouts.kube import objects
from rollouts.workloads import labels
from tests.cli.conftest import Shell, paused_canary

WINDOW = {
    "severity": "page", "long": "1h", "short": "5m", "factor": "14.4", "longBurnRate": "20.0",
    "shortBurnRate": "31.0", "firing": True,
}  # fmt: skip
SPEC = {
    "service": "checkout",
    "objective": 0.999,
    "indicator": {"ratio": {"total": "hits_total", "bad": "errors_total"}},
}


def objective(shell: Shell, state: str, **status: Any) -> None:
    known = {"remaining": "0.043", "burnRate": "20.0", "windows": [WINDOW], "message": f"it is {state}"}
    shell.put(
        objects.SERVICE_LEVEL_OBJECTIVES, "checkout", spec=SPEC,
        status={
            "state": state, "checkedAt": objects.format_time(SystemClock().now()),
            "observedGeneration": 1, **known, **status,
        },
    )  # fmt: skip


def gated(shell: Shell) -> None:
    """Let the Rollout of the canary ask for the budget, and give it a version that never ran."""
    paused_canary(shell)
    note = {"metadata": {"annotations": {labels.BUDGET_GATE: "checkout"}}}
    shell.change(objects.ROLLOUTS, "web", note)


def changed(shell: Shell) -> dict[str, Any]:
    live = shell.get(objects.ROLLOUTS, "web")
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "web:v3"
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "annotations": {labels.BUDGET_GATE: "checkout"}},
        "spec": live["spec"],
    }


def test_the_list_has_budget_gate_and_the_rollouts_that_ask(shell: Shell) -> None:
    gated(shell)
    objective(shell, "blocked")
    (row,) = json.loads(shell.run("slo", "list", "-o", "json").output)
    assert (row["gate"], row["remaining"], row["burnRate"]) == ("blocked", 0.043, 20.0)
    assert [each["name"] for each in row["rollouts"]] == ["web"]
    header, line = shell.run("slo", "list", "-A").output.splitlines()
    assert header.split()[:3] == ["NAMESPACE", "NAME", "SERVICE"]
    assert line.split() == [
        "shop",
        "checkout",
        "checkout",
        "99.9%",
        "30d",
        "✖",
        "blocked",
        "4.3%",
        "20",
        "web",
    ]


def test_an_empty_list_says_where_it_looked(shell: Shell) -> None:
    done = shell.run("slo", "list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "No servicelevelobjectives in namespace shop" in done.stderr


@pytest.mark.parametrize(
    ("state", "effect"),
    [
        ("ok", "a new version starts"),
        ("guarded", "a new version starts, with a warning"),
        ("blocked", "a new version waits; the way back"),
        ("unknown", "a new version waits 300 s for data, then starts with a warning"),
    ],
)
def test_get_explains_the_gate(shell: Shell, state: str, effect: str) -> None:
    objective(shell, state)
    text = shell.run("slo", "get", "checkout").output
    assert f"Gate: {effect}" in text
    assert f"Why: it is {state}" in text
    assert yaml.safe_load(shell.run("slo", "get", "checkout", "-o", "yaml").output)["gate"] == state


def test_get_shows_each_window_and_the_way_to_override(shell: Shell) -> None:
    gated(shell)
    objective(shell, "blocked")
    text = shell.run("slo", "get", "checkout").output
    assert "page      1h    5m     20.0 / 31.0  14.4          yes" in text
    assert "kubectl -n shop annotate rollout web 'rollouts.dev/budget-override=" in text


def test_an_objective_that_nobody_has_read_is_not_called_well(shell: Shell) -> None:
    objective(shell, "ok", observedGeneration=0)
    row = json.loads(shell.run("slo", "get", "checkout", "-o", "json").output)
    assert (row["gate"], row["message"]) == ("unknown", "its budget has not been read yet")


def test_a_name_that_is_not_there_is_told_as_ever(shell: Shell) -> None:
    done = shell.run("slo", "get", "chekout")
    assert done.exit_code != 0
    assert "chekout" in done.output


def test_explain_tells_of_the_wait_and_what_to_do(shell: Shell) -> None:
    gated(shell)
    objective(shell, "blocked")
    shell.change(objects.ROLLOUTS, "web", {"spec": changed(shell)["spec"]})
    told = json.loads(shell.run("explain", "web", "-o", "json").output)
    assert told["headline"].startswith("A new version waits for the error budget")
    assert "waits for the error budget: checkout: it is blocked" in [line["text"] for line in told["why"]]
    commands = [each["command"] for each in told["commands"]]
    assert "rollouts slo get checkout -n shop" in commands
    assert any("annotate rollout web 'rollouts.dev/budget-override=" in command for command in commands)
    assert "rollouts undo web -n shop --to-revision 2" in commands


def test_plan_says_first_whether_the_budget_lets_it_start(shell: Shell, tmp_path: Path) -> None:
    gated(shell)
    objective(shell, "blocked")
    file = tmp_path / "new.yaml"
    file.write_text(yaml.safe_dump(changed(shell)))
    told = shell.run("plan", "-f", str(file), "-o", "json").stdout
    wanted = "Error budget: a version that never ran would wait first (checkout: it is blocked)"
    assert json.loads(told)["errorBudget"] == wanted
