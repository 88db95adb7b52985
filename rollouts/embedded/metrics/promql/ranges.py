"""Functions of range vectors. Each takes the samples of one series and the range's bounds.

``rate``, ``increase`` and ``delta`` extrapolate to the range's bounds as Prometheus does
(``extrapolatedRate``): all the way when the first or last sample is within 1.1 average gaps of the bound,
else by half a gap; a counter is never extrapolated to before it was zero.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rollouts.embedded.metrics.promql.vectors import largest, mean, smallest, total, variance

Samples = Sequence[tuple[int, float]]
_CLOSE = 1.1


@dataclass(frozen=True, slots=True)
class Bounds:
    """The range (start, end] in milliseconds, and whether Prometheus 2's order of rules applies."""

    start: int
    end: int
    version2: bool = False

    @property
    def seconds(self) -> float:
        """Return the range's length."""
        return (self.end - self.start) / 1000


RangeFunction = Callable[[Samples, Bounds], float | None]
"""Returns None when the series gives no result."""


def _increase(samples: Samples, *, counter: bool) -> float:
    change = samples[-1][1] - samples[0][1]
    if counter:
        for (_, before), (_, after) in itertools.pairwise(samples):
            if after < before:
                change += before
    return change


def extrapolated(samples: Samples, bounds: Bounds, *, counter: bool, per_second: bool) -> float | None:
    """Return the change over the range, extrapolated to its bounds; None with fewer than two samples."""
    if len(samples) < 2:
        return None
    change = _increase(samples, counter=counter)
    first, last = samples[0], samples[-1]
    sampled = (last[0] - first[0]) / 1000
    gap = sampled / (len(samples) - 1)
    to_start, to_end = (first[0] - bounds.start) / 1000, (bounds.end - last[0]) / 1000
    to_zero = math.inf
    if counter and change > 0 and first[1] >= 0:
        to_zero = sampled * (first[1] / change)
    to_start = _reach(min(to_start, to_zero), gap) if bounds.version2 else min(_reach(to_start, gap), to_zero)
    factor = (sampled + to_start + _reach(to_end, gap)) / sampled
    return change * (factor / bounds.seconds if per_second else factor)


def _reach(distance: float, gap: float) -> float:
    return distance if distance < gap * _CLOSE else gap / 2


def _rate(samples: Samples, bounds: Bounds) -> float | None:
    return extrapolated(samples, bounds, counter=True, per_second=True)


def _increase_over(samples: Samples, bounds: Bounds) -> float | None:
    return extrapolated(samples, bounds, counter=True, per_second=False)


def _delta(samples: Samples, bounds: Bounds) -> float | None:
    return extrapolated(samples, bounds, counter=False, per_second=False)


def _irate(samples: Samples, bounds: Bounds) -> float | None:
    if len(samples) < 2:
        return None
    (t0, before), (t1, after) = samples[-2:]
    return (after if after < before else after - before) / ((t1 - t0) / 1000)


def _idelta(samples: Samples, bounds: Bounds) -> float | None:
    return samples[-1][1] - samples[-2][1] if len(samples) > 1 else None


def _deriv(samples: Samples, bounds: Bounds) -> float | None:
    if len(samples) < 2:
        return None
    moments = [(t - samples[0][0]) / 1000 for t, _ in samples]
    centre_t, centre_v = mean(moments), mean([v for _, v in samples])
    spread = total((t - centre_t) ** 2 for t in moments)
    both = total((t - centre_t) * (v - centre_v) for t, (_, v) in zip(moments, samples, strict=True))
    return both / spread if spread else math.nan


def _changes(samples: Samples, bounds: Bounds) -> float | None:
    pairs = itertools.pairwise(samples)
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for (_, a), (_, b) in pairs))


def _resets(samples: Samples, bounds: Bounds) -> float | None:
    return float(sum(b < a for (_, a), (_, b) in itertools.pairwise(samples)))


def _of_values(function: Callable[[Sequence[float]], float]) -> RangeFunction:
    def apply(samples: Samples, bounds: Bounds) -> float | None:
        return function([value for _, value in samples])

    return apply


RANGE_FUNCTIONS: Mapping[str, RangeFunction] = {
    "rate": _rate,
    "increase": _increase_over,
    "delta": _delta,
    "irate": _irate,
    "idelta": _idelta,
    "deriv": _deriv,
    "changes": _changes,
    "resets": _resets,
    "avg_over_time": _of_values(mean),
    "sum_over_time": _of_values(total),
    "min_over_time": _of_values(smallest),
    "max_over_time": _of_values(largest),
    "count_over_time": _of_values(lambda values: float(len(values))),
    "last_over_time": _of_values(lambda values: values[-1]),
    "present_over_time": _of_values(lambda values: 1.0),
    "stdvar_over_time": _of_values(variance),
    "stddev_over_time": _of_values(lambda values: math.sqrt(variance(values))),
}

KEEPS_NAME = frozenset({"last_over_time"})
