"""Mann-Whitney: how far one sample is shifted against another, with an interval of confidence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from analysis.judges.kayenta.roots import brent

TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Shift:
    """Experiment less control: the Hodges-Lehmann estimate and its interval."""

    low: float
    high: float
    estimate: float


def rank_sum(experiment: Sequence[float], control: Sequence[float]) -> tuple[float, float]:
    """Return (U of the experiment, sum of t³ - t over ties); equal values share their mean rank."""
    counts = Counter(experiment) + Counter(control)
    ranks, below, ties = dict[float, float](), 0, 0.0
    for value in sorted(counts):
        count = counts[value]
        ranks[value] = below + (count + 1) / 2.0
        below += count
        ties += float(count) ** 3 - count
    size = len(experiment)
    return math.fsum(ranks[value] for value in experiment) - size * (size + 1) / 2.0, ties


def deviation(experiment: Sequence[float], control: Sequence[float], shift: float) -> float:
    """Return how many standard deviations U is off, once the experiment is moved back by ``shift``.

    Corrected for continuity and for ties. Raises ZeroDivisionError when all values are tied.
    """
    n, m = float(len(experiment)), float(len(control))
    u, ties = rank_sum([value - shift for value in experiment], control)
    off = u - n * m / 2.0
    correction = math.copysign(0.5, off) if off else 0.0
    spread = math.sqrt(n * m / 12.0 * ((n + m + 1.0) - ties / ((n + m) * (n + m - 1.0))))
    return (off - correction) / spread


def shift_between(experiment: Sequence[float], control: Sequence[float], confidence: float) -> Shift:
    """Return the shift of two samples that are not empty. Two constants differ by exactly one number."""
    low, high = min(experiment) - max(control), max(experiment) - min(control)
    if low == high:
        return Shift(low, low, low)
    quantile = NormalDist().inv_cdf((1.0 + confidence) / 2.0)

    def crossing(wanted: float) -> float:
        def curve(shift: float) -> float:
            return deviation(experiment, control, shift) - wanted

        if curve(low) <= 0.0:
            return low
        if curve(high) >= 0.0:
            return high
        return brent(curve, low, high, TOLERANCE)

    return Shift(crossing(quantile), crossing(-quantile), crossing(0.0))
