"""Sham releases over recorded counters: stable pods against stable pods. Pure; chance comes in."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from analysis.aa.rates import ORDER
from analysis.counts.arms import Arm, Pod
from analysis.counts.groups import ALWAYS, Groups
from analysis.judges.corroborated import Tick
from analysis.judges.ledger import spend
from analysis.judges.profiles import FULL_LOOK_BACK, Call, Profile
from analysis.judges.trial import advance, begin, evidence, slow_shares
from analysis.providers.canary.config import CanaryConfig
from analysis.providers.canary.intervals import (
    Answers,
    Interval,
    counted,
    edges_for,
    pods_at,
    read_intervals,
    ticks_of,
)
from analysis.providers.canary.opening import learnt, profile_of, terms_of

FEWEST_PODS = 2


@dataclass(frozen=True, slots=True)
class Past:
    """Intervals of the stable pods, oldest first, and the edges that are judged at."""

    intervals: tuple[Interval, ...]
    edges: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Sham:
    """One sham release: who played the canary, the worst call, and the largest evidence as e.

    ``worst`` is None when it could not be judged; ``why`` then says what was missing.
    """

    start: float
    end: float
    canary: tuple[str, ...]
    worst: Call | None
    log_e: float = 0.0
    profile: Profile | None = None
    canary_bad: float = 0.0
    canary_requests: float = 0.0
    why: str = ""


def past_of(config: CanaryConfig, answers: Answers) -> Past:
    """Return the past that an answer holds. Raises CountsError."""
    edges = edges_for(config, answers)
    groups = Groups({}).with_pods(pods_at(config, answers, 0), ALWAYS)
    return Past(tuple(found for _, found in read_intervals(config, answers, groups, edges)), edges)


def releases(
    config: CanaryConfig, past: Past, length: int, share: float, chance: random.Random
) -> Iterator[Sham]:
    """Judge one sham release after the other, each ``length`` ticks long after a full look-back.

    Releases do not overlap, so that each is an observation of its own; their look-backs may.
    """
    for start in range(FULL_LOOK_BACK, len(past.intervals) - length + 1, length):
        before = past.intervals[start - FULL_LOOK_BACK : start]
        yield release(config, past.edges, before, past.intervals[start : start + length], share, chance)


def release(
    config: CanaryConfig,
    edges: tuple[float, ...],
    before: Sequence[Interval],
    during: Sequence[Interval],
    share: float,
    chance: random.Random,
) -> Sham:
    """Judge one sham release: ``share`` of the pods that are there throughout play the canary."""
    start, end = during[0].start, during[-1].end
    pods = sorted({pod.name for one in during for pod in one.counts if pod.arm is Arm.STABLE})
    if len(pods) < FEWEST_PODS:
        return Sham(start, end, (), None, why=f"{len(pods)} stable pods: two are needed to split them")
    chosen = frozenset(chance.sample(pods, min(len(pods) - 1, max(1, round(share * len(pods))))))
    groups = Groups({})
    history: list[tuple[Tick, ...]] = []
    for one in (_played(interval, chosen) for interval in before):
        quiet = replace(one, counts={p: c for p, c in one.counts.items() if p.arm is Arm.STABLE})
        groups = groups.with_pods(quiet.counts, ALWAYS)
        history.append(ticks_of(groups, quiet, edges))
    profile, _ = profile_of(config, tuple(history))
    questions = range(len(edges) or 1)
    trial = begin(
        tuple(learnt(profile, [ticks[question] for ticks in history]) for question in questions),
        tuple(slow_shares(tuple(ticks[question] for ticks in history)) for question in questions),
    )
    terms = terms_of(config, profile, edges, spend(1))
    worst, largest = Call.CONTINUE, 0.0
    for one in (_played(interval, chosen) for interval in during):
        groups = groups.with_pods({*one.present, *one.counts}, ALWAYS)
        trial = advance(trial, counted(groups, one, edges), terms)
        worst = max(worst, trial.call, key=ORDER.index)
        largest = max(largest, evidence(trial, terms).total)
        if worst is Call.ABORT:
            break
    names = tuple(sorted(chosen))
    if not trial.judged:
        return Sham(start, end, names, None, why="no interval in which both parts had requests")
    totals = trial.totals
    return Sham(start, end, names, worst, largest, profile, max(totals.canary_bad), totals.canary)


def _played(interval: Interval, chosen: frozenset[str]) -> Interval:
    """Return the interval with the chosen pods on the canary's side."""

    def cast(pod: Pod) -> Pod:
        return Pod(Arm.CANARY, pod.name) if pod.arm is Arm.STABLE and pod.name in chosen else pod

    stable = {pod: value for pod, value in interval.counts.items() if pod.arm is Arm.STABLE}
    return replace(
        interval,
        counts={cast(pod): value for pod, value in stable.items()},
        present=frozenset(cast(pod) for pod in interval.present if pod.arm is Arm.STABLE),
    )
