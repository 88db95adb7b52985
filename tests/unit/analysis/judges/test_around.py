"""The tests around the judge, each against numbers worked out another way."""

import math

import pytest

from analysis.judges import ledger, noninferior, objective, sampleratio
from analysis.judges.corroborated import Evidence, advance, evidence, from_rows
from analysis.judges.decision import Decision, Finding, decide
from analysis.judges.grid import GRID, ROWS, WEIGHTS
from analysis.judges.latency import join, strongest
from analysis.judges.opinion import Advice, Opinion, consult
from analysis.judges.profiles import LEVELS, Call, Profile, call
from analysis.judges.sums import Sums
from tests.unit.analysis.judges.ticks import drawn, tick


def over_objective(bad: float, requests: float, allowed: float) -> float:
    return objective.log_e(objective.advance(objective.START, bad, requests, allowed))


def test_the_objective_is_the_mixture_over_larger_odds() -> None:
    p0 = 0.001
    worse = [g * p0 / (1 - p0 + g * p0) for g in GRID]
    expected = math.fsum(
        w * (p / p0) ** 7 * ((1 - p) / (1 - p0)) ** 993 for p, w in zip(worse, WEIGHTS, strict=True)
    )
    assert over_objective(7, 1000, p0) == pytest.approx(math.log(expected), abs=1e-9)
    assert over_objective(0, 0, p0) == pytest.approx(0.0, abs=1e-12)


def test_the_objective_survives_high_volume_and_large_budgets() -> None:
    assert over_objective(100_000, 100_000_000, 0.001) < 0
    assert over_objective(200_000, 100_000_000, 0.001) > 1000
    assert over_objective(99, 100, 0.9) > 0
    assert objective.Objective(0.999, 14.4).allowed == pytest.approx(0.0144)


@pytest.mark.parametrize("allowed", [0.001, 0.05])
def test_at_the_objective_the_expected_e_is_one(allowed: float) -> None:
    """Summed over every outcome of 60 requests, which is what an e-value promises."""
    n = 60
    mean = math.fsum(
        math.comb(n, s) * allowed**s * (1 - allowed) ** (n - s) * math.exp(over_objective(s, n, allowed))
        for s in range(n + 1)
    )
    assert mean == pytest.approx(1.0, abs=1e-9)


def test_non_inferiority_needs_proof_and_gets_it_from_enough_traffic() -> None:
    same = noninferior.START
    for _ in range(40):
        same = noninferior.advance(same, (25, 5000), (25, 5000))
    assert noninferior.log_e(same, 1.0) > noninferior.PROVED
    worse = noninferior.START
    for _ in range(40):
        worse = noninferior.advance(worse, (38, 5000), (25, 5000))
    assert noninferior.log_e(worse, 1.0) < 0
    assert noninferior.log_e(noninferior.advance(noninferior.START, (0, 0), (5, 10)), 1.0) == 0.0


def test_at_the_margin_the_expected_e_of_non_inferiority_is_one() -> None:
    """Given 12 bad events, the canary's are binomial with odds margin · m : n."""
    total, m, n = 12, 300.0, 700.0
    p = 1.5 * m / (1.5 * m + n)
    mean = math.fsum(
        math.comb(total, c)
        * p**c
        * (1 - p) ** (total - c)
        * math.exp(noninferior.log_e(noninferior.advance(noninferior.START, (c, m), (total - c, n)), 1.0))
        for c in range(total + 1)
    )
    assert mean == pytest.approx(1.0, abs=1e-9)


def test_at_the_margin_the_expected_evidence_of_the_judge_is_one_before_clipping_and_floor() -> None:
    total, m, n = 4, 100.0, 900.0
    p = 1.25 * m / (1.25 * m + n)
    mean = 0.0
    for c in range(total + 1):
        stable = [((total - c) / 16, n / 16)] * 16
        sums = advance(Sums(), tick(stable, [(c, m)]))
        weighed = [c * math.log(g) - total * math.log((1.25 * m * g + n) / (1.25 * m + n)) for g in GRID]
        if c <= 2:  # more on one pod is clipped
            floor = -4.0 * evidence(sums).dispersion
            assert sums.evidence[0] == pytest.approx([max(v, floor) for v in weighed])
        mean += (
            math.comb(total, c)
            * p**c
            * (1 - p) ** (total - c)
            * math.fsum(w * math.exp(v) for w, v in zip(WEIGHTS, weighed, strict=True))
        )
    assert mean == pytest.approx(1.0, abs=1e-9)


def test_a_sample_ratio_that_is_kept_or_broken() -> None:
    assert sampleratio.log_e(500, 9500, 0.05) < 0
    assert sampleratio.log_e(900, 9100, 0.05) > sampleratio.BROKEN
    mean = math.fsum(
        math.comb(50, k) * 0.2**k * 0.8 ** (50 - k) * math.exp(sampleratio.log_e(k, 50 - k, 0.2))
        for k in range(51)
    )
    assert mean == pytest.approx(1.0, abs=1e-9)
    with pytest.raises(ValueError, match="between 0 and 1"):
        sampleratio.log_e(1, 1, 1.0)


def test_attempts_of_one_revision_spend_at_most_twice_the_first() -> None:
    assert [ledger.spend(i).factor for i in (1, 2, 3)] == [1, 2, 4]
    assert ledger.spend(3).nominal == 0.0025
    assert ledger.spend(3).so_far == pytest.approx(0.01 + 0.005 + 0.0025)
    assert ledger.spend(40).so_far <= 0.02
    with pytest.raises(ValueError, match="counted from 1"):
        ledger.spend(0)


def rows(total: float, *without: float, groups: tuple[int, ...]) -> Evidence:
    values = (total, *without, *[0.0] * (len(ROWS) - 1 - len(without)))
    return from_rows(values, groups, 1.0)


def test_edges_are_averaged_row_by_row_before_the_weakest_is_taken() -> None:
    quick = rows(2.0, 0.0, 3.0, groups=(0, 1))
    slow = rows(0.0, 3.0, 0.0, groups=(0, 1))
    joined = join([quick, slow], [0.1, 0.1])
    mean = math.log((math.exp(3) + 1) / 2)
    assert joined.total == pytest.approx(math.log((math.exp(2) + 1) / 2))
    assert joined.one_left_out == pytest.approx(mean), "each edge alone would say 0"
    assert strongest([quick, slow], [0.1, 0.1]) == 0


def test_an_edge_that_most_requests_exceed_counts_as_one() -> None:
    loud, calm = rows(9.0, 9.0, 9.0, groups=(0, 1)), rows(1.0, 1.0, 1.0, groups=(0, 1))
    joined = join([loud, calm], [0.6, 0.1])
    assert joined.total == pytest.approx(math.log((1 + math.e) / 2))
    assert strongest([loud, calm], [0.6, 0.1]) == 1


def test_dropping_a_group_leaves_what_the_others_said() -> None:
    ticks = drawn(21, 8, factor=4, pods=3)
    sums = Sums()
    for item in ticks:
        sums = advance(sums, item)
    left = sums.dropped(1)
    assert left.evidence[0] == sums.evidence[2], "all pods are now those without group 1"
    assert left.evidence[1] == sums.evidence[5], "without 0 is without 0 and 1"
    assert left.evidence[6] == [
        min(v) for v in zip(sums.evidence[5], sums.evidence[6], sums.evidence[8], strict=True)
    ], "without 0 and 2 is the weakest of the pairs within {0, 1, 2}"
    assert left.canary_requests[1] == 0.0
    assert evidence(left).groups == (0, 2)
    assert sums.canary_requests[1] > 0, "the old sums are as they were"


PODS = {0: ("a",), 1: ("b",), 2: ("c",)}


def test_a_lone_suspect_is_replaced_at_once_and_cleared_by_a_good_pod() -> None:
    suspect = rows(3.0, 0.0, groups=(0,))
    opinion, advice = consult(Opinion(), Call.SUSPECT, suspect, {0: ("a",)})
    assert advice is Advice.REPLACE_WITHOUT_TRAFFIC
    opinion, advice = consult(opinion, Call.SUSPECT, suspect, {0: ("a",)})
    assert advice is Advice.REPLACE_WITHOUT_TRAFFIC, "it is still there"
    opinion, advice = consult(opinion, Call.SUSPECT, suspect, {})
    assert advice is Advice.WATCH
    good = rows(2.6, -1.0, 3.0, groups=(0, 1))
    for _ in range(7):
        opinion, advice = consult(opinion, Call.SUSPECT, good, {1: ("n",)})
        assert advice is Advice.WATCH
    opinion, advice = consult(opinion, Call.SUSPECT, good, {1: ("n",)})
    assert (advice, opinion) == (Advice.SICK_POD, Opinion(replaced=1))
    _, advice = consult(opinion, Call.SUSPECT, rows(3.0, groups=(1,)), {1: ("n",)})
    assert advice is Advice.PERSON, "the second opinion is used up"


def test_a_new_pod_that_fails_as_well_aborts_by_itself() -> None:
    both = rows(6.0, 2.0, 5.0, groups=(0, 1))
    assert call(both, LEVELS[Profile.FAST]) is Call.ABORT


def test_one_of_several_is_replaced_when_the_suspicion_lasts() -> None:
    suspect = rows(3.0, 2.5, 0.1, 2.6, groups=(0, 1, 2))
    opinion = Opinion()
    for _ in range(4):
        opinion, advice = consult(opinion, Call.SUSPECT, suspect, PODS)
        assert advice is Advice.WATCH
    opinion, advice = consult(opinion, Call.SUSPECT, suspect, PODS)
    assert (advice, opinion.group, opinion.pods) == (Advice.REPLACE, 1, ("b",))
    opinion, advice = consult(opinion, Call.CONTINUE, suspect, {0: ("a",), 1: ("n",), 2: ("c",)})
    assert (advice, opinion.replaced) == (Advice.SICK_POD, 1)
    used_up = Opinion(replaced=2)
    assert consult(used_up, Call.SUSPECT, suspect, PODS)[1] is Advice.PERSON


def test_a_suspicion_that_passes_starts_again() -> None:
    suspect = rows(3.0, 2.5, 0.1, groups=(0, 1))
    opinion, _ = consult(Opinion(ticks=3), Call.SUSPECT, suspect, PODS)
    opinion, advice = consult(opinion, Call.FREEZE, suspect, PODS)
    assert (opinion.ticks, advice) == (0, Advice.NOTHING)


TABLE = {
    "worse-and-over": (Call.ABORT, Advice.NOTHING, True, True, False, Decision.FAIL),
    "worse-without-objective": (Call.ABORT, Advice.NOTHING, None, None, False, Decision.FAIL),
    "worse-and-under": (Call.ABORT, Advice.NOTHING, False, False, False, Decision.HOLD),
    "worse-and-under-strict": (Call.ABORT, Advice.NOTHING, False, False, True, Decision.FAIL),
    "no-worse-and-both-over": (Call.CONTINUE, Advice.NOTHING, True, True, True, Decision.PAUSE),
    "no-worse-and-alone-over": (Call.CONTINUE, Advice.NOTHING, True, False, False, Decision.HOLD),
    "no-worse-and-under": (Call.CONTINUE, Advice.NOTHING, False, False, True, Decision.GO_ON),
    "suspect": (Call.SUSPECT, Advice.WATCH, None, None, False, Decision.HOLD),
    "suspect-is-no-incident": (Call.SUSPECT, Advice.WATCH, True, True, False, Decision.HOLD),
    "frozen": (Call.FREEZE, Advice.NOTHING, None, None, False, Decision.HOLD),
    "for-a-person": (Call.SUSPECT, Advice.PERSON, True, False, False, Decision.PAUSE),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_table(name: str) -> None:
    found, advice, over, stable_over, strict, expected = TABLE[name]
    finding = Finding(found, advice, over, stable_over)
    assert decide(finding, strict=strict).decision is expected


def test_the_spend_cap_pauses_and_never_fails() -> None:
    spent = Finding(Call.CONTINUE, Advice.NOTHING, excess=21.0, spend_cap=20.0)
    assert decide(spent, strict=True).decision is Decision.PAUSE
    within = Finding(Call.CONTINUE, Advice.NOTHING, excess=20.0, spend_cap=20.0)
    assert decide(within, strict=True).decision is Decision.GO_ON
