"""Second opinion: is it the version, or one sick pod? A new pod of the same version tells.

With one canary pod nothing corroborates a suspicion, so the pod is replaced at once; with more, the pod whose
removal lowers the evidence most is replaced when the suspicion lasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from analysis.judges.corroborated import Evidence
from analysis.judges.profiles import Call

PATIENCE = 4
"""Ticks that a suspicion of one among several pods lasts before a pod is replaced."""
MOST_REPLACED = 2
CLEARING_TICKS = 8
"""Good ticks of the new pod after which the old one is called sick."""


class Advice(StrEnum):
    """What should happen to the canary's pods."""

    NOTHING = "nothing"
    WATCH = "watch"
    REPLACE = "replace"
    REPLACE_WITHOUT_TRAFFIC = "replace without traffic"
    SICK_POD = "sick pod"
    PERSON = "a person decides"


@dataclass(frozen=True, slots=True)
class Opinion:
    """Where the second opinion stands.

    ``ticks`` counts ticks of suspicion, or of the new pod once one was asked for; ``group`` and ``pods`` are
    those that should be replaced.
    """

    ticks: int = 0
    group: int | None = None
    pods: tuple[str, ...] = ()
    lone: bool = False
    replaced: int = 0


NO_OPINION = Opinion()
"""Nothing has been suspected yet."""


def consult(
    opinion: Opinion, call: Call, evidence: Evidence, pods: Mapping[int, Sequence[str]]
) -> tuple[Opinion, Advice]:
    """Return the next state and the advice; ``pods`` are the canary's pods now, by group.

    SICK_POD asks the caller to drop the group's evidence (``Sums.dropped``).
    """
    if opinion.group is not None:
        return _waiting(opinion, opinion.group, call, evidence, pods)
    if call is not Call.SUSPECT:
        return replace(opinion, ticks=0), Advice.NOTHING
    lone = len(evidence.groups) <= 1
    opinion = replace(opinion, ticks=opinion.ticks + 1)
    if opinion.replaced >= (1 if lone else MOST_REPLACED):
        return opinion, Advice.PERSON
    if not lone and opinion.ticks <= PATIENCE:
        return opinion, Advice.WATCH
    group = min(evidence.groups, key=lambda g: (evidence.rows[1 + g], g), default=0)
    asked = replace(opinion, ticks=0, group=group, pods=tuple(pods.get(group, ())), lone=lone)
    return asked, Advice.REPLACE_WITHOUT_TRAFFIC if lone else Advice.REPLACE


def _waiting(
    opinion: Opinion, group: int, call: Call, evidence: Evidence, pods: Mapping[int, Sequence[str]]
) -> tuple[Opinion, Advice]:
    present = {pod for names in pods.values() for pod in names}
    if present & set(opinion.pods):
        return opinion, Advice.REPLACE_WITHOUT_TRAFFIC if opinion.lone else Advice.REPLACE
    done = Opinion(replaced=opinion.replaced + 1)
    if not opinion.lone:
        return done, Advice.SICK_POD
    if not any(g != group for g in evidence.groups):
        return opinion, Advice.WATCH
    opinion = replace(opinion, ticks=opinion.ticks + 1)
    new_pod_is_good = evidence.rows[1 + group] < 0.0
    if opinion.ticks >= CLEARING_TICKS and new_pod_is_good and call is not Call.ABORT:
        return done, Advice.SICK_POD
    return opinion, Advice.WATCH
