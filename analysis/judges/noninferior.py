"""The opposite test: is the canary proved to be at most a margin worse than stable?

The same conditional likelihood as the judge, with the hypotheses exchanged: evidence against "at least
``MARGIN`` times worse". It is what an early promotion needs; that no abort came proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.judges.grid import log_sum_exp

MARGIN = 1.5
GRID = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Ratios to the margin that count as good; 0.67 of it is "as good as stable"."""
BETA = 0.05
PROVED = math.log(1.0 / BETA)
START = (0.0,) * len(GRID)


def advance(
    sums: Sequence[float], canary: tuple[float, float], stable: tuple[float, float], margin: float = MARGIN
) -> tuple[float, ...]:
    """Return the log likelihood sums with one more tick; arguments are (bad events, requests)."""
    (c, m), (e, n) = canary, stable
    if not m or not n:
        return tuple(sums)
    limit = margin * m
    return tuple(
        value + c * math.log(g) - (c + e) * math.log((limit * g + n) / (limit + n))
        for value, g in zip(sums, GRID, strict=True)
    )


def log_e(sums: Sequence[float], dispersion: float) -> float:
    """Return ln e; from ``PROVED`` on the canary is non-inferior at that margin."""
    return log_sum_exp(value / max(1.0, dispersion) for value in sums) - math.log(len(GRID))
