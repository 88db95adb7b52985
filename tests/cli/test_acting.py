"""Commands that act patch the fields that controllers react to."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.kube import objects
from tests.cli.conftest import Shell, paused_canary


@pytest.mark.parametrize(
    ("args", "said", "spec", "status"),
    [
        pytest.param(["promote", "web"], "promoted", {}, {"pauseConditions": None}, id="promote"),
        pytest.param(["promote", "web", "--full"], "fully promoted", {}, {"promoteFull": True}, id="full"),
        pytest.param(["promote", "web", "--full=true"], "fully promoted", {}, {"promoteFull": True}, id="go"),
        pytest.param(["promote", "web", "-c"], "promoted", {}, {"currentStepIndex": 2}, id="skip one"),
        pytest.param(["promote", "web", "-a"], "promoted", {}, {"currentStepIndex": 3}, id="skip all"),
        pytest.param(["abort", "rollout", "web"], "aborted", {}, {"abort": True}, id="abort"),
        pytest.param(["pause", "web"], "paused", {"paused": True}, {}, id="pause"),
    ],
)  # fmt: skip
def test_a_command_writes_and_says_so(
    shell: Shell, args: list[str], said: str, spec: dict[str, Any], status: dict[str, Any]
) -> None:
    paused_canary(shell)
    done = shell.run(*args)
    assert (done.exit_code, done.stdout) == (0, f"rollout 'web' {said}\n")
    live = shell.get(objects.ROLLOUTS, "web")
    assert {name: live["spec"].get(name) for name in spec} == spec
    assert {name: live["status"].get(name) for name in status} == status


def test_an_image_is_set_and_undone(shell: Shell) -> None:
    paused_canary(shell)
    assert shell.run("set", "image", "web", "web=web:v3").exit_code == 0
    assert image(shell) == "web:v3"
    done = shell.run("undo", "web", "--to-revision", "1")
    assert done.output == "rollout 'web' undone: back to revision 1\n"
    assert image(shell) == "web:v1"
    labels = shell.get(objects.ROLLOUTS, "web")["spec"]["template"]["metadata"]["labels"]
    assert labels == {"app": "web"}


def test_an_image_is_set_and_undone_in_the_workload_that_a_rollout_refers_to(shell: Shell) -> None:
    paused_canary(shell)
    spec = dict(shell.get(objects.ROLLOUTS, "web")["spec"])
    template = spec.pop("template")
    shell.put(
        objects.DEPLOYMENTS, "app", spec={"selector": spec["selector"], "template": template, "replicas": 0}
    )
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}
    shell.change(objects.ROLLOUTS, "web", {"spec": {"template": None, "workloadRef": ref}})
    assert shell.run("set", "image", "web", "web=web:v3").output == "rollout 'web' image updated\n"
    assert images_of_deployment(shell) == ["web:v3"]
    assert shell.run("undo", "web", "--to-revision", "1").exit_code == 0
    assert images_of_deployment(shell) == ["web:v1"]


def images_of_deployment(shell: Shell) -> list[str]:
    pod = shell.get(objects.DEPLOYMENTS, "app")["spec"]["template"]["spec"]
    return [container["image"] for container in pod["containers"]]


def image(shell: Shell) -> str:
    return str(shell.get(objects.ROLLOUTS, "web")["spec"]["template"]["spec"]["containers"][0]["image"])


def test_restart_sets_the_moment(shell: Shell) -> None:
    paused_canary(shell)
    done = shell.run("restart", "web")
    at = shell.get(objects.ROLLOUTS, "web")["spec"]["restartAt"]
    assert done.output == f"rollout 'web' restarts its pods at {at}\n"


def test_several_names_are_acted_on_in_order(shell: Shell) -> None:
    for name in ("api", "web"):
        shell.put(objects.ROLLOUTS, name, spec={"strategy": {"canary": {}}})
    done = shell.run("pause", "api", "web")
    assert done.output == "rollout 'api' paused\nrollout 'web' paused\n"


def test_analysis_runs_are_stopped(shell: Shell) -> None:
    for name in ("web-1", "web-2"):
        shell.put(objects.ANALYSIS_RUNS, name, spec={"metrics": []})
    done = shell.run("terminate", "ar", "web-1", "web-2")
    assert done.output == "analysisrun 'web-1' terminated\nanalysisrun 'web-2' terminated\n"
    assert shell.get(objects.ANALYSIS_RUNS, "web-2")["spec"]["terminate"] is True


def test_two_ways_to_skip_are_one_too_many(shell: Shell) -> None:
    done = shell.run("promote", "web", "--skip-current-step", "--skip-all-steps")
    assert done.exit_code == 2
    assert "only one of --full, --skip-current-step and --skip-all-steps" in done.stderr


def test_an_experiment_is_run_again(shell: Shell) -> None:
    shell.put(objects.EXPERIMENTS, "compare", spec={"templates": []}, status={"phase": "Failed"})
    done = shell.run("retry", "exp", "compare")
    assert (done.exit_code, done.output) == (0, "experiment 'compare' retried\n")
    assert "status" not in shell.get(objects.EXPERIMENTS, "compare")
