"""Which levels decide, and when: fast, careful, blind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from analysis.judges.corroborated import Evidence

FULL_LOOK_BACK = 120
"""Ticks of look-back that were studied (30 min of 15 s)."""
SHORT_LOOK_BACK = 60
"""Fewer ticks than these teach nothing that was studied: then the judge is blind."""
FAST_REQUESTS_PER_SECOND = 20.0
COLD_SHARE = 0.5
"""The share y by which the margin grows on pods in their first 45 s, when a cold start is declared."""
FEWEST_OUTSIDE = 2.0
"""Bad events that an abort needs outside of the worst group: one early error is no second witness."""
FREEZE = math.log(4.0)
RELEASE = math.log(2.0)


class Profile(StrEnum):
    """How easily the judge aborts."""

    FAST = "fast"
    CAREFUL = "careful"
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class Levels:
    """e-values that abort: of all pods, without the worst quarter, without the worst two quarters."""

    total: float
    one_left_out: float
    two_left_out: float

    def times(self, factor: float) -> Levels:
        """Return the levels multiplied: what an attempt after others has to reach."""
        return Levels(self.total * factor, self.one_left_out * factor, self.two_left_out * factor)


LEVELS = {
    Profile.FAST: Levels(12.0, 2.0, 0.7),
    Profile.CAREFUL: Levels(15.0, 3.0, 1.0),
    Profile.BLIND: Levels(15.0, 3.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Situation:
    """What the choice of a profile depends on. ``look_back`` counts ticks, ``requests`` is per second."""

    look_back: int
    requests: float
    main_metric: bool = True
    latency: bool = False
    cold_start: bool = False
    sticky: bool = False


def choose(situation: Situation) -> tuple[Profile, str]:
    """Return the profile and the reason in words."""
    if situation.look_back < SHORT_LOOK_BACK:
        return Profile.BLIND, f"only {situation.look_back} ticks of history of the stable pods"
    careful = {
        f"the look-back has {situation.look_back} ticks, not {FULL_LOOK_BACK}": (
            situation.look_back < FULL_LOOK_BACK
        ),
        f"{situation.requests:.3g} requests a second are fewer than {FAST_REQUESTS_PER_SECOND:g}": (
            situation.requests < FAST_REQUESTS_PER_SECOND
        ),
        "a cold start is declared": situation.cold_start,
        "routing is sticky": situation.sticky,
        "it judges latency": situation.latency,
        "it is not the main metric": not situation.main_metric,
    }
    for reason, applies in careful.items():
        if applies:
            return Profile.CAREFUL, reason
    return (
        Profile.FAST,
        f"look-back of {situation.look_back} ticks, {situation.requests:.3g} requests a second",
    )


class Call(StrEnum):
    """What the evidence alone asks for."""

    ABORT = "abort"
    SUSPECT = "suspect"
    FREEZE = "freeze"
    CONTINUE = "continue"


def call(evidence: Evidence, levels: Levels, *, frozen: bool = False) -> Call:
    """Return abort, suspect (worse, but nothing corroborates it), freeze, or continue.

    ``frozen`` is whether the last call was a freeze: it is released below 2, not below 4.
    """
    if evidence.total >= math.log(levels.total):
        corroborated = (
            evidence.one_left_out >= math.log(levels.one_left_out)
            and evidence.two_left_out >= math.log(levels.two_left_out)
            and evidence.outside >= FEWEST_OUTSIDE
        )
        return Call.ABORT if corroborated else Call.SUSPECT
    return Call.FREEZE if evidence.total >= (RELEASE if frozen else FREEZE) else Call.CONTINUE
