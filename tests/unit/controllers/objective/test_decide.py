"""What a status says of a budget, and which of its changes are worth a write. Plain values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analysis.slo.budget import budget_queries
from analysis.slo.validation import read_objective
from rollouts.controllers.objective.decide import HEARTBEAT, Decision, decide
from rollouts.controllers.objective.snapshot import ObjectiveSnapshot
from tests.unit.analysis.slo.examples import ours

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def snapshot(status: Any = None, **fields: Any) -> ObjectiveSnapshot:
    manifest = ours()
    manifest["metadata"]["generation"] = 3
    if status is not None:
        manifest["status"] = status
    return ObjectiveSnapshot(now=NOW, manifest=manifest, **fields)


def read(used: float | None, rate: float | None = 0.5, status: Any = None, **more: float) -> Decision:
    """Decide with this share of the budget used, and the same burn rate in every window."""
    spec = read_objective(ours()["spec"])
    ratios = dict.fromkeys(budget_queries(spec), None if rate is None else rate * 0.001)
    numbers = {**ratios, "period": None if used is None else used * 0.001}
    numbers |= {name.replace("_", " "): value * 0.001 for name, value in more.items()}
    return decide(snapshot(status, spec=spec, numbers=numbers))


def conditions(decision: Decision) -> dict[str, tuple[str, str]]:
    assert decision.status is not None
    return {c["type"]: (c["status"], c["reason"]) for c in decision.status["conditions"]}


def test_a_healthy_budget_is_told_with_its_figures() -> None:
    decision = read(0.17)
    status = decision.status
    assert status is not None
    assert (status["state"], status["remaining"], status["burnRate"]) == ("ok", "0.830", "0.50")
    assert status["observedGeneration"] == 3
    first = status["windows"][0]
    assert (first["severity"], first["long"], first["short"], first["factor"]) == ("page", "1h", "5m", "14.4")
    assert conditions(decision) == {
        "Ready": ("True", "BudgetKnown"),
        "DataAvailable": ("True", "DataFound"),
    }
    assert decision.events == ()
    assert decision.requeue_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("used", "rate", "state", "words"),
    [
        (0.8, 0.5, "guarded", "20.0% of the error budget is left"),
        (0.95, 0.5, "blocked", "5.0% of the error budget is left, below 10%"),
        (0.1, 20.0, "blocked", "burns at page level"),
        (None, None, "unknown", "no data"),
    ],
)
def test_the_gate_says_why_and_tells_people_once(
    used: float | None, rate: float | None, state: str, words: str
) -> None:
    decision = read(used, rate)
    assert decision.status is not None
    assert decision.status["state"] == state
    assert words in decision.status["message"]
    assert [event.reason for event in decision.events] == [f"Budget{state.capitalize()}"]
    again = read(used, rate, decision.status)
    assert (again.status, again.events) == (None, ())


def test_no_data_is_not_a_healthy_budget() -> None:
    decision = read(None, None)
    assert conditions(decision) == {"Ready": ("False", "NoData"), "DataAvailable": ("False", "NoData")}
    assert "remaining" not in (decision.status or {})


def test_a_quiet_hour_says_nothing_against_a_known_budget() -> None:
    decision = read(0.2, None)
    assert decision.status is not None
    assert decision.status["state"] == "ok"
    assert "burnRate" not in decision.status


@pytest.mark.parametrize(
    ("used", "rate", "written"),
    [(0.173, 0.5, False), (0.18, 0.5, True), (0.17, 0.54, False), (0.17, 0.7, True), (0.17, None, True)],
)
def test_only_a_difference_that_a_person_sees_is_written(
    used: float, rate: float | None, written: bool
) -> None:
    before = read(0.17).status
    assert (read(used, rate, before).status is not None) is written


def test_small_steps_are_written_once_they_add_up() -> None:
    before = read(0.17).status
    for used in (0.171, 0.172, 0.173, 0.174):
        assert read(used, status=before).status is None
    assert read(0.176, status=before).status is not None


def test_a_pair_that_begins_to_fire_is_written() -> None:
    before = read(0.17, 14.3).status
    after = read(0.17, 14.5, before).status
    assert after is not None
    assert (after["state"], after["windows"][0]["firing"]) == ("blocked", True)


def test_a_status_that_says_nothing_new_is_renewed_now_and_then() -> None:
    spec = read_objective(ours()["spec"])
    numbers = dict.fromkeys(budget_queries(spec), 0.0001)
    first = decide(snapshot(spec=spec, numbers=numbers))
    later = replace(snapshot(first.status, spec=spec, numbers=numbers), now=NOW + HEARTBEAT)
    assert decide(replace(later, now=later.now - timedelta(minutes=1))).status is None
    renewed = decide(later)
    assert renewed.status is not None
    assert renewed.status["checkedAt"] == "2026-01-01T12:15:00Z"
    assert renewed.status["conditions"][0]["lastTransitionTime"] == "2026-01-01T12:00:00Z"


def test_a_backend_that_fails_takes_the_figures_away() -> None:
    before = read(0.17).status
    spec = read_objective(ours()["spec"])
    failed = decide(snapshot(before, spec=spec, failure="cannot be reached", failed_by="BackendUnavailable"))
    assert failed.status is not None
    assert failed.status["state"] == "unknown"
    assert not {"remaining", "windows", "burnRate"} & set(failed.status)
    assert conditions(failed)["Ready"] == ("False", "BackendUnavailable")
    assert [event.reason for event in failed.events] == ["BudgetUnknown"]


def test_an_invalid_spec_is_told_once_and_waits_for_a_change() -> None:
    problem = "spec.objective: wanted a share between 0 and 1, not 99.9"
    found = decide(snapshot(invalid=problem))
    assert found.status is not None
    assert conditions(found)["Ready"] == ("False", "InvalidSpec")
    assert found.status["message"] == problem
    assert [event.message for event in found.events] == [problem]
    assert found.requeue_at is None
    again = decide(replace(snapshot(found.status, invalid=problem), now=NOW + 2 * HEARTBEAT))
    assert (again.status, again.events) == (None, ())
