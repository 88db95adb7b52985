"""Absolute test: do requests fail more often than the objective allows, whatever the other version does?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.judges.grid import GRID, LOG_WEIGHTS, log_sum_exp

ALPHA = 0.01
OVER = math.log(1.0 / ALPHA)
START = (0.0,) * len(GRID)


@dataclass(frozen=True, slots=True)
class Objective:
    """A share of good events (0.999), and how fast its budget may burn (1 spends it in its period)."""

    target: float
    burn_rate: float = 1.0

    @property
    def allowed(self) -> float:
        """Return the share of bad events that is not over: burn rate times budget."""
        return self.burn_rate * (1.0 - self.target)


def advance(
    sums: Sequence[float], bad: float, requests: float, allowed: float, floor: float = -math.inf
) -> tuple[float, ...]:
    """Return the log likelihood sums of larger shares against ``allowed``, with one more tick.

    Alternatives multiply the odds of ``allowed`` by the judge's grid. ``floor`` forgets old good news, as the
    judge does.
    """
    odds = allowed / (1.0 - allowed)
    good = requests - bad
    gained = []
    for value, g in zip(sums, GRID, strict=True):
        worse = g * odds / (1.0 + g * odds)
        gain = bad * math.log(worse / allowed) + good * math.log((1.0 - worse) / (1.0 - allowed))
        gained.append(max(value + gain, floor))
    return tuple(gained)


def log_e(sums: Sequence[float], dispersion: float = 1.0) -> float:
    """Return ln e against "the bad share is at most ``allowed``", tempered by the dispersion.

    A sum over logarithms: tail probabilities would underflow at high volume.
    """
    tempered = max(1.0, dispersion)
    return log_sum_exp(w + value / tempered for w, value in zip(LOG_WEIGHTS, sums, strict=True))
