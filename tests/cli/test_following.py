"""Commands that follow: every change once, through a broken watch, to a clean end."""

from __future__ import annotations

import json
import signal

import pytest

from rollouts.kube import objects
from tests.cli.conftest import PATIENCE, Shell, line_of, paused_canary


def test_status_waits_for_an_end_through_a_broken_watch(shell: Shell) -> None:
    shell.put(objects.ROLLOUTS, "web", spec={}, status={"phase": "Progressing", "message": "one"})
    started = shell.begin("status", "web", "--timeout", "30s")
    assert line_of(started.stdout) == "Progressing - one"
    shell.status(objects.ROLLOUTS, "web", message="two")
    assert line_of(started.stdout) == "Progressing - two"
    shell.break_watches()
    shell.status(objects.ROLLOUTS, "web", phase="Degraded", message="it failed")
    out, err = started.communicate(timeout=PATIENCE)
    assert (out, err, started.returncode) == ("Degraded - it failed\n", "", 1)


def test_status_waits_through_a_pause(shell: Shell) -> None:
    shell.put(objects.ROLLOUTS, "web", spec={}, status={"phase": "Paused", "message": "CanaryPauseStep"})
    started = shell.begin("status", "web", "--timeout", "30s")
    assert line_of(started.stdout) == "Paused - CanaryPauseStep"
    shell.status(objects.ROLLOUTS, "web", phase="Healthy", message=None)
    out, err = started.communicate(timeout=PATIENCE)
    assert (out, err, started.returncode) == ("Healthy\n", "", 0)


def test_status_gives_up_when_the_time_is_over(shell: Shell) -> None:
    shell.put(objects.ROLLOUTS, "web", spec={}, status={"phase": "Progressing"})
    done = shell.run("status", "web", "--timeout", "200ms")
    assert (done.exit_code, done.stdout) == (3, "Progressing\n")
    assert done.stderr == "still Progressing after 0.2 s\n"


@pytest.mark.parametrize("command", [["get", "ro", "web"], ["explain", "web"], ["list"]], ids=" ".join)
def test_a_pipe_gets_a_document_per_change_until_interrupted(shell: Shell, command: list[str]) -> None:
    paused_canary(shell)
    started = shell.begin(*command, "-w", "-o", "json")
    first = json.loads(line_of(started.stdout))
    shell.status(objects.ROLLOUTS, "web", phase="Degraded", abort=True, abortedAt="2026-01-01T12:01:00Z")
    second = json.loads(line_of(started.stdout))
    assert second != first
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=PATIENCE)
    assert (started.returncode, err.strip()) == (130, "")


def test_a_pipe_gets_a_line_per_change_of_state(shell: Shell) -> None:
    paused_canary(shell)
    started = shell.begin("get", "rollout", "web", "-w")
    assert line_of(started.stdout)[9:] == "Paused step 1/3 weight 25 ready 4/4 CanaryPauseStep"
    shell.status(objects.ROLLOUTS, "web", phase="Healthy", message=None)
    assert line_of(started.stdout)[9:] == "Healthy step 1/3 weight 25 ready 4/4"
    shell.delete(objects.ROLLOUTS, "web")
    out, err = started.communicate(timeout=PATIENCE)
    assert (out, err, started.returncode) == ("", "it has been deleted\n", 1)
