"""Instant vectors at boundaries, read from a range query whose step is the tick."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.counts.errors import CountsError, TooManySeries

LabelSet = tuple[tuple[str, str], ...]
"""Sorted label pairs: a series' identity."""
Vector = Mapping[LabelSet, float]
"""Counters at one moment."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Counters at each boundary (Unix seconds, ascending)."""

    boundaries: tuple[float, ...]
    vectors: tuple[Vector, ...]

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
    """Reads ``data.result`` of a range query in portions, so that a long one need not be read at once."""

    def __init__(self, asked: Sequence[float]) -> None:
        self._asked = tuple(asked)
        self._index = {round(moment, 3): i for i, moment in enumerate(asked)}
        self._vectors: list[dict[LabelSet, float]] = [{} for _ in asked]

    def add(self, portion: Iterable[Any]) -> None:
        """Take some series. Raises CountsError.

        A value that is not a number (NaN, infinite, negative) is left out, as if it were not there.
        """
        for series in portion:
            labels, points = _series(series)
            for moment, value in points:
                position = self._index.get(round(moment, 3))
                if position is not None and math.isfinite(value) and value >= 0:
                    self._vectors[position][labels] = value

    def vectors(self) -> Vectors:
        """Return what was read."""
        return Vectors(self._asked, tuple(self._vectors))


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
    if isinstance(series, Mapping) and "histograms" in series:
        raise CountsError(
            "the query gives native histograms, which are not counted yet; ask for the classic _bucket series"
        )
    try:
        labels = tuple(sorted((str(k), str(v)) for k, v in series["metric"].items()))
        return labels, [(float(moment), float(value)) for moment, value in series["values"]]
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
