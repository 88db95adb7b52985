"""Function calls: which arguments a function wants, and who computes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import promql_parser as ast

from rollouts.embedded.metrics.promql import functions
from rollouts.embedded.metrics.promql.context import Context, Value, number_of, vector_of
from rollouts.embedded.metrics.promql.errors import Unsupported
from rollouts.embedded.metrics.promql.histogram import histogram_quantile
from rollouts.embedded.metrics.promql.ranges import KEEPS_NAME, RANGE_FUNCTIONS
from rollouts.embedded.metrics.promql.selectors import fixed_labels, ranges
from rollouts.embedded.metrics.promql.vectors import Element, distinct, quantile, without_name

Evaluate = Callable[[Any, Context], Value]


def call(expr: Any, context: Context, evaluate: Evaluate) -> Value:
    """Evaluate a function call. Raises Unsupported with the function's name."""
    name: str = expr.func.name
    if name in RANGE_FUNCTIONS or name in ("quantile_over_time", "absent_over_time"):
        return _call_range(name, expr, context, evaluate)
    if name in ("absent", "timestamp"):
        return _call_on_selector(name, expr.args[0], context, evaluate)
    arguments = [evaluate(argument, context) for argument in expr.args]
    if name in ("time", "pi"):
        return context.at / 1000 if name == "time" else math.pi
    return _call_instant(name, arguments)


def _call_range(name: str, expr: Any, context: Context, evaluate: Evaluate) -> list[Element]:
    vectors, bounds = ranges(expr.args[-1], context)
    if name == "absent_over_time":
        return [] if vectors else [Element(fixed_labels(expr.args[-1]), 1.0)]
    result: list[Element] = []
    q = number_of(evaluate(expr.args[0], context), name) if name == "quantile_over_time" else 0.0
    for vector in vectors:
        if name == "quantile_over_time":
            value: float | None = quantile(q, [v for _, v in vector.samples])
        else:
            value = RANGE_FUNCTIONS[name](vector.samples, bounds)
        if value is not None:
            labels = vector.labels if name in KEEPS_NAME else without_name(vector.labels)
            result.append(Element(labels, value))
    return distinct(result)


def _call_on_selector(name: str, argument: Any, context: Context, evaluate: Evaluate) -> list[Element]:
    vector = vector_of(evaluate(argument, context), name)
    if name == "absent":
        return [] if vector else [Element(fixed_labels(argument), 1.0)]
    plain = isinstance(argument, ast.VectorSelector)
    return distinct(
        [Element(without_name(e.labels), (e.time if plain else context.at) / 1000) for e in vector]
    )


def _call_instant(name: str, arguments: Sequence[Value]) -> Value:
    if name in functions.ELEMENTWISE and len(arguments) == 1:
        vector = vector_of(arguments[0], name)
        return distinct(functions.elementwise(vector, functions.ELEMENTWISE[name]))
    match name, arguments:
        case "vector", [float(number)]:
            return [Element((), number)]
        case "scalar", [list() as given]:
            return functions.scalar_of(vector_of(given, name))
        case "histogram_quantile", [float(q), list() as given]:
            return histogram_quantile(q, vector_of(given, name))
        case "sort" | "sort_desc", [list() as given]:
            return functions.ordered(vector_of(given, name), descending=name == "sort_desc")
        case _, [list() as given, *rest]:
            return distinct(_with_parameters(name, vector_of(given, name), rest))
        case _:
            raise Unsupported(f"function {name}() is not supported here")


def _with_parameters(name: str, vector: Sequence[Element], rest: Sequence[Value]) -> list[Element]:
    match name, rest:
        case "clamp", [float(low), float(high)]:
            return functions.clamp(vector, low, high)
        case "clamp_min", [float(low)]:
            return functions.clamp(vector, low, math.inf)
        case "clamp_max", [float(high)]:
            return functions.clamp(vector, -math.inf, high)
        case "round", []:
            return functions.round_to(vector, 1.0)
        case "round", [float(nearest)]:
            return functions.round_to(vector, nearest)
        case "label_replace", [str(target), str(text), str(source), str(pattern)]:
            return functions.label_replace(vector, target, text, source, pattern)
        case "label_join", [str(target), str(separator), *sources]:
            return functions.label_join(vector, target, separator, [str(name) for name in sources])
        case _:
            raise Unsupported(f"function {name}() is not supported here")
