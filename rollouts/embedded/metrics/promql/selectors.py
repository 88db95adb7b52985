"""Instant and range selectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import promql_parser as ast

from rollouts.embedded.metrics.promql.context import Context
from rollouts.embedded.metrics.promql.errors import Unsupported
from rollouts.embedded.metrics.promql.ranges import Bounds
from rollouts.embedded.metrics.promql.vectors import Element, RangeVector
from rollouts.embedded.metrics.samples import NAME, Labels, Series, make_labels


@dataclass(frozen=True, slots=True)
class _LabelMatcher:
    name: str
    value: str
    negated: bool
    pattern: re.Pattern[str] | None

    def matches(self, value: str) -> bool:
        hit = bool(self.pattern.fullmatch(value)) if self.pattern else value == self.value
        return hit != self.negated


def _matchers(selector: Any) -> list[_LabelMatcher]:
    if selector.matchers.or_matchers:
        raise Unsupported(f"'or' between label matchers is not supported here: {selector.prettify()}")
    found = [_LabelMatcher(NAME, selector.name, False, None)] if selector.name else []
    return found + [_matcher(m) for m in selector.matchers.matchers]


def _matcher(raw: Any) -> _LabelMatcher:
    pattern = None
    if raw.op in (ast.MatchOp.Re, ast.MatchOp.NotRe):
        try:
            pattern = re.compile(raw.value, re.DOTALL)
        except re.error as error:
            raise Unsupported(f"regular expression {raw.value!r} of label {raw.name}: {error}") from error
    negated = raw.op in (ast.MatchOp.NotEqual, ast.MatchOp.NotRe)
    return _LabelMatcher(raw.name, raw.value, negated, pattern)


def _milliseconds(duration: timedelta | None) -> int:
    return round(duration.total_seconds() * 1000) if duration else 0


def _moment(selector: Any, context: Context) -> int:
    at = context.at
    if selector.at is not None:
        match selector.at.type:
            case ast.AtModifierType.Start:
                at = context.start
            case ast.AtModifierType.End:
                at = context.end
            case _:
                at = round(selector.at.at.timestamp() * 1000)
    return at - _milliseconds(selector.offset)


def _select(selector: Any, context: Context) -> Sequence[Series]:
    return context.source.select(_matchers(selector))


def instant(selector: Any, context: Context) -> list[Element]:
    """Return the newest sample of each selected series within the look-back."""
    moment = _moment(selector, context)
    result: list[Element] = []
    for series in _select(selector, context):
        sample = series.latest(moment - context.options.lookback, moment, closed=context.closed)
        if sample is not None:
            result.append(Element(series.labels, sample[1], sample[0]))
    return result


def ranges(selector: Any, context: Context) -> tuple[list[RangeVector], Bounds]:
    """Return the samples of each selected series in the range, and the range."""
    if isinstance(selector, ast.ParenExpr):
        return ranges(selector.expr, context)
    if not isinstance(selector, ast.MatrixSelector):
        raise Unsupported(f"subqueries are not supported here: {selector.prettify()}")
    inner = selector.vector_selector
    end = _moment(inner, context)
    bounds = Bounds(end - _milliseconds(selector.range), end, version2=context.closed)
    found = (
        RangeVector(series.labels, series.window(bounds.start, bounds.end, closed=context.closed))
        for series in _select(inner, context)
    )
    return [vector for vector in found if vector.samples], bounds


def fixed_labels(argument: Any) -> Labels:
    """Return the labels that equality matchers fix; a label that is matched twice is left out."""
    selector = getattr(argument, "vector_selector", argument)
    if not isinstance(selector, ast.VectorSelector):
        return ()
    raw = selector.matchers.matchers
    fixed = {m.name: m.value for m in raw if m.op == ast.MatchOp.Equal and m.name != NAME}
    twice = {m.name for m in raw if sum(other.name == m.name for other in raw) > 1}
    return make_labels({name: value for name, value in fixed.items() if name not in twice})
