"""Mann-Whitney: Kayenta's published figures (made with R), and what holds for any samples."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.judges.kayenta.ranks import Shift, deviation, rank_sum, shift_between
from analysis.judges.kayenta.roots import brent
from tests.unit.analysis.judges.kayenta import published

FIGURE = 1e-9
NUMBERS = st.integers(-20, 20).map(lambda n: n / 4)
SAMPLES = st.lists(NUMBERS, min_size=1, max_size=15)


def test_intervals_are_those_of_r() -> None:
    coarse = shift_between(published.COARSE, published.COARSE_CONTROL, 0.95)
    assert coarse.low == pytest.approx(-0.500002521696696, abs=FIGURE)
    assert coarse.high == pytest.approx(-3.486287505871302e-05, abs=FIGURE)
    long = shift_between(published.LONG, published.LONG_CONTROL, 0.98)
    assert long.low == pytest.approx(-0.4999173250549087, abs=FIGURE)
    assert long.high == pytest.approx(-6.912685789769486e-06, abs=FIGURE)


def test_steps_on_the_way_are_those_of_r() -> None:
    tried, control = published.SPARSE, published.SPARSE_CONTROL
    low, high = min(tried) - max(control), max(tried) - min(control)
    assert (low, high) == pytest.approx((-3.124999999999986, 5.555555555555557))
    quantile = 1.9599639845400536
    assert deviation(tried, control, low) == pytest.approx(17.090968923762254 + quantile, abs=FIGURE)
    assert deviation(tried, control, high) == pytest.approx(-20.997687930433106 + quantile, abs=FIGURE)
    shift = shift_between(tried, control, 0.95)
    assert shift.low == pytest.approx(3.521755377702165e-05, abs=FIGURE)
    assert shift.high == pytest.approx(2.02456461662334e-05, abs=FIGURE)
    assert shift.estimate == pytest.approx(2.6279243045155653e-05, abs=FIGURE)


@given(SAMPLES, SAMPLES)
def test_u_counts_pairs_in_which_the_experiment_is_larger_and_ties_by_half(
    tried: list[float], control: list[float]
) -> None:
    u, _ = rank_sum(tried, control)
    assert u == sum((x > y) + 0.5 * (x == y) for x, y in product(tried, control))


@given(SAMPLES, SAMPLES)
def test_the_other_way_round_it_is_the_rest(tried: list[float], control: list[float]) -> None:
    assert rank_sum(tried, control)[0] + rank_sum(control, tried)[0] == len(tried) * len(control)


@given(SAMPLES, SAMPLES)
def test_the_estimate_is_the_median_of_all_differences(tried: list[float], control: list[float]) -> None:
    """Within the one difference on each side that the correction for continuity makes no difference to."""
    shift = shift_between(tried, control, 0.98)
    differences = sorted(x - y for x, y in product(tried, control))
    half, last = len(differences) // 2, len(differences) - 1
    low, high = differences[max(0, half - 2)], differences[min(last, half + 1)]
    assert low - 1e-4 <= shift.estimate <= high + 1e-4
    assert differences[0] <= shift.low
    assert shift.high <= differences[-1]


@given(SAMPLES, SAMPLES, NUMBERS)
def test_a_shift_of_all_values_shifts_the_interval(
    tried: list[float], control: list[float], by: float
) -> None:
    """Quarters are exact, so that ties stay ties."""
    first, moved = (shift_between([x + s for x in tried], control, 0.98) for s in (0.0, by))
    assert moved.low == pytest.approx(first.low + by, abs=2e-4)
    assert moved.high == pytest.approx(first.high + by, abs=2e-4)


def test_two_constants_differ_by_one_number() -> None:
    assert shift_between([5.0, 5.0], [2.0], 0.98) == Shift(3.0, 3.0, 3.0)


def test_a_root_is_found_where_the_curve_is_smooth_or_a_stair() -> None:
    assert brent(lambda x: x**3 - 2, 0.0, 5.0, 1e-12) == pytest.approx(2 ** (1 / 3))
    assert brent(lambda x: -1.0 if x < 0.3 else 1.0, 0.0, 1.0, 1e-6) == pytest.approx(0.3, abs=1e-6)
    assert brent(lambda x: x, 0.0, 1.0, 1e-6) == 0.0
