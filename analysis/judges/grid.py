"""What the judge is built on: the alternatives, their weights, the groups and the rows of evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable

STABLE_GROUPS = 16
CANARY_GROUPS = 4
GRID = (1.3, 1.7, 2.3, 3.2, 4.5, 7.0, 14.0, 40.0)
"""How many times worse than ``MARGIN`` the canary may be."""
WEIGHTS = (0.05, 0.07, 0.13, 0.20, 0.23, 0.20, 0.08, 0.04)
MARGIN = 1.25
"""A canary up to this many times worse than stable is not called worse."""
LOG_GRID = tuple(math.log(g) for g in GRID)
LOG_WEIGHTS = tuple(math.log(w) for w in WEIGHTS)
PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
LEFT_OUT: tuple[tuple[int, ...], ...] = ((), *((g,) for g in range(CANARY_GROUPS)), *PAIRS)
"""Canary groups that each row of evidence leaves out: none, each one, each pair."""
FIRST_PAIR = 1 + CANARY_GROUPS
ROWS = tuple(
    tuple(g for g in range(CANARY_GROUPS) if g not in left_out) for left_out in LEFT_OUT
)  # fmt: skip
"""Canary groups in each row."""
FLOOR = 4.0
"""Old good news is forgotten below ``-FLOOR`` times the dispersion."""


def log_sum_exp(values: Iterable[float]) -> float:
    """Return ln Σ exp(v); minus infinity for nothing."""
    items = tuple(values)
    largest = max(items, default=-math.inf)
    if math.isinf(largest):
        return largest
    return largest + math.log(sum(math.exp(v - largest) for v in items))


def ratio(part: float, whole: float) -> float:
    """Return part/whole, and 0 for anything over nothing."""
    return part / whole if whole else 0.0
