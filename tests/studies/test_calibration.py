"""A bounded share of the study for every run: the declared false-abort rate, and the power target."""

import pytest

from tests.studies.study import at_least, run_null, run_power, wilson
from tests.studies.tables import NULL, POWER

RUNS = 400
ALPHA = 0.01
SURPRISE = 1e-3
"""More aborts than this probability allows at the declared rate are a defect."""
ROWS = ("iid", "pod AR s1 r.9", "flap 1/h 60 s 5 %", "client bursts size 5, 50 %", "all together")


@pytest.mark.parametrize("name", ROWS)
def test_false_aborts_stay_within_the_declared_rate(name: str) -> None:
    result = run_null(NULL[name], RUNS, seed=71)
    for profile, aborted in result.aborted.items():
        assert at_least(aborted, RUNS, ALPHA) > SURPRISE, f"{profile}: {aborted} of {RUNS}"


def test_the_power_target_is_met() -> None:
    """5 times the usual .2 %, 100 requests a second, 5 % weight: 2.5 min and 10 canary errors at most."""
    fast = run_power(POWER["5x, 2 canary pods"], RUNS, seed=72)["fast"]
    assert fast.found >= 99.0
    assert fast.minutes is not None
    assert fast.minutes <= 2.5
    assert fast.errors[0] <= 10


def test_a_sick_stable_pod_makes_nobody_blind() -> None:
    fast = run_power(POWER["5x, sick stable pod +5 %"], 200, seed=73)["fast"]
    assert fast.found >= 99.0
    assert fast.minutes is not None
    assert fast.minutes <= 3.5


def test_the_interval_and_the_bound_are_the_textbooks() -> None:
    assert wilson(58, 10_000) == pytest.approx((0.45, 0.75), abs=0.005)
    assert wilson(0, 10_000) == pytest.approx((0.0, 0.04), abs=0.005)
    assert at_least(0, 10, 0.3) == 1.0
    assert at_least(1, 10, 0.3) == pytest.approx(1 - 0.7**10)
