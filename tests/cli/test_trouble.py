"""Whatever is wrong is one line that says what to do, with a stable exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from rollouts.cli.main import cli
from rollouts.kube import objects
from tests.cli.conftest import Shell, begin, paused_canary


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["get", "ro", "wbe"], "not found in namespace shop. Did you mean 'web'?", id="typo"),
        pytest.param(["explain", "zzzzz"], "not found in namespace shop. There are: web", id="another name"),
        pytest.param(["abort", "web"], "no update is under way", id="nothing to abort"),
        pytest.param(["undo", "web"], "no revision to go back to", id="nothing to undo"),
        pytest.param(
            ["--context", "prod", "list"], "no context 'prod' in the kubeconfig", id="wrong context"
        ),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(shell: Shell, args: list[str], said: str) -> None:
    hashes = {"currentPodHash": "a", "stableRS": "a"}
    shell.put(
        objects.ROLLOUTS, "web", spec={"strategy": {"canary": {}}}, status={"phase": "Healthy", **hashes}
    )
    done = shell.run(*args)
    assert done.exit_code == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["get", "web"], "Did you mean `cli get rollout web`?", id="kind left out"),
        pytest.param(["promot", "web"], "Did you mean `cli promote`?", id="typo in the command"),
        pytest.param(["set", "image", "web", "v2"], "'v2' is not CONTAINER=IMAGE", id="image"),
        pytest.param(["status", "web", "--timeout", "soon"], '"soon" is not a duration', id="duration"),
    ],
)
def test_wrong_usage_is_exit_code_2(args: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, args)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_name_in_another_namespace_is_found(shell: Shell) -> None:
    paused_canary(shell)
    done = shell.run("get", "ro", "web", namespace="default")
    assert "There is one in namespace shop: add -n shop" in done.stderr


def test_a_namespace_that_does_not_exist_is_told(shell: Shell) -> None:
    done = shell.run("get", "ro", "web", namespace="shpo")
    assert "namespace 'shpo' not found" in done.stderr


def test_a_cluster_without_the_crds_says_how_to_install_them(bare: Shell) -> None:
    for command in (["list"], ["get", "ro", "web"], ["explain", "web"]):
        done = bare.run(*command)
        assert done.exit_code == 1
        assert "does not serve rollouts.argoproj.io: install the CRDs" in done.stderr


def test_no_kubeconfig_and_no_server_are_told(shell: Shell, tmp_path: Path) -> None:
    missing = CliRunner().invoke(cli, ["--kubeconfig", str(tmp_path / "nope"), "list"])
    assert (missing.exit_code, "does not exist" in missing.stderr) == (1, True)
    text = shell.config.read_text().replace(shell.cluster.address, "http://127.0.0.1:9")
    shell.config.write_text(text)
    refused = shell.run("list")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "Error: no answer from http://127.0.0.1:9 (context embedded): connection refused. "
        "Is it running, and is it the right context?\n"
    )


def test_unknown_credentials_are_told_without_showing_them(shell: Shell) -> None:
    token = shell.cluster.token()
    shell.config.write_text(shell.config.read_text().replace(token, "wrong"))
    done = shell.run("list")
    assert done.exit_code == 1
    assert "does not accept your credentials" in done.stderr
    assert "wrong" not in done.stderr


def test_the_program_itself_ends_with_the_same_codes(tmp_path: Path) -> None:
    started = begin(["--kubeconfig", str(tmp_path / "nope"), "list"])
    out, err = started.communicate(timeout=60)
    assert (started.returncode, out) == (1, "")
    assert err.startswith("Error: the kubeconfig ")
