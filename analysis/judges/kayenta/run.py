"""The order of judgements: when each is made, over which window, and what follows from its score. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.judges.kayenta.score import Thresholds, Verdict


@dataclass(frozen=True, slots=True)
class Course:
    """A run plan in seconds since its start.

    Values count from ``begin_after`` on; the window grows with each judgement, or slides with ``look_back``.
    """

    lifetime: float
    interval: float
    begin_after: float = 0.0
    look_back: float | None = None

    @property
    def judgements(self) -> int:
        """Return how many judgements there are."""
        return max(1, math.floor(self.lifetime / self.interval + 1e-9))

    def window(self, judgement: int) -> tuple[float, float]:
        """Return start and end of the window of a judgement, from 0."""
        end = self.begin_after + (judgement + 1) * self.interval
        if judgement == self.judgements - 1:
            end = self.begin_after + self.lifetime
        start = self.begin_after
        return (start, end) if self.look_back is None else (max(start, end - self.look_back), end)

    def verdict(self, scores: Sequence[float], thresholds: Thresholds) -> Verdict | None:
        """Return what the scores so far amount to; None while more are wanted.

        The first score that is not above marginal fails the run; the last one has to pass.
        """
        if not scores:
            return None
        last = scores[-1]
        final = len(scores) >= self.judgements
        if final:
            return thresholds.verdict(last)
        return Verdict.FAIL if last <= thresholds.marginal else None
