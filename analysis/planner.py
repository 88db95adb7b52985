"""What can a step detect, how long does it take, how many bad requests does it cost?

Answered by letting the judge itself watch simulated releases at that traffic: a calm fleet whose only trouble
is the regression. Restless fleets, bursts and sick pods take longer. Pure: chance is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from analysis.judges.corroborated import Tick, advance, evidence
from analysis.judges.grid import CANARY_GROUPS, STABLE_GROUPS
from analysis.judges.profiles import FAST_REQUESTS_PER_SECOND, LEVELS, Call, Profile, call
from analysis.judges.sums import BLIND, Prior, Priors, Sums

RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 25.0, 100.0)
RUNS = 100
SURE = 0.9
"""A regression is called detectable when this share of releases finds it within the step."""
CHEAP = 10.0
CALM = Priors(Prior(60.0, 1.0), Prior(30.0, 1.0), Prior(40.0, 1.03), Prior(20.0, 1.0))
"""What a look-back at a calm fleet teaches."""


class Dice(Protocol):
    """Where chance comes from."""

    def random(self) -> float:
        """Return a number in [0, 1)."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a rollout. ``weight`` and ``base`` (the usual bad share) are shares of one; times in s."""

    seconds: float
    requests: float
    weight: float
    base: float
    canary_pods: int = 2
    stable_pods: int = 10
    profile: Profile = Profile.FAST
    tick: float = 15.0

    def __post_init__(self) -> None:
        wrong = {
            "seconds": self.seconds < self.tick,
            "requests": self.requests <= 0,
            "weight": not 0 < self.weight < 1,
            "base": not 0 < self.base < 1,
            "canary_pods": self.canary_pods < 1,
            "stable_pods": self.stable_pods < 1,
            "tick": self.tick <= 0,
        }
        for field, is_wrong in wrong.items():
            if is_wrong:
                raise ValueError(f"{field} is {getattr(self, field)}, which no step can have")


@dataclass(frozen=True, slots=True)
class Detection:
    """How a regression of ``ratio`` times the usual bad share fares within the step.

    ``found`` is the share of releases that ends it; for a lone pod that is traffic off and a second opinion.
    ``seconds`` and ``bad`` canary requests served are medians over all releases, ``bad_high`` is the 90th
    percentile; None where fewer releases than that found it. ``missed_cost`` is what a whole step serves.
    """

    ratio: float
    found: float
    seconds: float | None
    bad: float | None
    bad_high: float | None
    missed_cost: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All ratios, the smallest that the step can detect (None for none of them), and what to know."""

    detections: tuple[Detection, ...]
    detectable: float | None
    warnings: tuple[str, ...]


def plan(step: Step, dice: Dice, *, ratios: Sequence[float] = RATIOS, runs: int = RUNS) -> Plan:
    """Return what the step can detect."""
    possible = [ratio for ratio in ratios if ratio * step.base <= 1.0]
    detections = tuple(_detection(step, ratio, dice, runs) for ratio in possible)
    detectable = next((d.ratio for d in detections if d.found >= SURE), None)
    return Plan(detections, detectable, tuple(_warnings(step, detections, detectable)))


def _detection(step: Step, ratio: float, dice: Dice, runs: int) -> Detection:
    ends = [_watched(step, ratio, dice) for _ in range(runs)]
    found = [end for end in ends if end is not None]
    ticks = sorted(tick * step.tick for tick, _ in found)
    served = sorted(bad for _, bad in found)
    canary = step.requests * step.weight * step.seconds
    return Detection(
        ratio,
        len(found) / runs,
        _quantile(ticks, 0.5, runs),
        _quantile(served, 0.5, runs),
        _quantile(served, 0.9, runs),
        canary * step.base * ratio,
    )


def _quantile(ascending: Sequence[float], share: float, of: int) -> float | None:
    """Return the value below which ``share`` of ``of`` releases lie; those that are not listed lie above."""
    position = math.ceil(share * of) - 1
    return ascending[position] if position < len(ascending) else None


def _watched(step: Step, ratio: float, dice: Dice) -> tuple[int, float] | None:
    """Return (ticks, bad canary requests served) of one release that was found, None for one that was not."""
    stable, canary = min(step.stable_pods, STABLE_GROUPS), min(step.canary_pods, CANARY_GROUPS)
    n = step.requests * step.tick * (1.0 - step.weight) / stable
    m = step.requests * step.tick * step.weight / canary
    sums = Sums(priors=BLIND if step.profile is Profile.BLIND else CALM)
    levels, served = LEVELS[step.profile], 0.0
    enough = Call.SUSPECT if canary == 1 else Call.ABORT
    for number in range(1, int(step.seconds / step.tick) + 1):
        bad = [drawn(m, step.base * ratio, dice) for _ in range(canary)]
        served += sum(bad)
        tick = Tick(
            _filled([(drawn(n, step.base, dice), n) for _ in range(stable)], STABLE_GROUPS),
            _filled([(c, m) for c in bad], CANARY_GROUPS),
        )
        sums = advance(sums, tick)
        if call(evidence(sums), levels) in (enough, Call.ABORT):
            return number, served
    return None


def _filled(groups: list[tuple[float, float]], size: int) -> tuple[tuple[float, float], ...]:
    return tuple(groups + [(0.0, 0.0)] * (size - len(groups)))


def drawn(requests: float, share: float, dice: Dice) -> float:
    """Return a Poisson number of bad events, at most the requests.

    By multiplication of uniform numbers in portions, since the exponential of a large mean underflows.
    """
    left, count = requests * share, 0
    while left > 0:
        portion = min(left, 30.0)
        left -= portion
        limit, product = math.exp(-portion), dice.random()
        while product > limit:
            count += 1
            product *= dice.random()
    return min(float(count), requests)


def _warnings(step: Step, detections: Sequence[Detection], detectable: float | None) -> list[str]:
    found = []
    if detectable is None:
        found.append("this step detects none of these regressions: make it longer, or give it more traffic")
    elif detectable > 2.0:
        found.append(f"this step cannot be relied on to detect less than a {detectable:g}-fold regression")
    costly = [d for d in detections if d.bad is not None and d.bad > CHEAP]
    if costly:
        found.append(
            f"a {costly[-1].ratio:g}-fold regression costs about {costly[-1].bad:.0f} bad requests until it"
            " is found; only a smaller weight (or a shorter tick) makes that less"
        )
    if step.profile is Profile.FAST and step.requests < FAST_REQUESTS_PER_SECOND:
        found.append(f"under {FAST_REQUESTS_PER_SECOND:g} requests a second the careful profile is used")
    if step.canary_pods == 1:
        found.append("a lone pod is never proof of a bad version: found means traffic off and a new pod")
    return found
