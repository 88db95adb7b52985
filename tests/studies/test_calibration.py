"""A bounded share of the study for every run: the declared false-abort rate, and the power target."""

import numpy as np
import pytest

from analysis.judges import noninferior, objective
from tests.studies.study import at_least, run_null, run_power, wilson
from tests.studies.tables import NULL, POWER
from tests.studies.vectorised import VectorisedJudge
from tests.studies.worlds import Simulation, World

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


def shares_that_reach(world: World, seed: int) -> tuple[float, float]:
    """Return how many releases show non-inferiority, and how many are called over a 1 % objective."""
    runs = 150
    simulation = Simulation(world, runs, seed)
    judge = VectorisedJudge(runs)
    judge.look_back(list(simulation.look_back()))
    good = [noninferior.START] * runs
    over = [objective.START] * runs
    shown, called = np.zeros(runs, bool), np.zeros(runs, bool)
    for batch in simulation.release():
        judge.tick(batch)
        unrest = judge.dispersion()
        sides = [side.sum(1) for side in (*batch.canary, *batch.stable)]
        for run in range(runs):
            c, m, e, n = (float(side[run]) for side in sides)
            good[run] = noninferior.advance(good[run], (c, m), (e, n))
            over[run] = objective.advance(over[run], c, m, 0.01, -4 * unrest[run])
            shown[run] |= noninferior.log_e(good[run], unrest[run]) >= noninferior.PROVED
            called[run] |= objective.log_e(over[run], unrest[run]) >= objective.OVER
    return float(shown.mean()), float(called.mean())


def test_a_canary_at_the_margin_is_hardly_ever_called_non_inferior_and_a_good_one_is() -> None:
    at_margin, over_at_margin = shares_that_reach(World(rps=1000, factor=1.5, pod_ar=(0.3, 0.9)), 74)
    good, _ = shares_that_reach(World(rps=1000), 75)
    assert at_margin <= 0.05
    assert over_at_margin <= 0.01
    assert good >= 0.9


def test_a_canary_at_its_objective_is_hardly_ever_called_over_it() -> None:
    _, at_objective = shares_that_reach(World(base=0.01), 76)
    _, far_over = shares_that_reach(World(base=0.002, factor=15), 77)
    assert at_objective <= 0.02
    assert far_over >= 0.99
