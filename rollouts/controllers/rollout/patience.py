"""Which status changes may wait a little, so that several of them become one write. Pure but for its memory.

While pods start and end the counts change several times a second. Nobody reads each of these states, and no
decision rests on them; what people and tools wait for (phase, step, pauses, weights, conditions that decide)
is written at once, and takes the newest counts along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rollouts.api.conditions import AVAILABLE
from rollouts.kube.objects import ReadOnly

LONGEST = timedelta(seconds=2)
"""How long the counts in a status may be old."""

_COUNTS = frozenset(
    ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "HPAReplicas", "message")
)


class Patience:
    """Remembers since when the counts of each Rollout are behind."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}

    def until(self, uid: str, before: ReadOnly, patch: ReadOnly, now: datetime) -> datetime | None:
        """Return how long the write of a status ``patch`` may wait; None when it is to be written now."""
        if not patch or not only_counts(before, patch):
            self._since.pop(uid, None)
            return None
        due = self._since.setdefault(uid, now) + LONGEST
        if due <= now:
            del self._since[uid]
            return None
        return due


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
