"""Absolute test: do canary requests fail more often than the objective allows, whatever stable does?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.judges.grid import GRID, WEIGHTS, log_sum_exp

ALPHA = 0.01
OVER = math.log(1.0 / ALPHA)


@dataclass(frozen=True, slots=True)
class Objective:
    """A share of good events (0.999), and how fast its budget may burn (1 spends it in its period)."""

    target: float
    burn_rate: float = 1.0

    @property
    def allowed(self) -> float:
        """Return the share of bad events that is not over: burn rate times budget."""
        return self.burn_rate * (1.0 - self.target)


def log_e(bad: float, requests: float, allowed: float, dispersion: float = 1.0) -> float:
    """Return ln e against "the bad share is at most ``allowed``", for counts since the start.

    A mixture over shares above it of the binomial likelihood ratio, tempered by the dispersion. The sum runs
    over logarithms: tail probabilities would underflow at high volume.
    """
    worse = [(g * allowed, w) for g, w in zip(GRID, WEIGHTS, strict=True) if g * allowed < 1.0]
    if not worse:
        worse = [((1.0 + allowed) / 2.0, 1.0)]
    whole = sum(w for _, w in worse)
    return log_sum_exp(
        math.log(w / whole)
        + (bad * math.log(p / allowed) + (requests - bad) * math.log((1.0 - p) / (1.0 - allowed)))
        / max(1.0, dispersion)
        for p, w in worse
    )
