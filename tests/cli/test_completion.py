"""The shell completes commands, kinds and the names of objects."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from rollouts.cli.main import cli
from rollouts.kube import objects
from tests.cli.conftest import Shell


def completed(args: list[str], incomplete: str) -> list[str]:
    shell = ShellComplete(cli, {}, "rollouts", "_ROLLOUTS_COMPLETE")
    return [item.value for item in shell.get_completions(args, incomplete)]


@pytest.mark.parametrize("args", [["get", "rollout"], ["explain"], ["abort"], ["set", "image"]], ids=" ".join)
def test_names_come_from_the_cluster(shell: Shell, args: list[str]) -> None:
    for name in ("api", "web", "web-admin"):
        shell.put(objects.ROLLOUTS, name, spec={})
    where = ["--kubeconfig", str(shell.config), "-n", "shop"]
    assert completed([*where, *args], "we") == ["web", "web-admin"]
    assert completed([*args, *where], "a") == ["api"]


def test_commands_and_kinds_are_completed() -> None:
    assert completed([], "re") == ["retry", "resume", "restart"]
    assert completed(["get"], "r") == ["rollout"]


def test_without_a_cluster_nothing_is_completed_and_nothing_is_said(shell: Shell) -> None:
    shell.config.write_text(shell.config.read_text().replace(shell.cluster.address, "http://127.0.0.1:9"))
    assert completed(["--kubeconfig", str(shell.config), "explain"], "") == []
