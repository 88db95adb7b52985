"""The canary's own burn: when it is too fast, when nobody can tell, and what it has cost."""

import pytest

from analysis.slo.canary import DEFAULT_PAIRS, CanaryPair, Least, Outcome, Seen, judge_canary
from analysis.slo.spend import Spent

BUDGET = 0.001
PAIR = (CanaryPair("5m", "1m", 14.4),)
QUIET = Seen(None, 0, 0)


def seen(ratio: float, requests: float = 1_000) -> Seen:
    return Seen(ratio, requests, ratio * requests)


@pytest.mark.parametrize(
    ("long", "short", "outcome"),
    [
        (seen(0.02), seen(0.02), Outcome.BURNING),
        (seen(0.0144), seen(1.0), Outcome.WELL),
        (seen(0.02), seen(0.001), Outcome.WELL),
        (seen(0.0), seen(0.0), Outcome.WELL),
        (QUIET, QUIET, Outcome.NO_DATA),
        (seen(0.5, 99), seen(0.5, 99), Outcome.NO_DATA),
        (seen(0.02, 200), seen(0.02, 200), Outcome.WELL),
        (Seen(0.02), Seen(0.02), Outcome.BURNING),
        (seen(0.02), QUIET, Outcome.WELL),
    ],
    ids=[
        "both windows", "at the factor is not above", "over already", "no errors", "no traffic",
        "too few requests", "four bad requests are too few", "a ratio without counts", "quiet by now",
    ],
)  # fmt: skip
def test_a_pair_burns_when_both_windows_do_and_enough_was_seen(
    long: Seen, short: Seen, outcome: Outcome
) -> None:
    assert judge_canary(PAIR, {"5m": long, "1m": short}, BUDGET).outcome is outcome


def test_a_slow_burn_is_found_by_the_longer_pair() -> None:
    found = judge_canary(DEFAULT_PAIRS, {w: seen(0.008) for w in ("1m", "5m", "30m")}, BUDGET)
    assert found.outcome is Outcome.BURNING
    assert found.reason == (
        "the canary burns the error budget 8 times too fast over 30m and 8 times over 5m, above 6"
    )


def test_the_evidence_has_every_number() -> None:
    found = judge_canary(PAIR, {"5m": seen(0.02), "1m": QUIET}, BUDGET, Least(10, 1), Spent(10, 40))
    assert found.evidence == {
        "budget": "0.001",
        "burn 5m/1m": "20/no data of 14.4",
        "requests 5m": "1000",
        "bad 5m": "20",
        "spent": "10 of 40 bad requests",
    }


def test_the_cap_ends_it_whatever_the_burn_rate_is() -> None:
    calm = {"5m": seen(0.001), "1m": seen(0.001)}
    assert judge_canary(PAIR, calm, BUDGET, spent=Spent(40, 40)).outcome is Outcome.WELL
    found = judge_canary(PAIR, calm, BUDGET, spent=Spent(41, 40))
    assert found.outcome is Outcome.SPENT
    assert found.reason == "the canary has cost 41 bad requests, more than the 40 it may"
