"""Values of an evaluation, and small operations on label sets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rollouts.embedded.metrics.promql.errors import EvaluationFailed
from rollouts.embedded.metrics.samples import NAME, Labels


@dataclass(frozen=True, slots=True)
class Element:
    """One element of an instant vector. ``time`` is when the sample was taken, in milliseconds."""

    labels: Labels
    value: float
    time: int = 0


@dataclass(frozen=True, slots=True)
class RangeVector:
    """The samples of one series in a range, as (milliseconds, value), oldest first."""

    labels: Labels
    samples: Sequence[tuple[int, float]]


def without_name(labels: Labels) -> Labels:
    """Return the labels without the metric's name."""
    return tuple(pair for pair in labels if pair[0] != NAME)


def keep(labels: Labels, names: Iterable[str]) -> Labels:
    """Return only the named labels."""
    wanted = frozenset(names)
    return tuple(pair for pair in labels if pair[0] in wanted)


def drop(labels: Labels, names: Iterable[str]) -> Labels:
    """Return all but the named labels."""
    unwanted = frozenset(names)
    return tuple(pair for pair in labels if pair[0] not in unwanted)


def show(labels: Labels) -> str:
    """Write a label set as PromQL does."""
    name = dict(labels).get(NAME, "")
    inner = ", ".join(f'{key}="{value}"' for key, value in labels if key != NAME)
    return f"{name}{{{inner}}}"


def distinct(vector: Sequence[Element]) -> list[Element]:
    """Return the vector, or raise EvaluationFailed when two elements carry the same labels."""
    seen: set[Labels] = set()
    for element in vector:
        if element.labels in seen:
            raise EvaluationFailed("vector cannot contain metrics with the same labelset")
        seen.add(element.labels)
    return list(vector)


def total(values: Iterable[float]) -> float:
    """Return the sum with Neumaier's compensation, which Prometheus uses; infinities pass through."""
    result, correction = 0.0, 0.0
    for value in values:
        after = result + value
        if math.isinf(after):
            correction = 0.0
        elif abs(result) >= abs(value):
            correction += (result - after) + value
        else:
            correction += (value - after) + result
        result = after
    return result if math.isinf(result) else result + correction


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean."""
    return total(values) / len(values)


def variance(values: Sequence[float]) -> float:
    """Return the population variance."""
    centre = mean(values)
    return total((value - centre) ** 2 for value in values) / len(values)


def smallest(values: Iterable[float]) -> float:
    """Return the minimum; NaN only when all are NaN."""
    return min((v for v in values if not math.isnan(v)), default=math.nan)


def largest(values: Iterable[float]) -> float:
    """Return the maximum; NaN only when all are NaN."""
    return max((v for v in values if not math.isnan(v)), default=math.nan)


def quantile(q: float, values: Sequence[float]) -> float:
    """Return the φ-quantile by linear interpolation between ranks, as ``quantile`` does."""
    if not values or math.isnan(q):
        return math.nan
    if q < 0 or q > 1:
        return math.copysign(math.inf, q - 0.5)
    ordered = sorted(values, key=lambda v: (not math.isnan(v), v))
    rank = q * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(len(ordered) - 1, low + 1)
    weight = rank - low
    return ordered[low] * (1 - weight) + ordered[high] * weight
