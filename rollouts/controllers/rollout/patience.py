"""Which status changes may wait a little, so that several of them become one write. Pure but for its memory.

While pods start and end the counts change several times a second. Nobody reads each of these states, and no
decision rests on them; what people and tools wait for (phase, step, pauses, weights, conditions that decide)
is written at once, and takes the newest counts along. Counts that people would miss, because pods are missing
or because nothing else is under way, are written once they stand still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rollouts.api.conditions import AVAILABLE
from rollouts.kube.objects import ReadOnly

LONGEST = timedelta(seconds=2)
"""How long the counts in a status may be old."""
QUIET = timedelta(milliseconds=250)
"""How long counts that people would miss have to be the same."""

_COUNTS = frozenset(
    ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "HPAReplicas", "message")
)


@dataclass(frozen=True, slots=True)
class _Behind:
    since: datetime
    patch: ReadOnly
    same_since: datetime


class Patience:
    """Remembers since when the counts of each Rollout are behind, and since when they are the same."""

    def __init__(self) -> None:
        self._behind: dict[str, _Behind] = {}

    def until(
        self, uid: str, before: ReadOnly, patch: ReadOnly, now: datetime, *, missed: bool = False
    ) -> datetime | None:
        """Return how long the write of a status ``patch`` may wait; None when it is to be written now.

        ``missed`` says that people would miss the counts.
        """
        if not patch or not only_counts(before, patch):
            self._behind.pop(uid, None)
            return None
        old = self._behind.get(uid)
        same = old is not None and old.patch == patch
        entry = _Behind(old.since if old else now, patch, old.same_since if old and same else now)
        due = entry.since + LONGEST
        if missed:
            due = min(due, entry.same_since + QUIET)
        if due <= now:
            self._behind.pop(uid, None)
            return None
        self._behind[uid] = entry
        return due


def would_be_missed(status: ReadOnly, replicas: int) -> bool:
    """Tell whether people would miss the counts of a status: fewer than they asked for, or all that moves."""
    under_way = status.get("phase") in ("Progressing", "Paused")
    return not under_way or (status.get("availableReplicas") or 0) < replicas


def only_counts(before: ReadOnly, patch: ReadOnly) -> bool:
    """Tell whether a patch of ``before`` changes nothing but counts and what follows from them."""
    return all(_is_minor(before, field, value) for field, value in patch.items())


def _is_minor(before: ReadOnly, field: str, value: Any) -> bool:
    if field == "conditions":
        return _decisive(before.get("conditions") or ()) == _decisive(value or ())
    if field == "canary":
        return _only_hashes(value)
    return field in _COUNTS


def _decisive(conditions: Sequence[ReadOnly]) -> list[tuple[str, ...]]:
    """Return what must not wait: all but the clock of the progress and whether enough pods are there."""
    return sorted(
        tuple(str(c.get(field, "")) for field in ("type", "status", "reason", "message"))
        for c in conditions
        if c.get("type") != AVAILABLE
    )


def _only_hashes(canary: Any) -> bool:
    """Tell whether only the names of versions behind unchanged weights differ."""
    if not isinstance(canary, Mapping) or set(canary) != {"weights"}:
        return False
    weights = canary["weights"]
    if not isinstance(weights, Mapping):
        return False
    return all(
        isinstance(part, Mapping) and set(part) == {"podTemplateHash"} and part["podTemplateHash"]
        for part in weights.values()
    )
