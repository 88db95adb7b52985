"""The start of a session: what history teaches, which profile it allows, and the terms of the trial. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from analysis.counts.arms import Arm
from analysis.counts.errors import CountsError
from analysis.counts.groups import ALWAYS, Groups
from analysis.judges.corroborated import Tick, look_back
from analysis.judges.ledger import Spent, spend
from analysis.judges.profiles import COLD_SHARE, FULL_LOOK_BACK, Profile, Situation, choose
from analysis.judges.sums import BLIND, Sums
from analysis.judges.terms import Terms
from analysis.judges.trial import begin, slow_shares
from analysis.providers.canary.config import CanaryConfig
from analysis.providers.canary.intervals import (
    Answers,
    Interval,
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


@dataclass(slots=True)
class HistoryReader:
    """Reads an answer about the past interval by interval, so that a long one need not be read at once."""

    config: CanaryConfig
    answers: Answers
    edges: tuple[float, ...]
    groups: Groups
    intervals: list[Interval]

    @classmethod
    def of(
        cls, config: CanaryConfig, answers: Answers, edges: tuple[float, ...] | None = None
    ) -> HistoryReader:
        """Return a reader at the first boundary. Raises NoCounters or CountsError.

        Without ``edges`` they are those of these answers.
        """
        edges = edges_for(config, answers) if edges is None else edges
        if config.latency is not None and not edges:
            raise NoCounters("the query for latency.buckets gives no series")
        return cls(config, answers, edges, Groups({}).with_pods(pods_at(config, answers, 0), ALWAYS), [])

    def steps(self) -> Iterator[None]:
        """Read one interval at each step."""
        for known, interval in read_intervals(self.config, self.answers, self.groups, self.edges):
            self.groups = known
            self.intervals.append(interval)
            yield

    def opening(self) -> Opening:
        """Return what happened before the canary's first request."""
        quiet = list(takewhile(lambda interval: not interval.requests(Arm.CANARY), self.intervals))
        there = len(quiet) < len(self.intervals)
        return Opening(
            self.groups,
            tuple(ticks_of(self.groups, interval, self.edges) for interval in quiet),
            self.intervals[len(quiet)].start if there else None,
        )


@dataclass(slots=True)
class Opener:
    """Makes a session that judges from the end of ``answers`` on; learning takes one step a question.

    ``history`` teaches the priors; it is that of ``opening`` or an older one. ``lost`` says that the state of
    an earlier session is gone: then nothing is learnt, as it was studied. ``spent`` is the share of the
    release's false aborts that this session may use.
    """

    config: CanaryConfig
    answers: Answers
    opening: Opening
    history: History
    lost: bool = False
    spent: Spent = spend(1)  # noqa: RUF009 - frozen
    learnt: list[Sums] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not any(pod.arm is Arm.STABLE for pod in pods_at(self.config, self.answers, -1)):
            raise NoCounters(f"the stable version {self.config.stable} has no counters")
        self.history = () if self.lost else self.history[-FULL_LOOK_BACK:]

    def steps(self) -> Iterator[None]:
        """Learn about one question (or edge) at each step."""
        profile, _ = profile_of(self.config, self.history)
        for question in range(len(edges_for(self.config, self.answers)) or 1):
            self.learnt.append(learnt(profile, [ticks[question] for ticks in self.history]))
            yield

    def session(self) -> Session:
        """Return the session. Raises CountsError when the objective's edge is none of the histogram's."""
        profile, why = profile_of(self.config, self.history)
        end = self.answers[0].boundaries[-1]
        shares = (
            slow_shares(tuple(ticks[question] for ticks in self.history))
            for question in range(len(self.learnt))
        )
        return Session(
            config=self.config.digest(),
            terms=terms_of(self.config, profile, edges_for(self.config, self.answers), self.spent),
            trial=begin(tuple(self.learnt), tuple(shares)),
            groups=self.opening.groups,
            position=end,
            print=print_at(self.answers, end),
            began_at=end,
            good_at=end,
            why="the state of this judge was lost" if self.lost else why,
            look_back=len(self.history),
            lost=self.lost,
            attempt=self.spent.attempt,
            analyses=self.spent.analyses,
        )


def learnt(profile: Profile, history: Sequence[Tick]) -> Sums:
    return Sums(priors=BLIND) if profile is Profile.BLIND else look_back(history)


def profile_of(config: CanaryConfig, history: History) -> tuple[Profile, str]:
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


def terms_of(config: CanaryConfig, profile: Profile, edges: tuple[float, ...], spent: Spent) -> Terms:
    slo, focus = config.slo, 0 if config.latency is None else None
    if config.latency is not None and slo is not None and slo.edge is not None:
        if slo.edge not in edges:
            known = ", ".join(f"{edge:g}" for edge in edges)
            raise CountsError(f"slo.edge {slo.edge:g} is not an edge of the histogram; its edges are {known}")
        focus = edges.index(slo.edge)
    return Terms(
        profile=profile,
        factor=spent.factor,
        edges=edges,
        focus=focus,
        cold=COLD_SHARE if config.cold_start else 0.0,
        sticky=config.sticky,
        allowed=config.objective.allowed if config.objective is not None else None,
        strict=slo is not None and slo.strict,
        weight=config.weight / 100.0 if config.weight is not None else None,
        spend_cap=config.spend_cap,
    )
