"""The rules of an analysis run at each of their boundaries."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.run.machine import Step, next_state, rejected
from analysis.run.plan import RunRejected, prepare
from analysis.run.ttl import delete_at
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.status import AnalysisRunStatus
from tests.unit.analysis.run.driver import LETTERS, START, answer, at, metric, plan_of, play


@pytest.mark.parametrize(
    ("fields", "outcomes", "phase", "taken"),
    [
        pytest.param({}, "S", "Successful", 1, id="no-count-no-interval-is-one-measurement"),
        pytest.param({}, "F", "Failed", 1, id="default-failure-limit-is-zero"),
        pytest.param({}, "I", "Inconclusive", 1, id="default-inconclusive-limit-is-zero"),
        pytest.param({}, "EEEES", "Successful", 5, id="four-errors-in-a-row-are-forgiven"),
        pytest.param({}, "EEEEE", "Error", 5, id="the-fifth-error-in-a-row-ends"),
        pytest.param(
            {"count": 2, "interval": "5s"}, "EEEESEEEES", "Successful", 10, id="success-resets-errors"
        ),
        pytest.param(
            {"count": 3, "interval": "5s", "failureLimit": 1}, "FSS", "Successful", 3, id="at-failure-limit"
        ),
        pytest.param(
            {"count": 3, "interval": "5s", "failureLimit": 1}, "FSF", "Failed", 3, id="over-failure-limit"
        ),
        pytest.param(
            {"interval": "5s", "failureLimit": 3}, "FSFSFSF", "Failed", 7, id="failures-are-cumulative"
        ),
        pytest.param(
            {"count": 3, "interval": "5s", "inconclusiveLimit": 1}, "ISS", "Successful", 3, id="at-limit-i"
        ),
        pytest.param(
            {"count": 3, "interval": "5s", "inconclusiveLimit": 1}, "II", "Inconclusive", 2, id="over-i"
        ),
        pytest.param({"consecutiveErrorLimit": 0}, "E", "Error", 1, id="error-limit-zero"),
        pytest.param({"interval": "5s", "count": 0}, "SSSS", "Running", 5, id="count-zero-is-endless"),
        pytest.param({"interval": "5s"}, "SSSS", "Running", 5, id="interval-alone-is-endless"),
        pytest.param({"count": 2, "interval": "5s"}, "SES", "Successful", 3, id="errors-do-not-count"),
        pytest.param(
            {"interval": "5s", "failureLimit": -1, "consecutiveSuccessLimit": 3},
            "SSFSSS",
            "Successful",
            6,
            id="failure-resets-consecutive-success",
        ),
        pytest.param(
            {"interval": "5s", "failureLimit": -1, "consecutiveSuccessLimit": 2},
            "SES S".replace(" ", ""),
            "Successful",
            4,
            id="error-resets-consecutive-success",
        ),
        pytest.param(
            {"interval": "5s", "count": 4, "failureLimit": -1, "consecutiveSuccessLimit": 3},
            "SFSF",
            "Failed",
            4,
            id="only-success-limit-not-reached-at-count",
        ),
        pytest.param(
            {"interval": "5s", "count": 5, "failureLimit": 2, "consecutiveSuccessLimit": 3},
            "SFSFS",
            "Inconclusive",
            5,
            id="both-limits-undecided-at-count",
        ),
        pytest.param(
            {"interval": "5s", "count": 5, "failureLimit": 1, "consecutiveSuccessLimit": 3},
            "FFSSS",
            "Failed",
            2,
            id="both-limits-failures-first",
        ),
    ],
)
def test_a_metric_ends_by_its_limits(fields: dict[str, Any], outcomes: str, phase: str, taken: int) -> None:
    played = play(plan_of(metric(**fields)), outcomes)
    assert (played.phase, len(played.measured["m"])) == (phase, taken)


@pytest.mark.parametrize(
    ("fields", "outcomes", "moments"),
    [
        ({"count": 3, "interval": "30s"}, "SSS", [0, 30, 60]),
        ({"count": 2, "interval": "30s"}, "SES", [0, 30, 40]),
        ({"count": 2, "interval": "5s"}, "ESS", [0, 10, 15]),
        ({}, "EES", [0, 10, 20]),
        ({"initialDelay": "45s", "count": 2, "interval": "10s"}, "SS", [45, 55]),
    ],
)
def test_measurements_come_at_their_moments(
    fields: dict[str, Any], outcomes: str, moments: list[float]
) -> None:
    assert play(plan_of(metric(**fields)), outcomes).measured["m"] == moments


def test_the_interval_counts_from_the_end_of_the_last_measurement() -> None:
    played = play(plan_of(metric(count=3, interval="30s")), "SSS", takes=(7, 3))
    assert played.measured["m"] == [0, 37, 70]


@pytest.mark.parametrize(
    ("fields", "outcomes", "error", "message"),
    [
        ({}, "F", "", 'Metric "m" assessed Failed due to failed (1) > failureLimit (0)'),
        ({}, "I", "", 'Metric "m" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)'),
        (
            {"consecutiveErrorLimit": 1},
            "EE",
            "no such host",
            'Metric "m" assessed Error due to consecutiveErrors (2) > consecutiveErrorLimit (1):'
            ' "Error Message: no such host"',
        ),
        ({}, "S", "", ""),
    ],
)
def test_the_run_says_why_in_upstreams_words(
    fields: dict[str, Any], outcomes: str, error: str, message: str
) -> None:
    assert play(plan_of(metric(**fields)), outcomes, message=error).status.message == message


def test_of_several_limits_the_last_one_checked_names_the_phase() -> None:
    plan = plan_of(metric(consecutiveErrorLimit=0, inconclusiveLimit=0, failureLimit=0))
    status = AnalysisRunStatus.model_validate(
        {
            "phase": "Running",
            "startedAt": "2026-01-01T00:00:00Z",
            "metricResults": [
                {
                    "name": "m",
                    "phase": "Running",
                    "failed": 1,
                    "inconclusive": 1,
                    "error": 1,
                    "consecutiveError": 1,
                    "measurements": [{"phase": "Error", "finishedAt": "2026-01-01T00:00:00Z"}],
                }
            ],
        }
    )
    assert next_state(plan, status, [], START).status.phase == "Error"


def test_one_bad_metric_ends_the_run_and_the_others_become_successful() -> None:
    plan = plan_of(
        metric("a", interval="10s"), metric("b", interval="10s"), metric("late", initialDelay="1h")
    )
    played = play(plan, {"a": "SF", "b": "SSSS", "late": ""})
    assert played.phase == "Failed"
    assert [(r.name, r.phase) for r in played.status.metric_results] == [("a", "Failed"), ("b", "Successful")]
    assert played.status.run_summary.model_dump() == {
        "count": 3,
        "successful": 1,
        "failed": 1,
        "inconclusive": 0,
        "error": 0,
    }


@pytest.mark.parametrize(
    ("outcomes", "phase"),
    [
        ({"a": "S", "b": "I"}, "Inconclusive"),
        ({"a": "E", "b": "I"}, "Error"),
        ({"a": "E", "b": "F"}, "Failed"),
        ({"a": "S", "b": "S"}, "Successful"),
    ],
)
def test_the_run_has_the_worst_phase_of_its_metrics(outcomes: dict[str, str], phase: str) -> None:
    plan = plan_of(metric("a", consecutiveErrorLimit=0), metric("b"))
    assert play(plan, outcomes).phase == phase


def test_a_failing_dry_run_metric_does_not_decide_and_says_what_it_would_have_done() -> None:
    plan = plan_of(metric("a", count=2, interval="10s"), metric("dry"), dryRun=[{"metricName": "d.*"}])
    played = play(plan, {"a": "SS", "dry": "F"})
    assert (played.phase, played.status.message) == ("Successful", "")
    assert played.result("dry").message == "Metric assessed Failed due to failed (1) > failureLimit (0)"
    assert played.result("dry").dry_run is True
    assert played.status.dry_run_summary.failed == 1
    assert played.status.run_summary.count == 1


def test_a_run_of_dry_run_metrics_alone_succeeds() -> None:
    assert play(plan_of(metric(), dryRun=[{"metricName": "*"}]), "F").phase == "Successful"


@pytest.mark.parametrize(
    ("rule", "kept"),
    [([], 10), ([{"metricName": "m", "limit": 3}], 3), ([{"metricName": "*", "limit": 0}], 10)],
)
def test_old_measurements_are_dropped_and_counters_stay(rule: list[dict[str, Any]], kept: int) -> None:
    played = play(plan_of(metric(count=25, interval="1s"), measurementRetention=rule), "S" * 25)
    assert (len(played.result().measurements), played.result().count) == (kept, 25)


def test_a_terminated_run_without_a_verdict_is_successful() -> None:
    played = play(plan_of(metric(initialDelay="1h"), terminate=True), "")
    assert (played.phase, played.status.message) == ("Successful", "Run Terminated")
    assert played.measured == {}


def test_termination_keeps_a_verdict_that_is_already_there() -> None:
    running = play(plan_of(metric("a", interval="10s"), metric("b", interval="10s")), {"a": "SS", "b": "SS"})
    plan = plan_of(metric("a", interval="10s"), metric("b", interval="10s"), terminate=True)
    ended = next_state(plan, running.status, [], running.now)
    assert ended.status.phase == "Successful"
    assert ended.due == ()
    assert [r.phase for r in ended.status.metric_results] == ["Successful", "Successful"]


def test_a_measurement_in_flight_is_cancelled_when_the_run_ends() -> None:
    plan = plan_of(metric("a"), metric("slow"))
    first = next_state(plan, AnalysisRunStatus(), [], START)
    ended = next_state(plan, first.status, [answer(first.due[0], "F")], at(1), in_flight={"slow"})
    assert ended.status.phase == "Failed"
    assert ended.cancel == {"slow"}


def test_a_job_is_resumed_when_it_says_so_and_counted_once() -> None:
    plan = plan_of(metric())
    first = next_state(plan, AnalysisRunStatus(), [], START)
    opened = next_state(
        plan, first.status, [answer(first.due[0], "Running", resume_at="2026-01-01T00:00:05Z")], at(1)
    )
    assert (opened.due, opened.requeue_at, opened.status.phase) == ((), at(5), "Running")
    resumed = next_state(plan, opened.status, [], at(5))
    assert [d.step for d in resumed.due] == [Step.RESUME]
    done = next_state(plan, resumed.status, [answer(resumed.due[0], "S")], at(6))
    assert (done.status.phase, done.status.result("m").count, len(done.status.result("m").measurements)) == (
        "Successful",
        1,
        1,
    )


def test_an_open_job_is_terminated_before_the_run_ends() -> None:
    plan = plan_of(metric("job"), metric("q"))
    first = next_state(plan, AnalysisRunStatus(), [], START)
    answers = [answer(first.due[0], "Running", resume_at="2026-01-01T01:00:00Z"), answer(first.due[1], "F")]
    ending = next_state(plan, first.status, answers, at(1))
    assert (ending.status.phase, [d.step for d in ending.due]) == ("Running", [Step.TERMINATE])
    ended = next_state(plan, ending.status, [answer(ending.due[0], "S")], at(2))
    assert ended.status.phase == "Failed"
    assert ended.status.result("job").measurements[-1].message == "Metric Terminated"


def test_a_job_that_has_ended_is_heard_even_when_the_run_is_stopped() -> None:
    plan = plan_of(metric("job"))
    first = next_state(plan, AnalysisRunStatus(), [], START)
    opened = next_state(
        plan, first.status, [answer(first.due[0], "Running", resume_at="2026-01-01T01:00:00Z")], at(1)
    )
    stopped = plan_of(metric("job"), terminate=True)
    assert [d.step for d in next_state(stopped, opened.status, [], at(2)).due] == [Step.TERMINATE]
    assert [d.step for d in next_state(stopped, opened.status, [], at(2), ready={"job"}).due] == [Step.RESUME]


def test_an_answer_that_arrives_twice_is_counted_once() -> None:
    plan = plan_of(metric(count=5, interval="10s"))
    first = next_state(plan, AnalysisRunStatus(), [], START)
    again = answer(first.due[0], "S")
    once = next_state(plan, first.status, [again], at(1))
    twice = next_state(plan, once.status, [again], at(2))
    assert twice.status.result("m").count == 1
    assert next_state(plan, first.status, [again, again], at(1)).status.result("m").count == 1


def test_nothing_is_due_twice_while_it_is_in_flight() -> None:
    plan = plan_of(metric(interval="10s"))
    first = next_state(plan, AnalysisRunStatus(), [], START)
    assert len(first.due) == 1
    assert next_state(plan, first.status, [], at(30), in_flight={"m"}).due == ()


def test_a_finished_run_never_changes() -> None:
    played = play(plan_of(metric()), "S")
    later = next_state(plan_of(metric(), terminate=True), played.status, [], at(999))
    assert (later.status, later.due, later.requeue_at) == (played.status, (), None)


def test_decisions_are_announced_once() -> None:
    plan = plan_of(metric("a"), metric("b", interval="10s"))
    first = next_state(plan, AnalysisRunStatus(), [], START)
    ended = next_state(plan, first.status, [answer(first.due[0], "F"), answer(first.due[1], "S")], at(1))
    assert [(t.metric, t.phase) for t in ended.transitions] == [
        ("a", "Failed"),
        ("b", "Successful"),
        ("", "Failed"),
    ]
    assert next_state(plan, ended.status, [], at(2)).transitions == ()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"metrics": []}, "Analysis spec invalid: spec.metrics: no metrics specified"),
        ({"metrics": [metric(count=2)]}, "Analysis spec invalid: spec.metrics[0].interval: interval must be"),
        (
            {"metrics": [metric(successCondition="{{args.x}}")]},
            "Unable to resolve metric arguments: spec.metrics[0]",
        ),
        (
            {"metrics": [metric()], "args": [{"name": "x"}]},
            "Unable to resolve metric arguments: spec.args[0]: args.x was not resolved",
        ),
        (
            {"metrics": [metric(count="{{args.n}}")], "args": [{"name": "n", "value": "z"}]},
            "Analysis spec invalid",
        ),
        ({"metrics": [metric()], "dryRun": [{"metricName": "z"}]}, "Analysis spec invalid: spec.dryRun[0]"),
    ],
)
def test_a_spec_that_can_never_run_is_rejected_with_its_path(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(RunRejected) as caught:
        prepare(AnalysisRunSpec.model_validate(spec))
    assert str(caught.value).startswith(message)
    ended = rejected(AnalysisRunStatus(), str(caught.value), START)
    assert (ended.status.phase, ended.status.message) == ("Error", str(caught.value))


def test_count_and_limits_may_come_from_arguments() -> None:
    spec = {
        "metrics": [metric(count="{{args.n}}", interval="{{args.i}}", failureLimit="{{args.n}}")],
        "args": [{"name": "n", "value": "2"}, {"name": "i", "value": "3s"}],
    }
    plan = prepare(AnalysisRunSpec.model_validate(spec))
    assert (plan.metrics[0].count, plan.metrics[0].failure_limit, plan.metrics[0].interval) == (
        2,
        2,
        timedelta(seconds=3),
    )


@pytest.mark.parametrize(
    ("phase", "strategy", "seconds"),
    [
        ("Successful", {"secondsAfterSuccess": 5, "secondsAfterCompletion": 9}, 5),
        ("Successful", {"secondsAfterFailure": 5, "secondsAfterCompletion": 9}, 9),
        ("Failed", {"secondsAfterFailure": 5, "secondsAfterCompletion": 9}, 5),
        ("Error", {"secondsAfterFailure": 5, "secondsAfterCompletion": 9}, 9),
        ("Inconclusive", {"secondsAfterFailure": 5}, None),
        ("Running", {"secondsAfterCompletion": 9}, None),
        ("Successful", {"secondsAfterCompletion": 0}, 0),
        ("Successful", None, None),
    ],
)
def test_a_finished_run_lives_as_long_as_its_strategy_says(
    phase: str, strategy: dict[str, int] | None, seconds: int | None
) -> None:
    spec = AnalysisRunSpec.model_validate({"metrics": [metric()], "ttlStrategy": strategy})
    status = AnalysisRunStatus(phase=phase, completed_at="2026-01-01T00:00:00Z")
    assert delete_at(spec, status) == (None if seconds is None else at(seconds))


LIMIT = st.integers(0, 3)


@given(
    st.lists(
        st.tuples(st.text("SFIE", min_size=1, max_size=14), LIMIT, LIMIT, LIMIT, st.booleans()),
        min_size=1,
        max_size=3,
    )
)
def test_phases_and_counters_always_agree(rows: list[tuple[str, int, int, int, bool]]) -> None:
    names = [f"m{i}" for i in range(len(rows))]
    metrics = [
        metric(name, interval="5s", count=8, failureLimit=f, inconclusiveLimit=i, consecutiveErrorLimit=e)
        for name, (_, f, i, e, _) in zip(names, rows, strict=True)
    ]
    dry = [{"metricName": f"^{name}$"} for name, row in zip(names, rows, strict=True) if row[4]]
    plan = plan_of(*metrics, dryRun=dry)
    played = play(plan, {name: row[0] for name, row in zip(names, rows, strict=True)})
    results = played.status.metric_results
    for result in results:
        chosen = plan.metric(result.name)
        assert result.count == result.successful + result.failed + result.inconclusive
        assert result.count <= 8
        if result.phase == "Successful":
            assert result.failed <= (chosen.failure_limit or 0)
            assert result.inconclusive <= chosen.inconclusive_limit
            assert result.consecutive_error <= chosen.consecutive_error_limit
        assert len(result.measurements) <= chosen.retention
        assert all(m.phase in LETTERS.values() and m.finished_at for m in result.measurements)
    deciding = [r for r in results if not r.dry_run]
    if played.phase == "Successful":
        assert all(r.phase == "Successful" for r in deciding)
    if any(r.phase in ("Failed", "Error", "Inconclusive") for r in deciding):
        assert played.phase in ("Failed", "Error", "Inconclusive")
        assert played.status.completed_at
    assert AnalysisRunStatus.model_validate(played.status.manifest()).manifest() == played.status.manifest()
