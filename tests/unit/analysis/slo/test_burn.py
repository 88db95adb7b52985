"""The arithmetic of budgets, against the published tables and from first principles."""

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.slo.burn import (
    BurnWindow,
    budget,
    budget_remaining,
    budget_used,
    burn_rate,
    burn_windows,
    canary_error_to_page,
    detection_time,
    factor,
    requests_to_certify,
    time_to_exhaustion,
    windows_of,
)
from analysis.slo.validation import read_objective
from analysis.spec.errors import SpecError
from tests.unit.analysis.slo.examples import ours

HOUR = timedelta(hours=1)
DAYS_30, DAYS_28 = timedelta(days=30), timedelta(days=28)
PAGE_QUICK, PAGE_SLOW = burn_windows(DAYS_30)[:2]


@pytest.mark.parametrize(
    ("period", "factors"),
    [
        pytest.param(DAYS_30, ["14.4", "6", "3", "1"], id="30 days, the workbook's table"),
        pytest.param(DAYS_28, ["13.44", "5.6", "2.8", "14/15"], id="28 days"),
        pytest.param(timedelta(days=90), ["43.2", "18", "9", "3"], id="a quarter"),
    ],
)
def test_factors_are_exactly_the_published_ones(period: timedelta, factors: list[str]) -> None:
    assert [pair.factor for pair in burn_windows(period)] == [Fraction(text) for text in factors]


def test_short_windows_are_a_twelfth_of_the_long_ones() -> None:
    assert [pair.long / pair.short for pair in burn_windows(DAYS_30)] == [12, 12, 12, 12]


@given(
    share=st.fractions(Fraction(1, 1000), 1),
    hours=st.integers(1, 200),
    days=st.integers(10, 365),
)
def test_burning_at_the_factor_for_the_window_spends_exactly_the_share(
    share: Fraction, hours: int, days: int
) -> None:
    window, period = timedelta(hours=hours), timedelta(days=days)
    rate = factor(share, window, period)
    assert budget_used(float(rate), window, period) == pytest.approx(float(share))


@pytest.mark.parametrize(
    ("errors", "minutes"),
    [(1.0, 0.864), (0.1, 8.64), (0.02, 43.2), (0.0145, 59.586)],
)
def test_the_quick_page_detects_an_outage_after_the_published_time(errors: float, minutes: float) -> None:
    found = detection_time(errors, 0.999, PAGE_QUICK)
    assert found is not None
    assert found.total_seconds() / 60 == pytest.approx(minutes, rel=1e-3)


def test_errors_at_the_factor_or_below_are_never_detected() -> None:
    assert detection_time(0.0144, 0.999, PAGE_QUICK) is None


@pytest.mark.parametrize(
    ("weight", "quick", "slow"),
    [
        pytest.param(0.01, None, 0.5802, id="1 %: a quick page is impossible"),
        pytest.param(0.05, 0.2842, 0.1162, id="5 %"),
        pytest.param(0.10, 0.1422, 0.0582, id="10 %"),
        pytest.param(0.20, 0.0712, 0.0292, id="20 %"),
        pytest.param(0.50, 0.0286, 0.0118, id="50 %"),
    ],
)
def test_a_canary_must_fail_badly_before_the_whole_service_pages(
    weight: float, quick: float | None, slow: float
) -> None:
    found = canary_error_to_page(weight, 0.0002, 0.999, PAGE_QUICK)
    assert found is None if quick is None else found == pytest.approx(quick, abs=1e-9)
    assert canary_error_to_page(weight, 0.0002, 0.999, PAGE_SLOW) == pytest.approx(slow, abs=1e-9)


def test_the_budget_is_the_decimal_that_was_written() -> None:
    assert budget(0.999) == Fraction(1, 1000)
    assert budget(0.99999) == Fraction(1, 100_000)


@pytest.mark.parametrize(
    ("errors", "remaining"),
    [(0.0, 1.0), (0.00025, 0.75), (0.001, 0.0), (0.003, -2.0)],
    ids=["nothing went", "a quarter went", "all went", "three budgets went"],
)
def test_what_is_left_of_the_budget(errors: float, remaining: float) -> None:
    assert budget_remaining(errors, 0.999) == pytest.approx(remaining)


def test_burning_at_one_lasts_the_period_and_the_end_comes_sooner_in_proportion() -> None:
    assert burn_rate(0.001, 0.999) == pytest.approx(1)
    assert time_to_exhaustion(1.0, 1.0, DAYS_30) == DAYS_30
    assert time_to_exhaustion(0.5, 15.0, DAYS_30) == timedelta(days=1)
    assert time_to_exhaustion(0.5, 0.0, DAYS_30) is None
    assert time_to_exhaustion(-0.1, 1.0, DAYS_30) == timedelta()


def test_the_rule_of_three() -> None:
    assert requests_to_certify(0.999) == 3000
    assert requests_to_certify(0.95) == 60


def test_own_windows_replace_the_standard_ones() -> None:
    window = {"severity": "page", "budgetShare": 0.01, "long": "30m", "short": "2m"}
    spec = read_objective(ours(alerting={"windows": [window]})["spec"])
    half_hour = timedelta(minutes=30)
    expected = BurnWindow("page", half_hour, timedelta(minutes=2), Fraction("14.4"))
    assert windows_of(spec) == (expected,)


def test_a_short_period_keeps_only_pairs_that_a_kept_objective_does_not_trip() -> None:
    spec = read_objective(ours(window="7d")["spec"])
    assert [pair.factor for pair in windows_of(spec)] == [Fraction("3.36"), Fraction("1.4")]


@pytest.mark.parametrize(
    ("window", "path"),
    [
        ({"severity": "sms"}, "spec.alerting.windows[0].severity"),
        ({"budgetShare": 2}, "spec.alerting.windows[0].budgetShare"),
        ({"long": "1 hour"}, "spec.alerting.windows[0].long"),
        ({"short": "2h"}, "spec.alerting.windows[0]"),
        ({"long": "60d"}, "spec.alerting.windows[0]"),
    ],
    ids=["severity", "share above 1", "not a period", "short is longer", "longer than the period"],
)
def test_a_window_that_cannot_be_is_named(window: dict[str, object], path: str) -> None:
    written = {"severity": "page", "budgetShare": 0.02, "long": "1h", "short": "5m", **window}
    with pytest.raises(SpecError) as caught:
        read_objective(ours(alerting={"windows": [written]})["spec"])
    assert caught.value.path == path
