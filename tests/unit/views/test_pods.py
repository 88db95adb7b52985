"""Why a pod is not ready, from what its status says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rollouts.views.pods import has_crashed, pod_row, trouble

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def pod(
    *containers: dict[str, Any], phase: str = "Running", deleting: bool = False, **conditions: Any
) -> dict[str, Any]:
    meta = {"name": "web-1", "creationTimestamp": "2026-01-01T11:59:18Z"}
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T11:59:59Z"
    states = [{"type": name, **value} for name, value in conditions.items()]
    return {
        "metadata": meta,
        "spec": {"containers": [{"name": c["name"]} for c in containers]},
        "status": {"phase": phase, "conditions": states, "containerStatuses": list(containers)},
    }


def container(
    state: dict[str, Any], *, ready: bool = False, restarts: int = 0, last: Any = None
) -> dict[str, Any]:
    found = {"name": "web", "ready": ready, "restartCount": restarts, "state": state}
    return {**found, "lastState": {"terminated": last}} if last else found


RUNNING = {"running": {"startedAt": "2026-01-01T11:59:20Z"}}
READY = {"status": "True"}
NOT_READY = {"status": "False", "reason": "ContainersNotReady"}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(pod(container(RUNNING, ready=True), Ready=READY), "", id="ready"),
        pytest.param(pod(container(RUNNING), deleting=True), "", id="going"),
        pytest.param(
            pod(
                container(
                    {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                    restarts=4,
                    last={"exitCode": 137, "reason": "OOMKilled"},
                ),
                Ready=NOT_READY,
            ),
            "container web: CrashLoopBackOff, exit code 137 (OOMKilled), restarted 4 times",
            id="crash loop",
        ),
        pytest.param(
            pod(
                container(
                    {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "w:2"'}}
                )
            ),
            'container web: ImagePullBackOff: Back-off pulling image "w:2"',
            id="image",
        ),
        pytest.param(
            pod(container({"waiting": {"reason": "ContainerCreating"}}), phase="Pending"),
            "container web is being created",
            id="starting",
        ),
        pytest.param(
            pod(container(RUNNING), Ready=NOT_READY),
            "container web runs but its readiness probe has not passed",
            id="probe",
        ),
        pytest.param(
            pod(container({"terminated": {"exitCode": 1, "reason": "Error"}}), Ready=NOT_READY),
            "container web: exit code 1",
            id="ended",
        ),
        pytest.param(
            pod(phase="Pending", PodScheduled={"status": "False", "message": "0/3 nodes are available"}),
            "not scheduled: 0/3 nodes are available",
            id="no room",
        ),
        pytest.param(
            pod(
                container(RUNNING, ready=True),
                Ready={"status": "False", "reason": "ReadinessGatesNotReady", "message": "gate x"},
            ),
            "a readiness gate is not passed: gate x",
            id="gate",
        ),
        pytest.param(pod(phase="Unknown"), "not ready yet", id="nothing known"),
    ],
)
def test_trouble_is_told_in_one_sentence(found: dict[str, Any], why: str) -> None:
    assert trouble(found) == why


def test_a_row_shows_the_waiting_reason_the_ready_containers_and_the_restarts() -> None:
    row = pod_row(pod(container({"waiting": {"reason": "CrashLoopBackOff"}}, restarts=2)), NOW)
    assert (row.name, row.status, row.ready, row.restarts, row.age_seconds) == (
        "web-1", "CrashLoopBackOff", "0/1", 2, 42,
    )  # fmt: skip


def test_a_deleted_pod_is_terminating_whatever_its_containers_say() -> None:
    assert pod_row(pod(container(RUNNING, ready=True), deleting=True), NOW).status == "Terminating"


def test_only_a_pod_that_has_ended_once_has_an_earlier_log() -> None:
    assert has_crashed(pod(container(RUNNING, last={"exitCode": 1})))
    assert not has_crashed(pod(container(RUNNING)))
