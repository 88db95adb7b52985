"""Instant vectors at boundaries, read from a range query whose step is the tick."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.counts.errors import CountsError, TooManySeries
from analysis.counts.native import NativeHistogram, common_edges, read_native

EDGE_LABEL = "le"
WHOLE = "+Inf"
LabelSet = tuple[tuple[str, str], ...]
"""Sorted label pairs: a series' identity."""
Vector = Mapping[LabelSet, float]
"""Counters at one moment."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Counters at each boundary (Unix seconds, ascending). ``native``: they were native histograms."""

    boundaries: tuple[float, ...]
    vectors: tuple[Vector, ...]
    native: bool = False

    def at(self, boundary: float) -> Vector:
        """Return the counters at a boundary. Raises KeyError for a moment that was not asked for."""
        try:
            return self.vectors[self.boundaries.index(boundary)]
        except ValueError:
            raise KeyError(boundary) from None


def boundaries(start: float, end: float, tick: float) -> tuple[float, ...]:
    """Return start, start + tick, … up to end."""
    return tuple(start + i * tick for i in range(int((end - start) / tick + 1e-6) + 1))


class MatrixReader:
    """Reads ``data.result`` of a range query in portions, so that a long one need not be read at once.

    Native histograms become cumulative counts at ``edges``, as if they were classic buckets.
    """

    def __init__(self, asked: Sequence[float], edges: Sequence[float] = ()) -> None:
        self._asked = tuple(asked)
        self._edges = tuple(edges)
        self._index = {round(moment, 3): i for i, moment in enumerate(asked)}
        self._vectors: list[dict[LabelSet, float]] = [{} for _ in asked]
        self._histograms: list[tuple[LabelSet, int, NativeHistogram]] = []

    def add(self, portion: Iterable[Any]) -> None:
        """Take some series. Raises CountsError.

        A value that is not a number (NaN, infinite, negative) is left out, as if it were not there.
        """
        for series in portion:
            if isinstance(series, Mapping) and "histograms" in series:
                self._add_histograms(series)
                continue
            labels, points = _series(series)
            for moment, value in points:
                position = self._index.get(round(moment, 3))
                if position is not None and math.isfinite(value) and value >= 0:
                    self._vectors[position][labels] = value

    def _add_histograms(self, series: Mapping[str, Any]) -> None:
        if not self._edges:
            raise CountsError(
                "the query gives native histograms where counters are wanted; take histogram_count() of it,"
                " or judge it as latency.buckets"
            )
        labels = _labels(series)
        try:
            points = [(float(moment), sample) for moment, sample in series["histograms"]]
        except (TypeError, ValueError):
            raise CountsError("the backend's result holds a series that cannot be read") from None
        for moment, sample in points:
            position = self._index.get(round(moment, 3))
            if position is not None:
                self._histograms.append((labels, position, read_native(sample)))

    def vectors(self) -> Vectors:
        """Return what was read."""
        bounds = common_edges((histogram for _, _, histogram in self._histograms), self._edges)
        for labels, position, histogram in self._histograms:
            vector = self._vectors[position]
            for edge, bound in bounds.items():
                vector[_with_edge(labels, repr(edge))] = histogram.at(bound)
            vector[_with_edge(labels, WHOLE)] = histogram.count
        return Vectors(self._asked, tuple(self._vectors), bool(self._histograms))


def _with_edge(labels: LabelSet, edge: str) -> LabelSet:
    return tuple(sorted((*labels, (EDGE_LABEL, edge))))


def checked_matrix(result: Any, cap: int) -> list[Any]:
    """Return the series of an answer, still to be read. Raises CountsError when there are too many."""
    if not isinstance(result, list):
        raise CountsError("the backend's result is not a list of series")
    if len(result) > cap:
        raise TooManySeries(
            f"the query gives {len(result)} series, more than {cap}: use {{{{selector}}}} in it, or aggregate"
            " with sum by (pod, …)"
        )
    return result


def read_matrix(result: Any, asked: Sequence[float], cap: int) -> Vectors:
    """Read a whole answer at once. Raises CountsError."""
    reader = MatrixReader(asked)
    reader.add(checked_matrix(result, cap))
    return reader.vectors()


def _series(series: Any) -> tuple[LabelSet, Iterable[tuple[float, float]]]:
    labels = _labels(series)
    try:
        return labels, [(float(moment), float(value)) for moment, value in series["values"]]
    except (KeyError, TypeError, ValueError):
        raise CountsError("the backend's result holds a series that cannot be read") from None


def _labels(series: Any) -> LabelSet:
    try:
        return tuple(sorted((str(k), str(v)) for k, v in series["metric"].items()))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CountsError("the backend's result holds a series that cannot be read") from None


def fingerprint(vectors: Iterable[Vector]) -> str:
    """Return a digest of counters at one moment: equal when read again, unless the backend's mind changed."""
    digest = hashlib.sha256()
    for vector in vectors:
        for labels, value in sorted(vector.items()):
            digest.update(repr((labels, value)).encode())
        digest.update(b"|")
    return digest.hexdigest()[:16]
