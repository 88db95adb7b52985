"""Series in memory: labels, samples in time order, staleness. Times are milliseconds since the epoch."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Labels = tuple[tuple[str, str], ...]
"""A label set, sorted by name; the metric's name is ``__name__``. No empty values."""

NAME = "__name__"


def make_labels(pairs: Mapping[str, str]) -> Labels:
    """Return a label set in canonical form."""
    return tuple(sorted((name, value) for name, value in pairs.items() if value != ""))


class Matcher(Protocol):
    """Decides on one label of a series; a label that is absent has the value ""."""

    @property
    def name(self) -> str:
        """Return the label's name."""
        ...

    def matches(self, value: str) -> bool:
        """Tell whether the label's value is wanted."""
        ...


@dataclass(slots=True)
class Series:
    """Samples of one label set. A value of None is a staleness marker: the series ended there."""

    labels: Labels
    times: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)

    def window(self, after: int, until: int, *, closed: bool) -> list[tuple[int, float]]:
        """Return the samples in (after, until], or in [after, until] when ``closed``; no markers."""
        find = bisect.bisect_left if closed else bisect.bisect_right
        first, last = find(self.times, after), bisect.bisect_right(self.times, until)
        return [
            (t, v)
            for t, v in zip(self.times[first:last], self.values[first:last], strict=True)
            if v is not None
        ]

    def latest(self, after: int, until: int, *, closed: bool) -> tuple[int, float] | None:
        """Return the newest sample of the window, or None when there is none or the series ended."""
        index = bisect.bisect_right(self.times, until) - 1
        if index < 0:
            return None
        time, value = self.times[index], self.values[index]
        if time < after or (time == after and not closed) or value is None:
            return None
        return time, value


class Source(Protocol):
    """What an evaluation reads."""

    def select(self, matchers: Sequence[Matcher]) -> Sequence[Series]:
        """Return the series that all matchers want, ordered by labels."""
        ...


class SampleStore:
    """Series by label set, cut to ``retention_seconds``."""

    def __init__(self, *, retention_seconds: float = 3600.0) -> None:
        self._series: dict[Labels, Series] = {}
        self._retention = int(retention_seconds * 1000)

    @classmethod
    def of(cls, data: Mapping[Labels, Iterable[tuple[int, float | None]]]) -> SampleStore:
        """Return a store that holds the given samples and forgets nothing."""
        store = cls(retention_seconds=float(2**40))
        for labels, samples in data.items():
            for time, value in samples:
                store.append(labels, time, value)
        return store

    def append(self, labels: Labels, time: int, value: float | None) -> None:
        """Add a sample; one that is not newer than the last of its series is dropped."""
        series = self._series.setdefault(labels, Series(labels))
        if series.times and time <= series.times[-1]:
            return
        series.times.append(time)
        series.values.append(value)

    def end(self, labels: Labels, time: int) -> None:
        """Mark a series as ended, unless it has ended already."""
        series = self._series.get(labels)
        if series is not None and series.values and series.values[-1] is not None:
            self.append(labels, time, None)

    def trim(self, now: int) -> None:
        """Drop samples older than the retention, and series without any left."""
        oldest = now - self._retention
        for labels, series in list(self._series.items()):
            first = bisect.bisect_left(series.times, oldest)
            del series.times[:first], series.values[:first]
            if not series.times:
                del self._series[labels]

    def select(self, matchers: Sequence[Matcher]) -> Sequence[Series]:
        """Return the series that all matchers want, ordered by labels."""
        found = [series for labels, series in self._series.items() if _wanted(dict(labels), matchers)]
        return sorted(found, key=lambda series: series.labels)

    def __len__(self) -> int:
        return len(self._series)


def _wanted(labels: Mapping[str, str], matchers: Sequence[Matcher]) -> bool:
    return all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers)
