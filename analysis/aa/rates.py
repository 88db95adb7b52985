"""Observed rates with an interval. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from analysis.judges.profiles import Call

Z = 1.959964
ORDER = (Call.CONTINUE, Call.FREEZE, Call.SUSPECT, Call.ABORT)


def wilson(found: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    share, weight = found / of, Z * Z / of
    middle, reach = share + weight / 2.0, Z * math.sqrt((share * (1.0 - share) + weight / 4.0) / of)
    return max(0.0, (middle - reach) / (1.0 + weight)), min(1.0, (middle + reach) / (1.0 + weight))


@dataclass(frozen=True, slots=True)
class Rates:
    """How many sham releases reached which call at worst, and how many could not be judged."""

    counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    unjudged: int = 0

    @classmethod
    def of(cls, worst: Iterable[Call | None]) -> Rates:
        """Return the rates of some releases; None is one that could not be judged."""
        found = list(worst)
        counts = tuple(sum(call is one for call in found) for one in ORDER)
        return cls((counts[0], counts[1], counts[2], counts[3]), sum(call is None for call in found))

    def __add__(self, other: Rates) -> Rates:
        """Return both together."""
        pairs = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        return Rates((pairs[0], pairs[1], pairs[2], pairs[3]), self.unjudged + other.unjudged)

    @property
    def judged(self) -> int:
        """Return how many were judged."""
        return sum(self.counts)

    def at_least(self, call: Call) -> int:
        """Return how many reached a call, or a worse one."""
        return sum(self.counts[ORDER.index(call) :])

    def share(self, call: Call) -> tuple[float, float, float]:
        """Return (share, low, high) of the releases that reached a call."""
        found = self.at_least(call)
        low, high = wilson(found, self.judged)
        return (found / self.judged if self.judged else 0.0), low, high
