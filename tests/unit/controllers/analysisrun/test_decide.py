"""Decisions about an AnalysisRun, with plain values."""

from typing import Any

import pytest

from analysis.run.machine import Finished, Step
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.status import AnalysisRunStatus, Measurement
from rollouts.controllers.analysisrun.actions import (
    Cancel,
    DeleteRun,
    DropJob,
    Forget,
    Start,
    Tell,
    WriteStatus,
)
from rollouts.controllers.analysisrun.decide import decide
from rollouts.controllers.analysisrun.jobs import job_state, stuck_pod
from rollouts.controllers.analysisrun.snapshot import RunSnapshot
from tests.unit.analysis.run.driver import START, at, metric

JOB_METRIC = {"name": "job", "interval": "10s", "provider": {"job": {"spec": {"a": 1}}}}


def snapshot(spec: dict[str, Any], status: dict[str, Any] | None = None, **fields: Any) -> RunSnapshot:
    manifest = {"metadata": {"name": "run", "namespace": "ns", "uid": "u"}, "spec": spec}
    if status is not None:
        manifest["status"] = status
    return RunSnapshot(
        manifest=manifest,
        spec=AnalysisRunSpec.model_validate(spec),
        status=AnalysisRunStatus.model_validate(status or {}),
        now=fields.pop("now", START),
        **fields,
    )


def kinds(decision: Any) -> list[type]:
    return [type(action) for action in decision.actions]


def finished(phase: str, sequence: int = 0) -> Finished:
    return Finished("m", Step.MEASURE, sequence, Measurement(phase=phase))


def test_the_status_is_committed_before_anything_is_measured() -> None:
    decision = decide(snapshot({"metrics": [metric()]}))
    assert kinds(decision) == [WriteStatus, Start]
    assert decision.actions[0].patch == {
        "status": {"phase": "Running", "startedAt": "2026-01-01T00:00:00Z", "runSummary": {"count": 1}}
    }


def test_nothing_changes_while_a_measurement_is_under_way() -> None:
    status = {"phase": "Running", "startedAt": "2026-01-01T00:00:00Z", "runSummary": {"count": 1}}
    decision = decide(snapshot({"metrics": [metric()]}, status, in_flight=frozenset({"m"})))
    assert (decision.actions, decision.requeue_at) == ((), None)


def test_zeros_that_another_controller_wrote_are_not_worth_a_write() -> None:
    status = {
        "phase": "Running",
        "startedAt": "2026-01-01T00:00:00Z",
        "message": "",
        "runSummary": {"count": 1, "failed": 0},
        "dryRunSummary": {},
    }
    decision = decide(snapshot({"metrics": [metric()]}, status, in_flight=frozenset({"m"})))
    assert decision.actions == ()


def test_a_decided_run_is_told_after_it_is_committed() -> None:
    status = {"phase": "Running", "startedAt": "2026-01-01T00:00:00Z"}
    decision = decide(snapshot({"metrics": [metric()]}, status, finished=(finished("Failed"),)))
    assert kinds(decision) == [WriteStatus, Tell, Tell]
    assert [(t.type, t.reason) for t in decision.actions[1:]] == [
        ("Warning", "MetricFailed"),
        ("Warning", "AnalysisRunFailed"),
    ]
    assert decision.actions[0].counted == (finished("Failed"),)


def test_an_answer_to_an_old_question_is_let_go() -> None:
    status = {"phase": "Running", "startedAt": "2026-01-01T00:00:00Z", "runSummary": {"count": 1}}
    late = finished("Failed", sequence=7)
    decision = decide(snapshot({"metrics": [metric()]}, status, finished=(late,), in_flight=frozenset({"m"})))
    assert decision.actions == (Forget((late,)),)


def test_a_finished_run_lets_go_of_everything_and_waits_for_its_end() -> None:
    spec = {"metrics": [metric()], "ttlStrategy": {"secondsAfterCompletion": 60}}
    status = {"phase": "Successful", "completedAt": "2026-01-01T00:00:00Z"}
    decision = decide(snapshot(spec, status, in_flight=frozenset({"m"}), finished=(finished("Successful"),)))
    assert kinds(decision) == [Cancel, Forget]
    assert decision.requeue_at == at(60)
    assert kinds(decide(snapshot(spec, status, now=at(60)))) == [DeleteRun]


def test_the_job_of_a_forgotten_measurement_is_dropped() -> None:
    measurements = [
        {"phase": "Successful", "finishedAt": "2026-01-01T00:00:00Z", "metadata": {"job-name": f"j{i}"}}
        for i in range(2)
    ]
    status = {
        "phase": "Running",
        "startedAt": "2026-01-01T00:00:00Z",
        "metricResults": [
            {"name": "job", "phase": "Running", "count": 2, "successful": 2, "measurements": measurements}
        ],
    }
    new = Finished("job", Step.MEASURE, 2, Measurement(phase="Running", resume_at="2026-01-01T00:01:00Z"))
    spec = {"metrics": [JOB_METRIC], "measurementRetention": [{"metricName": "job", "limit": 2}]}
    decision = decide(snapshot(spec, status, finished=(new,), now=at(10)))
    assert DropJob("j0") in decision.actions


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"spec_error": "Analysis spec invalid: spec.x"}, "Analysis spec invalid: spec.x"),
        ({"rejection": "no"}, "no"),
    ],
)
def test_a_run_that_cannot_be_measured_ends_with_the_reason(problem: dict[str, str], message: str) -> None:
    decision = decide(snapshot({"metrics": [metric()]}, **problem))
    assert kinds(decision) == [WriteStatus, Tell]
    assert decision.actions[0].patch["status"]["message"] == message
    assert decision.actions[0].patch["status"]["phase"] == "Error"


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ([], "running"),
        ([{"type": "Complete", "status": "True"}], "complete"),
        ([{"type": "Complete", "status": "False"}], "running"),
        ([{"type": "SuccessCriteriaMet", "status": "True"}], "running"),
        ([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}], "failed"),
    ],
)
def test_a_jobs_conditions_tell_its_state(conditions: list[dict[str, str]], state: str) -> None:
    assert job_state({"status": {"conditions": conditions}}).state.value == state


@pytest.mark.parametrize(("reason", "stuck"), [("InvalidImageName", True), ("ContainerCreating", False)])
def test_only_terminal_waiting_reasons_make_a_pod_stuck(reason: str, stuck: bool) -> None:
    waiting = [{"name": "c", "state": {"waiting": {"reason": reason}}}]
    pod = {"metadata": {"name": "p"}, "status": {"initContainerStatuses": waiting}}
    assert bool(stuck_pod(pod)) is stuck
