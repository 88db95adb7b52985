"""Values of one metric, made ready for comparison: gaps, and values far outside the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

OUTLIER_FACTOR = 3.0


class NanStrategy(StrEnum):
    """What becomes of values that are not numbers; ``replace`` takes them as 0."""

    REMOVE = "remove"
    REPLACE = "replace"


class OutlierStrategy(StrEnum):
    """Whether values far outside the quartiles count."""

    KEEP = "keep"
    REMOVE = "remove"


def without_gaps(values: Sequence[float], strategy: NanStrategy) -> tuple[float, ...]:
    """Return the values with NaN removed or replaced."""
    if strategy is NanStrategy.REPLACE:
        return tuple(0.0 if math.isnan(value) else value for value in values)
    return tuple(value for value in values if not math.isnan(value))


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile of values that are not empty, by a line between the two nearest (R's type 7)."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def without_outliers(values: Sequence[float], factor: float = OUTLIER_FACTOR) -> tuple[float, ...]:
    """Return the values within ``factor`` interquartile ranges of the quartiles.

    At least what lies between the 1st and the 99th percentile stays.
    """
    if not values:
        return ()
    first, third = percentile(values, 0.25), percentile(values, 0.75)
    low = min(first - factor * (third - first), percentile(values, 0.01))
    high = max(third + factor * (third - first), percentile(values, 0.99))
    return tuple(value for value in values if low <= value <= high)
