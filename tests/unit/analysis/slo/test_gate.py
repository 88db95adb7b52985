"""The gate before a rollout: what the budget says, what a person says; a rollback needs neither."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.slo.gate import (
    OVERRIDE_ANNOTATION,
    BudgetReading,
    Burning,
    GatePolicy,
    GateState,
    OnUnknown,
    Override,
    decide_gate,
    read_override,
)
from analysis.slo.spend import Served, extra_bad, spend_cap, spent
from analysis.spec.errors import SpecError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = GatePolicy()
FIRING = Burning("1h/5m", 14.4, 20.0, 16.0)
GONE = BudgetReading(0.05)
UNREADABLE = BudgetReading(None, problem="connection refused")


@pytest.mark.parametrize(
    ("reading", "state", "allowed"),
    [
        (BudgetReading(0.80), GateState.OK, True),
        (BudgetReading(0.25), GateState.OK, True),
        (BudgetReading(0.2499), GateState.GUARDED, True),
        (BudgetReading(0.10), GateState.GUARDED, True),
        (BudgetReading(0.0999), GateState.BLOCKED, False),
        (BudgetReading(-3.0), GateState.BLOCKED, False),
        (BudgetReading(0.80, [FIRING]), GateState.BLOCKED, False),
        (BudgetReading(None, [FIRING]), GateState.BLOCKED, False),
        (BudgetReading(0.80, [Burning("1h/5m", 14.4, 20.0, 1.0)]), GateState.OK, True),
        (BudgetReading(0.80, [Burning("1h/5m", 14.4, None, 20.0)]), GateState.OK, True),
        (UNREADABLE, GateState.UNKNOWN, False),
    ],
    ids=[
        "plenty", "at the guard", "below the guard", "at the block", "below the block", "overspent",
        "burns at page level", "burns though the budget is unknown", "burnt, and is over",
        "no data in the pair",
        "cannot be read",
    ],
)  # fmt: skip
def test_the_budget_decides(reading: BudgetReading, state: GateState, allowed: bool) -> None:
    found = decide_gate(POLICY, reading, NOW)
    assert (found.state, found.allowed) == (state, allowed)
    assert found.recheck_at == (None if allowed else NOW + POLICY.recheck)


def test_the_reason_says_what_was_read_and_the_evidence_has_the_numbers() -> None:
    found = decide_gate(POLICY, BudgetReading(0.8, [FIRING]), NOW)
    assert found.reason == "the budget burns at page level: 20 and 16 times in 1h/5m, above 14.4"
    assert found.evidence == {
        "state": "blocked",
        "rule": "budget",
        "remaining": "0.8",
        "burn 1h/5m": "20/16 of 14.4",
    }


def test_page_burn_can_be_let_through() -> None:
    policy = GatePolicy(block_on_page_burn=False)
    assert decide_gate(policy, BudgetReading(0.8, [FIRING]), NOW).allowed


def test_an_unknown_budget_can_be_open_at_once() -> None:
    policy = GatePolicy(on_unknown=OnUnknown.OPEN)
    found = decide_gate(policy, UNREADABLE, NOW)
    assert found.allowed
    assert "connection refused" in found.reason


def test_a_person_overrides_until_the_end_that_was_given() -> None:
    override = Override("fixes the outage", NOW + HOUR)
    found = decide_gate(POLICY, GONE, NOW, override=override)
    assert (found.state, found.allowed, found.overridden) == (GateState.BLOCKED, True, True)
    assert "until 2026-01-31T13:00:00Z: fixes the outage" in found.reason
    late = decide_gate(POLICY, GONE, NOW + HOUR, override=override)
    assert not late.allowed
    assert "the override ended at 2026-01-31T13:00:00Z" in late.reason


def test_an_override_that_is_not_needed_is_not_used() -> None:
    found = decide_gate(POLICY, BudgetReading(0.9), NOW, override=Override("x", NOW + HOUR))
    assert not found.overridden


@given(remaining=st.none() | st.floats(-10, 1), rate=st.floats(0, 1000))
def test_a_rollback_is_never_held(remaining: float | None, rate: float) -> None:
    reading = BudgetReading(remaining, [Burning("1h/5m", 14.4, rate, rate)])
    assert decide_gate(POLICY, reading, NOW, rollback=True).allowed


@pytest.mark.parametrize(("guarded", "blocked"), [(0.1, 0.2), (1.5, 0.1), (0.5, -0.1)])
def test_thresholds_out_of_order_are_refused(guarded: float, blocked: float) -> None:
    with pytest.raises(ValueError, match="blockedBelow <= guardedBelow"):
        GatePolicy(guarded_below=guarded, blocked_below=blocked)


def test_an_override_is_read_from_annotations() -> None:
    for text in ("hotfix; until=2026-01-31T13:00:00Z", " hotfix ;until = 2026-01-31T14:00:00+01:00 "):
        assert read_override({OVERRIDE_ANNOTATION: text}, NOW) == Override("hotfix", NOW + HOUR)
    several = {OVERRIDE_ANNOTATION: "bug 7; approved by Ann; until=2026-01-31T13:00:00Z"}
    assert read_override(several, NOW) == Override("bug 7; approved by Ann", NOW + HOUR)
    assert read_override({"other": "x"}, NOW) is None


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("; until=2026-01-31T13:00:00Z", "needs a reason"),
        ("just because", "needs an end"),
        ("x; until=tomorrow", "cannot be read"),
        ("x; until=2026-01-31T13:00:00", "time zone"),
        ("x; until=2027-01-31T13:00:00Z", "7 days"),
    ],
    ids=["no reason", "no end", "not a time", "no zone", "for ever"],
)
def test_an_override_without_reason_or_end_is_no_override(written: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        read_override({OVERRIDE_ANNOTATION: written}, NOW)
    assert OVERRIDE_ANNOTATION in caught.value.path


def test_the_canary_pays_for_what_stable_would_not_have_failed() -> None:
    assert extra_bad(Served(50, 1_000), Served(20, 10_000)) == pytest.approx(48)
    assert extra_bad(Served(1, 1_000), Served(20, 10_000)) == 0
    assert extra_bad(Served(50, 1_000), None) == 50
    assert extra_bad(Served(50, 1_000), Served(0, 0)) == 50


def test_the_cap_is_a_share_of_the_whole_period_s_budget() -> None:
    # 100 requests/s for 30 days at 99.9 %: 259 200 bad ones are allowed, 2 % of them for one rollout.
    cap = spend_cap(0.02, 0.999, 100.0, timedelta(days=30))
    assert cap == pytest.approx(5184)
    assert not spent(Served(5184, 1e6), None, cap).over
    assert spent(Served(5185, 1e6), None, cap).over
    assert spent(Served(2592, 1e6), None, cap).share == pytest.approx(0.5)


def test_a_cap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="is there any traffic"):
        spent(Served(1, 1), None, 0.0)
