"""The start of a session: what history teaches, which profile it allows, and the terms of the trial. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from analysis.counts.arms import Arm
from analysis.counts.errors import CountsError
from analysis.counts.groups import ALWAYS, Groups
from analysis.judges.corroborated import Tick, look_back
from analysis.judges.ledger import spend
from analysis.judges.profiles import COLD_SHARE, FULL_LOOK_BACK, Profile, Situation, choose
from analysis.judges.sums import BLIND, Sums
from analysis.judges.trial import Terms, begin, slow_shares
from analysis.providers.canary.config import CanaryConfig
from analysis.providers.canary.intervals import (
    Answers,
    edges_for,
    pods_at,
    print_at,
    read_intervals,
    ticks_of,
)
from analysis.providers.canary.session import Session

ENOUGH = 0.8
"""A look-back with fewer ticks that have requests is as short as those are."""
History = tuple[tuple[Tick, ...], ...]
"""Ticks of the stable pods alone, one for each question (or edge), oldest first."""


class NoCounters(Exception):
    """There is nothing to begin with; ``str()`` says what is missing."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What an answer about the past holds. ``canary_from`` starts the canary's first requests, if any."""

    groups: Groups
    history: History
    canary_from: float | None


def read_history(config: CanaryConfig, answers: Answers) -> Opening:
    """Return what happened before the canary's first request. Raises NoCounters or CountsError."""
    edges = edges_for(config, answers)
    if config.latency is not None and not edges:
        raise NoCounters("the query for latency.buckets gives no series")
    groups = Groups({}).with_pods(pods_at(config, answers, 0), ALWAYS)
    intervals = []
    for known, interval in read_intervals(config, answers, groups, edges):
        groups = known
        intervals.append(interval)
    quiet = list(takewhile(lambda interval: not interval.requests(Arm.CANARY), intervals))
    canary_from = intervals[len(quiet)].start if len(quiet) < len(intervals) else None
    return Opening(groups, tuple(ticks_of(groups, interval, edges) for interval in quiet), canary_from)


def opened(
    config: CanaryConfig, answers: Answers, opening: Opening, history: History, *, lost: bool = False
) -> Session:
    """Return a session that judges from the end of ``answers`` on. Raises NoCounters or CountsError.

    ``history`` teaches the priors; it is that of ``opening`` or an older one. ``lost`` says that the state of
    an earlier session is gone: then nothing is learnt, as it was studied.
    """
    if not any(pod.arm is Arm.STABLE for pod in pods_at(config, answers, -1)):
        raise NoCounters(f"the stable version {config.stable} has no counters")
    edges = edges_for(config, answers)
    history = () if lost else history[-FULL_LOOK_BACK:]
    profile, why = _profile(config, history)
    if lost:
        why = "the state of this judge was lost"
    questions = range(len(edges) or 1)
    end = answers[0].boundaries[-1]
    return Session(
        config=config.digest(),
        terms=_terms(config, profile, edges),
        trial=begin(
            tuple(_sums(profile, [ticks[q] for ticks in history]) for q in questions),
            tuple(slow_shares(tuple(ticks[q] for ticks in history)) for q in questions),
        ),
        groups=opening.groups,
        position=end,
        print=print_at(answers, end),
        began_at=end,
        good_at=end,
        why=why,
        look_back=len(history),
        lost=lost,
    )


def _sums(profile: Profile, history: Sequence[Tick]) -> Sums:
    return Sums(priors=BLIND) if profile is Profile.BLIND else look_back(history)


def _profile(config: CanaryConfig, history: History) -> tuple[Profile, str]:
    """Return the profile that history allows; a template may ask for another, but not without history."""
    requests = [sum(n for _, n in ticks[0].stable) for ticks in history]
    busy = [count for count in requests if count]
    situation = Situation(
        look_back=len(history) if len(busy) >= ENOUGH * len(history) else len(busy),
        requests=sum(busy) / (len(busy) * config.tick) if busy else 0.0,
        main_metric=config.main_metric,
        latency=config.latency is not None,
        cold_start=config.cold_start,
        sticky=config.sticky,
    )
    profile, why = choose(situation)
    if config.profile is None or profile is Profile.BLIND:
        return profile, why
    return config.profile, "the template asks for it"


def _terms(config: CanaryConfig, profile: Profile, edges: tuple[float, ...]) -> Terms:
    slo, focus = config.slo, 0 if config.latency is None else None
    if config.latency is not None and slo is not None and slo.edge is not None:
        if slo.edge not in edges:
            known = ", ".join(f"{edge:g}" for edge in edges)
            raise CountsError(f"slo.edge {slo.edge:g} is not an edge of the histogram; its edges are {known}")
        focus = edges.index(slo.edge)
    return Terms(
        profile=profile,
        factor=spend(config.attempt).factor,
        edges=edges,
        focus=focus,
        cold=COLD_SHARE if config.cold_start else 0.0,
        sticky=config.sticky,
        allowed=config.objective.allowed if config.objective is not None else None,
        strict=slo is not None and slo.strict,
        weight=config.weight / 100.0 if config.weight is not None else None,
        spend_cap=config.spend_cap,
    )
