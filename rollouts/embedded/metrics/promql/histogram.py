"""``histogram_quantile`` over classic buckets.

Rule: https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rollouts.embedded.metrics.promql.vectors import Element, drop
from rollouts.embedded.metrics.samples import NAME, Labels


def histogram_quantile(q: float, vector: Sequence[Element]) -> list[Element]:
    """Return one element per histogram; elements without a numeric ``le`` are ignored."""
    histograms: dict[Labels, dict[float, float]] = {}
    for element in vector:
        bound = _bound(element.labels)
        if bound is not None:
            buckets = histograms.setdefault(drop(element.labels, (NAME, "le")), {})
            buckets[bound] = buckets.get(bound, 0.0) + element.value
    return [Element(labels, bucket_quantile(q, buckets)) for labels, buckets in sorted(histograms.items())]


def _bound(labels: Labels) -> float | None:
    try:
        return float(dict(labels)["le"])
    except (KeyError, ValueError):
        return None


def bucket_quantile(q: float, buckets: dict[float, float]) -> float:
    """Return the φ-quantile from cumulative counts by upper bound, interpolated within the bucket.

    NaN without a +Inf bucket, without a second bucket or without observations. In the +Inf bucket it is the
    highest finite bound; the lowest bucket starts at 0 unless its bound is not positive.
    """
    if math.isnan(q):
        return math.nan
    if q < 0 or q > 1:
        return math.copysign(math.inf, q - 0.5)
    bounds = sorted(buckets)
    counts = _monotonic([buckets[bound] for bound in bounds])
    if len(bounds) < 2 or bounds[-1] != math.inf or counts[-1] == 0 or math.isnan(counts[-1]):
        return math.nan
    rank = q * counts[-1]
    index = next((i for i, count in enumerate(counts[:-1]) if count >= rank), len(bounds) - 1)
    if index == len(bounds) - 1:
        return bounds[-2]
    if index == 0 and bounds[0] <= 0:
        return bounds[0]
    low = bounds[index - 1] if index else 0.0
    below = counts[index - 1] if index else 0.0
    inside = counts[index] - below
    return low + (bounds[index] - low) * ((rank - below) / inside) if inside else math.nan


def _monotonic(counts: Sequence[float]) -> list[float]:
    """Lift counts that fall below a smaller bucket's, as scrapes of a changing histogram can give."""
    lifted: list[float] = []
    for count in counts:
        lifted.append(max(count, lifted[-1]) if lifted else count)
    return lifted
