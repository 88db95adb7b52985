"""Two questions, four answers: worse than stable, and over the objective."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from analysis.judges.opinion import Advice
from analysis.judges.profiles import Call


class Decision(StrEnum):
    """What the analysis says now."""

    FAIL = "fail"
    HOLD = "hold"
    PAUSE = "pause"
    GO_ON = "go on"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known after a tick. ``over`` and ``stable_over`` are None without an objective."""

    call: Call
    advice: Advice
    over: bool | None = None
    stable_over: bool | None = None
    excess: float = 0.0
    spend_cap: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision and its reason for a person."""

    decision: Decision
    reason: str


def decide(finding: Finding, *, strict: bool) -> Answer:
    """Return the answer of the table; the first check that applies decides.

    ``strict`` fails what is worse than stable although it keeps its objective; otherwise that is held.
    """
    if finding.call is Call.ABORT and (finding.over is not False or strict):
        over = " and over its objective" if finding.over else ""
        return Answer(Decision.FAIL, f"the canary is worse than stable{over}, and no single pod explains it")
    if finding.spend_cap is not None and finding.excess > finding.spend_cap:
        return Answer(
            Decision.PAUSE,
            f"the canary has cost {finding.excess:.0f} bad events more than stable would have;"
            f" the cap is {finding.spend_cap:.0f}",
        )
    if finding.call is Call.ABORT:
        return Answer(
            Decision.HOLD, "the canary is worse than stable, but not shown to be over its objective"
        )
    if finding.advice is Advice.PERSON:
        return Answer(
            Decision.PAUSE, "the canary looks worse than stable, and second opinions are used up: look at it"
        )
    if finding.call is Call.SUSPECT or finding.advice is not Advice.NOTHING:
        return Answer(Decision.HOLD, "the canary looks worse than stable; a second opinion is needed")
    if finding.call is Call.FREEZE:
        return Answer(
            Decision.HOLD, "some evidence that the canary is worse; no more traffic until it is gone"
        )
    if finding.over and finding.stable_over:
        return Answer(
            Decision.PAUSE, "shared incident: stable is over the objective as well, and the canary no worse"
        )
    if finding.over:
        return Answer(Decision.HOLD, "the canary is over its objective; whether it is worse is not clear yet")
    return Answer(Decision.GO_ON, "no evidence against the canary")
