"""From increments of counters to bad events and requests per pod: errors, or slower than each edge."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from analysis.counts.arms import Pod, without
from analysis.counts.differences import Increments
from analysis.counts.errors import CountsError
from analysis.counts.vectors import EDGE_LABEL, LabelSet, Vector


@dataclass(frozen=True, slots=True)
class PodCounts:
    """Requests of a pod in an interval, and its bad events, one number for each question (or edge)."""

    requests: float
    bad: tuple[float, ...]


Counts = Mapping[Pod, PodCounts]


def from_labels(total: Increments, is_bad: Callable[[LabelSet], bool]) -> dict[Pod, PodCounts]:
    """Return counts where bad events are those series of the total whose labels say so."""
    return {
        pod: PodCounts(math.fsum(series.values()), (math.fsum(v for k, v in series.items() if is_bad(k)),))
        for pod, series in total.items()
    }


def from_two(total: Increments, bad: Increments) -> dict[Pod, PodCounts]:
    """Return counts of two queries. A request is counted no later than its failure: requests >= bad."""
    counts = {}
    for pod in {*total, *bad}:
        requests, wrong = (math.fsum(side.get(pod, {}).values()) for side in (total, bad))
        counts[pod] = PodCounts(max(requests, wrong), (wrong,))
    return counts


def edges_of(labels: Mapping[LabelSet, float] | list[LabelSet]) -> tuple[float, ...]:
    """Return the finite edges of classic histogram buckets, ascending; "1" and "1.0" are one edge."""
    found = {edge for series in labels if math.isfinite(edge := _edge(series))}
    return tuple(sorted(found))


def filled_shares(vectors: Iterable[Vector]) -> dict[float, tuple[float, float]]:
    """Return for each finite edge (counts at or below it, all counts), added up over moments and pods."""
    below: dict[float, float] = {}
    for vector in vectors:
        for labels, value in vector.items():
            edge = _edge(labels)
            below[edge] = below.get(edge, 0.0) + value
    whole = below.pop(math.inf, 0.0)
    return {edge: (value, whole) for edge, value in below.items()}


def from_buckets(buckets: Increments, edges: tuple[float, ...]) -> dict[Pod, PodCounts]:
    """Return requests and how many were slower than each edge.

    Buckets are cumulative, so slower than an edge is the +Inf bucket less the edge's. A histogram without one
    of the edges counts with its next finer edge below, which can only call more requests slow.
    """
    return {pod: _slower(series, edges) for pod, series in buckets.items()}


def _slower(series: Mapping[LabelSet, float], edges: tuple[float, ...]) -> PodCounts:
    histograms: dict[LabelSet, dict[float, float]] = {}
    for labels, value in series.items():
        histograms.setdefault(without(labels, (EDGE_LABEL,)), {})[_edge(labels)] = value
    requests, slow = 0.0, [0.0] * len(edges)
    for buckets in histograms.values():
        # A bucket that was born late can make the whole smaller than a part for one interval.
        whole = max(buckets.values())
        requests += whole
        for i, edge in enumerate(edges):
            below = max((e for e in buckets if e <= edge), default=None)
            slow[i] += max(0.0, whole - (buckets[below] if below is not None else 0.0))
    return PodCounts(requests, tuple(slow))


def _edge(labels: LabelSet) -> float:
    text = dict(labels).get(EDGE_LABEL, "")
    try:
        return float(text)
    except ValueError:
        raise CountsError(
            f"a series has no bucket edge (label le is {text!r}): the query must give classic _bucket series,"
            " or a native histogram"
        ) from None
