"""From an indicator to PromQL: bad events, all events and the share of bad ones over any range."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from analysis.slo.model import Indicator, LatencyIndicator, RatioIndicator
from analysis.slo.queries import QueryTemplate, ranged, read_query, read_selector
from analysis.spec.duration import parse_duration
from analysis.spec.errors import SpecError


@dataclass(frozen=True, slots=True)
class Measured:
    """The queries of an indicator. ``total`` and ``bad`` are None when only the ratio is known.

    ``good`` is set instead of ``bad`` where good events are counted; ``fraction`` is the upper bound, in
    seconds, of a native histogram's good part, and ``total`` then gives histograms.
    """

    total: QueryTemplate | None = None
    bad: QueryTemplate | None = None
    good: QueryTemplate | None = None
    ratio: QueryTemplate | None = None
    fraction: str = ""

    @property
    def counts(self) -> bool:
        """Tell whether events are counted, and not just a ratio."""
        return self.total is not None

    @property
    def splittable(self) -> bool:
        """Tell whether every query can be asked for one version alone."""
        return all(query.splittable for query in (self.total, self.bad, self.good, self.ratio) if query)

    def total_rate(self, window: str, matcher: str = "") -> str:
        """Return PromQL of all events, per second or per window as the query was written; "" when unknown."""
        if self.total is None:
            return ""
        total = self.total.fill(window, matcher)
        return f"histogram_count({total})" if self.fraction else total

    def bad_rate(self, window: str, matcher: str = "") -> str:
        """Return PromQL of bad events; 0 where there are events and no bad one. "" when unknown."""
        if self.total is None:
            return ""
        total = self.total_rate(window, matcher)
        if self.bad is not None:
            return f"({self.bad.fill(window, matcher)}) or 0 * ({total})"
        if self.good is not None:
            return f"({total}) - (({self.good.fill(window, matcher)}) or 0 * ({total}))"
        return f"({total}) * (1 - {self._within(window, matcher)})"

    def error_ratio(self, window: str, matcher: str = "") -> str:
        """Return PromQL of the share of bad events; nothing (not 0, not NaN) where there are no events."""
        if self.ratio is not None:
            return self.ratio.fill(window, matcher)
        total = self.total_rate(window, matcher)
        if self.fraction:
            return f"(1 - {self._within(window, matcher)}) and (({total}) > 0)"
        if self.bad is not None:
            return f"(({self.bad.fill(window, matcher)}) or 0 * ({total})) / (({total}) > 0)"
        good = self.good.fill(window, matcher) if self.good is not None else ""
        return f"1 - (({good}) or 0 * ({total})) / (({total}) > 0)"

    def counted(self, window: str, matcher: str) -> tuple[str, str] | None:
        """Return PromQL of all and of bad events of a young version, exact about births; None when it cannot.

        It can where bare counters (or a classic histogram) were given, and not whole queries.
        """
        part = self.bad or self.good
        if self.total is None or part is None or self.fraction:
            return None
        total, counted = self.total.count(window, matcher), part.count(window, matcher)
        if not total or not counted:
            return None
        known = f"({counted}) or 0 * ({total})"
        return total, known if self.bad is not None else f"({total}) - ({known})"

    def gives_counts(self) -> bool | None:
        """Tell whether ``total_rate`` is per window; None when that cannot be told from the query."""
        gives_rate = self.total.gives_rate if self.total is not None else None
        return None if gives_rate is None else not gives_rate

    def _within(self, window: str, matcher: str) -> str:
        assert self.total is not None  # noqa: S101 - a native histogram has it
        return f"histogram_fraction(0, {self.fraction}, {self.total.fill(window, matcher)})"


def read_indicator(indicator: Indicator, path: str = "spec.indicator") -> Measured:
    """Return the queries of an indicator. Raises SpecError with the field's path."""
    chosen = [
        name
        for name, value in (
            ("ratio", indicator.ratio),
            ("latency", indicator.latency),
            ("errorRatio", indicator.error_ratio),
        )
        if value
    ]
    if len(chosen) != 1:
        seen = " and ".join(chosen) or "none"
        raise SpecError(path, f"needs exactly one of ratio, latency and errorRatio; it has {seen}")
    if indicator.ratio is not None:
        return _ratio(indicator.ratio, f"{path}.ratio")
    if indicator.latency is not None:
        return _latency(indicator.latency, f"{path}.latency")
    return Measured(ratio=read_query(indicator.error_ratio, f"{path}.errorRatio"))


def threshold_of(latency: LatencyIndicator, path: str = "spec.indicator.latency") -> timedelta:
    """Return the threshold. Raises SpecError."""
    try:
        threshold = parse_duration(latency.threshold)
    except ValueError as error:
        raise SpecError(f"{path}.threshold", str(error)) from None
    if threshold <= timedelta():
        raise SpecError(f"{path}.threshold", "must be longer than zero")
    return threshold


def le_matcher(seconds: str) -> str:
    """Return the matcher of a bucket edge: whole seconds are ``1`` in some stores and ``1.0`` in others."""
    if "." in seconds:
        return f'le="{seconds}"'
    return f'le=~"{seconds}([.]0)?"'


def _ratio(ratio: RatioIndicator, path: str) -> Measured:
    if bool(ratio.good) == bool(ratio.bad):
        both = "both" if ratio.good else "neither"
        raise SpecError(path, f"needs either good or bad; it has {both}")
    total = read_query(ratio.total, f"{path}.total")
    if ratio.bad:
        return Measured(total=total, bad=_like(total, read_query(ratio.bad, f"{path}.bad"), f"{path}.bad"))
    return Measured(total=total, good=_like(total, read_query(ratio.good, f"{path}.good"), f"{path}.good"))


def _like(total: QueryTemplate, part: QueryTemplate, path: str) -> QueryTemplate:
    if None not in (total.gives_rate, part.gives_rate) and total.gives_rate != part.gives_rate:
        raise SpecError(path, "one of this query and total takes rate(), the other increase(); take the same")
    return part


def _latency(latency: LatencyIndicator, path: str) -> Measured:
    if bool(latency.buckets) == bool(latency.native):
        raise SpecError(path, "needs either buckets (classic histogram) or native (native histogram)")
    seconds = _in_seconds(threshold_of(latency, path))
    if latency.native:
        selector = read_selector(latency.native, f"{path}.native")
        return Measured(total=ranged(selector), fraction=seconds)
    where = f"{path}.buckets"
    selector = read_selector(latency.buckets, where)
    if re.match(r"\s*[a-zA-Z_:]", latency.buckets) and not re.match(r"\s*[\w:]+_bucket\b", latency.buckets):
        raise SpecError(where, "names no …_bucket series; for a native histogram use native")
    return Measured(total=ranged(selector, 'le="+Inf"'), good=ranged(selector, le_matcher(seconds)))


def _in_seconds(duration: timedelta) -> str:
    microseconds = duration // timedelta(microseconds=1)
    text = format(Decimal(microseconds) / 1_000_000, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
