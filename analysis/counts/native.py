"""Native histograms as cumulative counts at fixed edges, so that they are counted like classic buckets. Pure.

An answer shows the buckets that hold anything, each with its bounds. A pod can make its buckets coarser at
any time; therefore all histograms of one answer are read at bounds that the coarsest of them has too.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.counts.errors import CountsError

EDGES = tuple(2.0**power for power in range(-10, 7))
"""Edges in seconds when none are named, 1 ms to 64 s: every exponential histogram has these bounds."""
FINEST = 8
"""The largest schema: 2^8 buckets between two powers of two."""
_NEARLY = 1e-9


@dataclass(frozen=True, slots=True)
class NativeHistogram:
    """Upper bounds of the filled buckets, ascending, and how many observations are at or below each.

    ``schema`` says how fine the buckets are (2^schema between two powers of two); None where their bounds
    follow no rule, or nothing shows one.
    """

    bounds: tuple[float, ...]
    below: tuple[float, ...]
    count: float
    schema: int | None
    custom: bool = False

    def at(self, edge: float) -> float:
        """Return how many observations are surely at or below an edge."""
        position = bisect_right(self.bounds, edge * (1.0 + _NEARLY))
        return self.below[position - 1] if position else 0.0


def read_native(sample: Any) -> NativeHistogram:
    """Read one histogram of an answer. Raises CountsError."""
    try:
        count = float(sample["count"])
        buckets = sorted(
            (float(right), float(left), float(filled)) for _, left, right, filled in sample.get("buckets", ())
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CountsError("the backend's result holds a histogram that cannot be read") from None
    if not math.isfinite(count) or count < 0 or any(not filled >= 0 for _, _, filled in buckets):
        raise CountsError(
            "the backend's result holds a histogram with counts that are none; do not use rate()"
        )
    below, total = [], 0.0
    for _, _, filled in buckets:
        total += filled
        below.append(total)
    schemas = [_schema(left, right) for right, left, _ in buckets if left > 0]
    custom = any(schema is None for schema in schemas)
    known = [schema for schema in schemas if schema is not None]
    return NativeHistogram(
        tuple(right for right, _, _ in buckets),
        tuple(below),
        count,
        min(known) if known and not custom else None,
        custom,
    )


def _schema(left: float, right: float) -> int | None:
    if not math.isfinite(right) or right <= left:
        return None
    schema = -math.log2(math.log2(right / left))
    return round(schema) if abs(schema - round(schema)) < 1e-6 and round(schema) <= FINEST else None


def common_edges(histograms: Iterable[NativeHistogram], edges: Sequence[float]) -> Mapping[float, float]:
    """Return for each edge the bound at or below it that all these histograms have.

    What lies between both counts as slower, on both sides alike. Custom bounds are taken as they are.
    """
    schemas, custom = set[int](), False
    for histogram in histograms:
        custom = custom or histogram.custom
        if histogram.schema is not None:
            schemas.add(histogram.schema)
    if custom or not schemas:
        return {edge: edge for edge in edges}
    return {edge: _bound(edge, min(schemas)) for edge in edges}


def _bound(edge: float, schema: int) -> float:
    return float(2.0 ** (math.floor(math.log2(edge) * 2.0**schema + _NEARLY) / 2.0**schema))


def informative(shares: Mapping[float, tuple[float, float]], most: int) -> tuple[float, ...]:
    """Return the edges worth judging at: where requests lie on both sides, and the two above those.

    ``shares`` holds for each edge (observations at or below, all of them).
    """
    edges = sorted(shares)
    split = [i for i, edge in enumerate(edges) if 0.0 < shares[edge][0] < shares[edge][1]]
    if not split:
        return tuple(edges[-most:])
    return tuple(edges[split[0] : split[-1] + 3][-most:])
