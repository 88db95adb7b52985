"""However long a run lasts and however many pods come and go: what status holds is small."""

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.counts.arms import Arm, Pod
from analysis.counts.groups import ALWAYS, MOST_PODS, Groups
from analysis.judges.corroborated import Tick
from analysis.judges.profiles import Profile
from analysis.judges.sums import Sums
from analysis.judges.terms import Counted, Terms
from analysis.judges.trial import advance, begin, judge
from analysis.providers.canary.config import MOST_EDGES
from analysis.providers.canary.replay import RECORD_KEY, STATE_KEY, extended, opened_record
from analysis.providers.canary.report import evidence_of, value_of
from analysis.providers.canary.session import Session

MOST = 100_000
"""Bytes of the two metrics that a release is usually judged by."""


def counts(chance: random.Random, groups: int, busiest: int) -> tuple[tuple[float, float], ...]:
    pairs = []
    for _ in range(groups):
        requests = chance.randrange(busiest)
        pairs.append((float(chance.randrange(requests + 1)), float(requests)))
    return tuple(pairs)


def largest(chance: random.Random, stable: int, canary: int, edges: int, ticks: int, busiest: int) -> int:
    """Return the most that one metric ever holds; canary pods are born one after the other."""
    names = [f"{chance.randrange(16**5):05x}" for _ in range(stable + canary)]
    groups = Groups({}).with_pods((Pod(Arm.STABLE, name) for name in names[:stable]), ALWAYS)
    born = [Pod(Arm.CANARY, name) for name in names[stable:]]
    terms = Terms(Profile.CAREFUL, edges=tuple(0.1 * (i + 1) for i in range(edges)), allowed=0.001)
    questions = range(max(1, edges))
    trial = begin(tuple(Sums() for _ in questions), tuple((0.0, 0) for _ in questions))
    session = Session("c" * 12, terms, trial, groups, 0.0, "f" * 16, 0.0, 0.0, "why")
    record, most = opened_record(session), 0
    for number in range(ticks):
        end = 1.8e9 + 15.0 * number + 0.123
        there = born[: 1 + len(born) * number // ticks]
        groups = groups.with_pods(there, end)
        tick = tuple(
            Tick(counts(chance, 16, busiest), counts(chance, 4, busiest), chance.random()) for _ in questions
        )
        counted = Counted(tick, groups.names(there, Arm.CANARY))
        trial = advance(trial, counted, terms)
        record = extended(record, [(end, counted)])
        if number % 25 and number != ticks - 1:
            most = max(most, len(record))
            continue
        session = Session("c" * 12, terms, trial, groups, end, "f" * 16, 1.8e9, end, "why")
        judgement = judge(trial, terms)
        shown = {**evidence_of(session, judgement), "value": value_of(session, judgement)}
        state = {STATE_KEY: session.dump(), RECORD_KEY: record}
        most = max(most, len(json.dumps([state, shown])))
    return most


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32),
    st.integers(1, MOST_PODS // 2),
    st.integers(1, MOST_PODS // 2),
    st.integers(1, MOST_EDGES),
    st.sampled_from([60, 150, 250]),
    st.sampled_from([10, 1_000, 1_000_000]),
)
def test_errors_and_latency_together_fit_into_status(
    seed: int, stable: int, canary: int, edges: int, ticks: int, busiest: int
) -> None:
    chance = random.Random(seed)
    both = [largest(chance, stable, canary, n, ticks, busiest) for n in (0, edges)]
    assert sum(both) < MOST


def test_the_largest_fleet_with_the_most_edges_fits_as_well() -> None:
    chance = random.Random(1)
    half = MOST_PODS // 2
    assert sum(largest(chance, half, half, n, 120, 1_000_000) for n in (0, MOST_EDGES)) < MOST
