"""A pod's containers and status over its life, as plain values."""

from datetime import UTC, datetime, timedelta

import pytest

from rollouts.embedded.workloads.podstatus import ContainerState, Life, container_at, pod_status
from rollouts.embedded.workloads.program import (
    Program,
    pre_stop_seconds,
    pull_error,
    read_containers,
    read_program,
)
from rollouts.embedded.workloads.timing import KubeletTiming

T0 = datetime(2026, 1, 1, tzinfo=UTC)
LIFE = Life(T0, starts_in=1.0)
TIMING = KubeletTiming(pull_backoff=2.0, crash_backoff=10.0, crash_backoff_limit=40.0)


def pod(container: dict | None = None, **spec) -> dict:
    body = {"name": "web", "image": "nginx:1", **(container or {})}
    return {"metadata": {"uid": "u"}, "spec": {"containers": [body], **spec}}


def state_at(age: float, a_pod: dict) -> ContainerState:
    (container,) = read_containers(a_pod, job_seconds=1.0)
    return container_at(container, a_pod["spec"].get("restartPolicy", "Always"), LIFE, age, TIMING)


def status_at(age: float, a_pod: dict) -> dict:
    containers = read_containers(a_pod, job_seconds=1.0)
    states = [state_at(age, a_pod)]
    return pod_status(a_pod, containers, states, LIFE, "10.0.0.1", T0 + timedelta(seconds=age))


def conditions(status: dict) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status["conditions"]}


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        pytest.param([], None, id="no command: the default"),
        pytest.param(["nginx", "-g", "daemon off;"], None, id="not understood: the default"),
        pytest.param(["sleep", "3"], Program(3.0), id="sleep"),
        pytest.param(["sleep", "2m"], Program(120.0), id="sleep with a unit"),
        pytest.param(["sh", "-c", "sleep 2; exit 3"], Program(2.0, 3), id="shell script that fails"),
        pytest.param(["/bin/sh", "-c", "sleep 1 && sleep 0.5"], Program(1.5), id="shell, two sleeps"),
        pytest.param(["false"], Program(0.0, 1), id="false"),
        pytest.param(["/bin/true"], Program(0.0), id="true"),
        pytest.param(["/bad"], Program(0.0, 127), id="no such file"),
        pytest.param(["sh", "-ec", "exit 1"], Program(0.0, 1), id="exit"),
    ],
)
def test_a_command_tells_how_long_it_runs_and_how_it_ends(argv, expected):
    default = Program(None)
    assert read_program(argv, default) == (expected or default)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("nginx", ""),
        ("registry.example:5000/team/web:v1.2_3", ""),
        ("argoproj/rollouts-demo:bad-red", ""),
        ("web@sha256:" + "a" * 64, ""),
        ("web:bad", "ErrImagePull"),
        ("web:does-not-exist", "ErrImagePull"),
        ("Web Server!", "InvalidImageName"),
        ("", "InvalidImageName"),
    ],
)
def test_an_image_can_be_pulled_unless_its_name_says_otherwise(image, reason):
    assert pull_error(image) == reason


def test_a_server_is_created_then_running_and_ready():
    before, after = status_at(0.5, pod()), status_at(1.0, pod())
    assert before["phase"] == "Pending"
    assert before["containerStatuses"][0]["state"]["waiting"]["reason"] == "ContainerCreating"
    assert "podIP" not in before
    assert (after["phase"], after["podIP"]) == ("Running", "10.0.0.1")
    assert conditions(after)["Ready"] == "True"
    assert state_at(0.5, pod()).until == 1.0


def test_post_start_and_the_probe_delay_come_one_after_the_other():
    a_pod = pod(
        {
            "lifecycle": {"postStart": {"exec": {"command": ["sleep", "2"]}}},
            "readinessProbe": {"initialDelaySeconds": 3},
        }
    )
    starting, started, ready = (state_at(age, a_pod) for age in (1.0, 3.0, 6.0))
    assert (starting.started, starting.ready, starting.until) == (False, False, 3.0)
    assert (started.started, started.ready, started.until) == (True, False, 6.0)
    assert (ready.started, ready.ready) == (True, True)
    assert conditions(status_at(3.0, a_pod))["Ready"] == "False"


def test_a_closed_readiness_gate_keeps_a_running_pod_from_being_ready():
    a_pod = pod(readinessGates=[{"conditionType": "lb/ready"}])
    closed = status_at(2.0, a_pod)
    a_pod["status"] = {"conditions": [{"type": "lb/ready", "status": "True"}]}
    opened = status_at(2.0, a_pod)
    assert (conditions(closed)["ContainersReady"], conditions(closed)["Ready"]) == ("True", "False")
    assert conditions(opened)["Ready"] == "True"
    assert conditions(opened)["lb/ready"] == "True"


def test_the_ready_annotation_takes_readiness_away():
    a_pod = pod()
    a_pod["metadata"]["annotations"] = {"simulator.rollouts.dev/ready": "false"}
    status = status_at(2.0, a_pod)
    assert status["phase"] == "Running"
    assert conditions(status)["Ready"] == "False"


def test_an_image_that_cannot_be_pulled_backs_off_and_stays_pending():
    a_pod = pod({"image": "web:bad"})
    reasons = [state_at(age, a_pod).state["waiting"]["reason"] for age in (0.0, 1.0, 3.0, 99.0)]
    assert reasons == ["ContainerCreating", "ErrImagePull", "ImagePullBackOff", "ImagePullBackOff"]
    assert status_at(99.0, a_pod)["phase"] == "Pending"


def test_a_crashing_server_backs_off_twice_as_long_each_time_up_to_the_limit():
    a_pod = pod({"command": ["sh", "-c", "sleep 1; exit 1"]})
    # runs 1–2, waits to 12, runs to 13, waits to 33, runs to 34, waits to 74 (limit 40), runs to 75
    seen = [
        (s.restarts, s.until) for s in (state_at(age, a_pod) for age in (1.5, 2.0, 12.5, 13.0, 40.0, 80.0))
    ]
    assert seen == [(0, 2.0), (0, 12.0), (1, 13.0), (1, 33.0), (2, 74.0), (3, 115.0)]
    crashed = status_at(2.0, a_pod)
    assert crashed["phase"] == "Running"
    container = crashed["containerStatuses"][0]
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert container["lastState"]["terminated"]["exitCode"] == 1


@pytest.mark.parametrize(
    ("policy", "command", "phase"),
    [
        ("Never", ["sh", "-c", "exit 0"], "Succeeded"),
        ("Never", ["sh", "-c", "exit 3"], "Failed"),
        ("OnFailure", ["true"], "Succeeded"),
        ("OnFailure", ["false"], "Running"),
    ],
)
def test_a_finished_container_ends_its_pod_as_the_restart_policy_says(policy, command, phase):
    assert status_at(1.5, pod({"command": command}, restartPolicy=policy))["phase"] == phase


def test_a_job_container_without_a_command_runs_for_the_job_seconds():
    a_pod = pod(restartPolicy="Never")
    assert [status_at(age, a_pod)["phase"] for age in (1.5, 2.0)] == ["Running", "Succeeded"]


def test_a_condition_keeps_its_transition_time_until_it_changes():
    a_pod = pod()
    a_pod["status"] = status_at(1.0, a_pod)
    later = status_at(50.0, a_pod)
    ready = next(c for c in later["conditions"] if c["type"] == "Ready")
    assert ready["lastTransitionTime"] == "2026-01-01T00:00:01Z"


def test_the_longest_pre_stop_hook_counts():
    a_pod = pod({"lifecycle": {"preStop": {"sleep": {"seconds": 4}}}})
    a_pod["spec"]["containers"].append(
        {"name": "b", "image": "b", "lifecycle": {"preStop": {"exec": {"command": ["sleep", "7"]}}}}
    )
    assert pre_stop_seconds(a_pod) == 7.0
