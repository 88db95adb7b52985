"""From a parsed query and samples to a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import promql_parser as ast

from rollouts.embedded.metrics.promql import aggregations, binary
from rollouts.embedded.metrics.promql.calls import call
from rollouts.embedded.metrics.promql.context import Context, Options, Value, number_of, vector_of
from rollouts.embedded.metrics.promql.errors import QuerySyntaxError, Unsupported
from rollouts.embedded.metrics.promql.selectors import instant, ranges
from rollouts.embedded.metrics.promql.vectors import Element, RangeVector, distinct, without_name
from rollouts.embedded.metrics.samples import Labels, Source


@dataclass(frozen=True, slots=True)
class RangeResult:
    """The points of one series of a range query, as (milliseconds, value)."""

    labels: Labels
    points: Sequence[tuple[int, float]]


def parse(query: str) -> Any:
    """Return the parsed query. Raises QuerySyntaxError with the parser's message."""
    try:
        return ast.parse(query)
    except ValueError as error:
        raise QuerySyntaxError(str(error)) from error


def is_range_vector(parsed: Any) -> bool:
    """Tell whether a parsed query is a bare range selector, which only an instant query may answer."""
    inner = parsed.expr if isinstance(parsed, ast.ParenExpr) else parsed
    return is_range_vector(inner) if inner is not parsed else isinstance(parsed, ast.MatrixSelector)


def evaluate(query: Any, source: Source, at: int, options: Options | None = None) -> Value:
    """Answer an instant query at ``at`` milliseconds; ``query`` is text or what ``parse`` returned."""
    parsed = parse(query) if isinstance(query, str) else query
    return _evaluate(parsed, Context(source, at, at, at, options or Options()))


def evaluate_range(
    query: Any, source: Source, start: int, end: int, step: int, options: Options | None = None
) -> list[RangeResult]:
    """Answer a range query at start, start+step, … up to ``end`` (milliseconds), ordered by labels."""
    parsed = parse(query) if isinstance(query, str) else query
    context = Context(source, start, start, end, options or Options())
    points: dict[Labels, list[tuple[int, float]]] = {}
    for at in range(start, end + 1, step):
        value = _evaluate(parsed, replace(context, at=at))
        for labels, number in _points(value):
            points.setdefault(labels, []).append((at, number))
    return [RangeResult(labels, found) for labels, found in sorted(points.items())]


def _points(value: Value) -> list[tuple[Labels, float]]:
    if isinstance(value, float):
        return [((), value)]
    if isinstance(value, str) or any(isinstance(item, RangeVector) for item in value):
        raise QuerySyntaxError(
            "invalid expression type for range query, must be Scalar or instant Vector; "
            "wrap a range selector in a function such as rate()"
        )
    return [(item.labels, item.value) for item in value if isinstance(item, Element)]


def _evaluate(expr: Any, context: Context) -> Value:
    handler = _HANDLERS.get(type(expr))
    if handler is None:
        kind = "a subquery" if isinstance(expr, ast.SubqueryExpr) else type(expr).__name__
        raise Unsupported(f"{kind} is not supported here: {expr.prettify()}")
    return handler(expr, context)


def _negate(value: Value) -> Value:
    if isinstance(value, float):
        return -value
    return [Element(without_name(e.labels), -e.value) for e in value if isinstance(e, Element)]


def _aggregate(expr: Any, context: Context) -> list[Element]:
    name = str(expr.op)
    if name not in aggregations.SIMPLE and name not in aggregations.WITH_NUMBER:
        raise Unsupported(f"aggregation {name} is not supported here")
    parameter = number_of(_evaluate(expr.param, context), name) if name in aggregations.WITH_NUMBER else 0.0
    names: Sequence[str] = expr.modifier.labels if expr.modifier else ()
    without = expr.modifier is not None and expr.modifier.type == ast.AggModifierType.Without
    vector = vector_of(_evaluate(expr.expr, context), name)
    return aggregations.aggregate(name, parameter, vector, names, without=without)


def _matching(modifier: Any) -> binary.Matching:
    if modifier is None:
        return binary.Matching()
    if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
        raise Unsupported("fill modifiers are not supported here")
    cardinality = modifier.card
    matching = modifier.matching
    return binary.Matching(
        cardinality="many-to-one"
        if cardinality == ast.VectorMatchCardinality.ManyToOne
        else "one-to-many"
        if cardinality == ast.VectorMatchCardinality.OneToMany
        else "one-to-one",
        on=matching is not None and matching.type == ast.LabelModifierType.Include,
        names=tuple(matching.labels) if matching is not None else (),
        include=tuple(modifier.group_labels or ()),
        returns_bool=bool(modifier.return_bool),
    )


def _binary(expr: Any, context: Context) -> Value:
    symbol, how = str(expr.op), _matching(expr.modifier)
    if symbol not in binary.SET_OPERATORS | binary.ARITHMETIC.keys() | binary.COMPARISON.keys():
        raise Unsupported(f"operator {symbol} is not supported here")
    left, right = _evaluate(expr.lhs, context), _evaluate(expr.rhs, context)
    if isinstance(left, float) and isinstance(right, float):
        return binary.scalars(symbol, left, right)
    if isinstance(right, float):
        return distinct(
            binary.with_scalar(
                symbol, vector_of(left, symbol), right, scalar_left=False, returns_bool=how.returns_bool
            )
        )
    if isinstance(left, float):
        return distinct(
            binary.with_scalar(
                symbol, vector_of(right, symbol), left, scalar_left=True, returns_bool=how.returns_bool
            )
        )
    operate = binary.set_operation if symbol in binary.SET_OPERATORS else binary.vectors
    return distinct(operate(symbol, vector_of(left, symbol), vector_of(right, symbol), how))


_HANDLERS: Mapping[type, Callable[[Any, Context], Value]] = {
    ast.NumberLiteral: lambda expr, context: float(expr.val),
    ast.StringLiteral: lambda expr, context: str(expr.val),
    ast.ParenExpr: lambda expr, context: _evaluate(expr.expr, context),
    ast.UnaryExpr: lambda expr, context: _negate(_evaluate(expr.expr, context)),
    ast.VectorSelector: instant,
    ast.MatrixSelector: lambda expr, context: ranges(expr, context)[0],
    ast.AggregateExpr: _aggregate,
    ast.BinaryExpr: _binary,
    ast.Call: lambda expr, context: call(expr, context, _evaluate),
}
