"""The judge against values worked out by hand, and what it must not depend on."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.judges.corroborated import NOTHING, Settings, advance, evidence, look_back
from analysis.judges.dispersion import dispersion, leave_out_sick, spread_of_totals
from analysis.judges.grid import GRID, LEFT_OUT, MARGIN, ROWS, WEIGHTS, log_sum_exp
from analysis.judges.profiles import LEVELS, Call, Levels, Profile, Situation, call, choose
from analysis.judges.sums import BLIND, PairSums, Prior, StateUnreadable, Sums
from tests.unit.analysis.judges.ticks import drawn, tick


def judged(ticks, start=None, settings=None):
    sums = start or Sums()
    for item in ticks:
        sums = advance(sums, item, settings)
    return sums


def test_weights_are_a_mixture_and_rows_leave_out_what_they_say() -> None:
    assert sum(WEIGHTS) == pytest.approx(1.0, abs=1e-12)
    assert (len(ROWS), ROWS[0], ROWS[2], ROWS[10]) == (11, (0, 1, 2, 3), (0, 2, 3), (0, 1))
    assert all(set(row) | set(out) == {0, 1, 2, 3} for row, out in zip(ROWS, LEFT_OUT, strict=True))


def test_one_tick_by_hand() -> None:
    """Two stable groups of 100 requests with 1 and 3 errors, one canary pod of 20 requests with 2."""
    sums = advance(Sums(), tick([(1, 100), (3, 100)], [(2, 20)]))
    # Nothing is clipped: the loudest stable group may have 2 + 5 · 1/100 · 100 = 7.
    assert (sums.tick_chi, sums.tick_variance) == (2.0, 2.0)
    assert sums.tick_nu == pytest.approx(1 * 2 * 2 / (1 + 2 * 2))
    assert (sums.bad[:2], sums.expected[:2]) == ([1.0, 3.0], [2.0, 2.0])
    assert (sums.canary_requests[0], sums.canary_expected[0]) == (20.0, 4 / 200 * 20)
    assert sums.time.held == (4.0, 200.0)
    nu, raw = 0.8, 1.0  # Σ(S-V)² = 2, ΣV(1 - V/ΣV) = 2
    d_tick = (10 * 1 + 0.8 * 1) / 10.8
    d_totals = (6 * 1.25 + nu * raw) / (6 + nu)
    load = 1.0  # a canary group expects 0.4, a stable one 2: no heavier
    d = max(1.0, 1 + load * (max(1, d_tick, d_totals) - 1))
    assert dispersion(sums) == pytest.approx(d, abs=1e-12)
    usual = MARGIN * 20
    expected = [2 * math.log(g) - 6 * math.log((usual * g + 200) / (usual + 200)) for g in GRID]
    expected = [max(value, -4 * d) for value in expected]
    assert sums.evidence[0] == pytest.approx(expected, abs=1e-12)
    assert sums.evidence[1] == [0.0] * 8, "without its only group a row has nothing to say"
    found = evidence(sums)
    assert found.total == pytest.approx(
        math.log(sum(w * math.exp(v / d) for w, v in zip(WEIGHTS, expected, strict=True))), abs=1e-12
    )
    assert (found.one_left_out, found.two_left_out, found.groups) == (-math.inf, math.inf, (0,))


def test_a_pod_cannot_shout_louder_than_a_few_errors_a_tick() -> None:
    calm = [(1.0, 100.0)] * 16
    loud, capped = (advance(Sums(), tick(calm, [(bad, 20), (0, 20)])) for bad in (20, 3))
    assert loud.evidence == capped.evidence, "2 + 5 · 15/1500 · 20 = 3"
    storm = advance(Sums(), tick([(90, 100), *calm[1:]], [(0, 20)]))
    assert storm.bad[0] == 2 + 5 * 15 / 1500 * 100


@pytest.mark.parametrize(
    "empty", [tick([], [(1, 10)]), tick([(1, 10)], []), tick([], [])], ids=["no-stable", "no-canary", "none"]
)
def test_a_tick_without_requests_changes_nothing(empty) -> None:
    sums = judged(drawn(1, 3))
    assert advance(sums, empty) is sums


def test_the_spread_of_totals_is_pearsons() -> None:
    nu, raw = spread_of_totals([2, 4, 0, 6], [3, 3, 0, 6])
    assert nu == pytest.approx(2 * 8 / 9)
    assert raw == pytest.approx((1 + 1 + 0) / (3 * 0.75 + 3 * 0.75 + 6 * 0.5))
    assert spread_of_totals([0.0], [0.0]) == (0.0, 0.0)


def test_neighbouring_ticks_are_compared_in_disjoint_pairs() -> None:
    pairs = PairSums()
    pairs.add(4, 100)
    assert pairs.held == (4, 100)
    pairs.add(8, 300)
    assert (pairs.held, pairs.nu) == (None, 1.0)
    assert pairs.chi == pytest.approx((8 - 12 * 0.75) ** 2 / (12 * 0.75 * 0.25))
    pairs.add(0, 100)
    pairs.add(1, 100)
    assert pairs.nu == 1.0, "a variance of 1 · ½ · ½ is too little to say anything"


def test_a_sick_stable_pod_is_left_out_and_its_evidence_costs_something() -> None:
    sums = Sums(
        bad=[30.0] + [1.0] * 15, expected=[45 / 16] * 16, tick_chi=9.0, tick_variance=3.0, tick_nu=7.0
    )
    leave_out_sick(sums)
    assert sums.out == [True] + [False] * 15
    assert sums.expected[0] == sums.bad[0] == 0.0
    assert sums.expected[1] == pytest.approx(1.0), "15 errors on the 15 others"
    assert (sums.tick_chi, sums.tick_variance, sums.tick_nu) == (0.0, 0.0, 0.0)
    assert evidence(sums).total == pytest.approx(-math.log(1.5))
    after = advance(sums, tick([(50, 100)] + [(1, 100)] * 15, [(1, 20)]))
    assert after.bad[0] == 0.0, "its requests and errors do not count any more"


@pytest.mark.parametrize(
    ("bad", "out"),
    [([30.0] + [1.0] * 2, ()), ([5.9] + [0.0] * 15, ()), ([30.0] + [1.0] * 15, (3, 4))],
    ids=["fewer-than-four-groups", "fewer-than-six-errors", "two-are-out-already"],
)
def test_a_stable_pod_stays_when(bad: list[float], out: tuple[int, ...]) -> None:
    filled = bad + [0.0] * (16 - len(bad))
    mean = sum(bad) / len(bad)
    expected = [mean if i < len(bad) else 0.0 for i in range(16)]
    sums = Sums(bad=filled, expected=expected, out=[i in out for i in range(16)])
    leave_out_sick(sums)
    assert [i for i in range(16) if sums.out[i]] == list(out)


def test_the_look_back_learns_and_forgets_the_counts() -> None:
    ticks = drawn(3, 120)
    sums = look_back(ticks)
    assert (sums.bad, sums.expected, sums.tick_nu) == ([0.0] * 16, [0.0] * 16, 0.0)
    assert sums.priors.tick.nu == 60.0
    assert sums.priors.time.nu == 30.0
    assert sums.priors.totals.nu == 40.0
    assert all(0.7 < p.dispersion < 1.4 for p in (sums.priors.tick, sums.priors.time, sums.priors.totals))
    assert look_back(()).priors == Sums().priors


def test_a_restless_fleet_needs_more_evidence() -> None:
    restless = [tick([(5, 100) if (i + t) % 4 == 0 else (0, 100) for i in range(16)]) for t in range(120)]
    calm, wild = look_back(drawn(3, 120)), look_back(restless)
    canary = [tick([(1, 100)] * 16, [(3, 50), (2, 50)])] * 6
    assert dispersion(wild) > 2 * dispersion(calm)
    assert evidence(judged(canary, wild)).total < evidence(judged(canary, calm)).total


def test_a_regression_on_all_pods_is_corroborated_and_one_on_a_single_pod_is_not() -> None:
    levels = LEVELS[Profile.FAST]
    everywhere = evidence(judged(drawn(5, 8, factor=5)))
    assert call(everywhere, levels) is Call.ABORT
    single = [tick([(1, 100)] * 16, [(7, 100), (1, 100), (1, 100), (1, 100)])] * 8
    assert call(evidence(judged(single)), levels) is Call.SUSPECT
    lone = [tick([(1, 100)] * 16, [(7, 100)])] * 8
    assert call(evidence(judged(lone)), levels) is Call.SUSPECT, "nothing corroborates a lone pod"


def test_old_good_news_is_forgotten() -> None:
    good = judged(drawn(7, 100))
    d = dispersion(good)
    assert min(min(row) for row in good.evidence) >= -4 * d - 1e-9
    late = judged(drawn(8, 6, factor=8), good)
    assert call(evidence(late), LEVELS[Profile.FAST]) is Call.ABORT


def test_a_declared_cold_start_weighs_young_pods_less() -> None:
    hot = [tick([(1, 100)] * 16, [(3, 50), (3, 50)], young=1.0)] * 3
    undeclared, declared = evidence(judged(hot)), evidence(judged(hot, settings=Settings(cold=0.5)))
    assert declared.total < undeclared.total
    old = [tick([(1, 100)] * 16, [(3, 50), (3, 50)])] * 3
    assert evidence(judged(old, settings=Settings(cold=0.5))) == evidence(judged(old))


def test_sticky_routing_counts_the_unrest_of_blocks() -> None:
    """Errors that come in waves of two minutes hardly show between neighbours, and show between blocks."""
    waves = [tick([(4 if t // 8 % 2 else 1, 100)] * 16, [(3, 50)] * 4) for t in range(48)]
    sums = judged(waves, settings=Settings(sticky=True))
    assert dispersion(sums, sticky=True) > 3 * dispersion(sums)
    assert sums.blocks.nu == 3


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 12), factor=st.sampled_from([1.0, 4.0]))
def test_a_restart_between_any_two_ticks_changes_no_digit(seed: int, cut: int, factor: float) -> None:
    ticks = drawn(seed, 12, rate=0.02, factor=factor)
    whole = judged(ticks)
    saved = json.loads(json.dumps(judged(ticks[:cut]).dump()))
    assert judged(ticks[cut:], Sums.load(saved)) == whole


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(16)), canary=st.permutations(range(4)), seed=st.integers(0, 10**6))
def test_the_order_of_pods_changes_no_verdict(order: list[int], canary: list[int], seed: int) -> None:
    ticks = drawn(seed, 10, rate=0.02, factor=2.0)
    mixed = [tick([t.stable[i] for i in order], [t.canary[i] for i in canary]) for t in ticks]
    one, other = evidence(judged(ticks)), evidence(judged(mixed))
    assert other.total == pytest.approx(one.total, abs=1e-9)
    assert other.one_left_out == pytest.approx(one.one_left_out, abs=1e-9)
    assert other.two_left_out == pytest.approx(one.two_left_out, abs=1e-9)


@pytest.mark.parametrize(
    "break_it",
    [lambda d: d.pop("L"), lambda d: d["S"].pop(), lambda d: d["L"][3].pop(), lambda d: d.update(tick="x")],
    ids=["missing", "short", "short-row", "text"],
)
def test_a_broken_state_is_told_from_an_empty_one(break_it) -> None:
    data = Sums().dump()
    break_it(data)
    with pytest.raises(StateUnreadable, match="saved sums"):
        Sums.load(data)


def with_errors(*bad: float) -> Sums:
    """Return sums of two canary groups after twenty calm ticks and one in which they fail."""
    calm = tick([(1.0, 500.0)] * 16, [(0.0, 100.0)] * len(bad))
    return judged([*[calm] * 20, tick([(1.0, 500.0)] * 16, [(n, 100.0) for n in bad])])


def test_one_early_error_in_another_pod_is_no_second_witness() -> None:
    levels = LEVELS[Profile.FAST].times(0.01)
    one, two = (evidence(with_errors(9.0, other)) for other in (1.0, 2.0))
    assert (one.outside, two.outside) == (1.0, 2.0)
    assert call(one, levels) is Call.SUSPECT
    assert call(two, levels) is Call.ABORT


def test_three_pods_with_one_error_each_are_two_witnesses() -> None:
    assert evidence(with_errors(1.0, 1.0, 1.0)).outside == 2.0
    assert with_errors(9.0, 1.0).dropped(0).canary_bad == [0.0, 1.0, 0.0, 0.0]


def test_a_state_saved_before_they_were_counted_decides_as_then() -> None:
    data = with_errors(9.0, 1.0).dump()
    data.pop("C")
    assert call(evidence(Sums.load(data)), LEVELS[Profile.FAST].times(0.01)) is Call.ABORT


@pytest.mark.parametrize(
    ("situation", "profile"),
    [
        (Situation(120, 100), Profile.FAST),
        (Situation(120, 20), Profile.FAST),
        (Situation(120, 19.9), Profile.CAREFUL),
        (Situation(119, 100), Profile.CAREFUL),
        (Situation(59, 100), Profile.BLIND),
        (Situation(120, 100, main_metric=False), Profile.CAREFUL),
        (Situation(120, 100, latency=True), Profile.CAREFUL),
        (Situation(120, 100, cold_start=True), Profile.CAREFUL),
        (Situation(120, 100, sticky=True), Profile.CAREFUL),
    ],
    ids=["full", "20-rps", "under-20-rps", "short", "none", "second-metric", "latency", "cold", "sticky"],
)
def test_the_profile_follows_the_situation(situation: Situation, profile: Profile) -> None:
    assert choose(situation)[0] is profile


def test_levels_and_priors_are_the_studied_ones() -> None:
    assert LEVELS[Profile.FAST] == Levels(12, 2, 0.7)
    assert LEVELS[Profile.CAREFUL] == LEVELS[Profile.BLIND] == Levels(15, 3, 1)
    assert LEVELS[Profile.FAST].times(4) == Levels(48, 8, 2.8)
    assert (BLIND.totals, Sums().priors.totals) == (Prior(6, 2), Prior(6, 1.25))


def test_a_freeze_is_released_lower_than_it_begins() -> None:
    def at(e: float):
        return NOTHING.__class__((), math.log(e), -math.inf, math.inf, 1.0, ())

    levels = LEVELS[Profile.FAST]
    assert call(at(3.9), levels) is Call.CONTINUE
    assert call(at(4.1), levels) is Call.FREEZE
    assert call(at(2.1), levels, frozen=True) is Call.FREEZE
    assert call(at(1.9), levels, frozen=True) is Call.CONTINUE
    assert call(at(12.1), levels) is Call.SUSPECT


def test_log_sum_exp_survives_large_and_empty() -> None:
    assert log_sum_exp([1000.0, 1000.0]) == pytest.approx(1000 + math.log(2))
    assert log_sum_exp([]) == -math.inf
