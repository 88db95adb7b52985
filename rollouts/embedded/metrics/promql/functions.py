"""Functions of instant vectors and scalars: https://prometheus.io/docs/prometheus/latest/querying/functions/"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

from rollouts.embedded.metrics.promql.errors import EvaluationFailed
from rollouts.embedded.metrics.promql.vectors import Element, without_name
from rollouts.embedded.metrics.samples import make_labels


def _logarithm(base: Callable[[float], float]) -> Callable[[float], float]:
    def apply(value: float) -> float:
        if value == 0:
            return -math.inf
        return base(value) if value > 0 or math.isnan(value) else math.nan

    return apply


def _rounding(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: float(function(value)) if math.isfinite(value) else value


def _exponential(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _sign(value: float) -> float:
    return value if math.isnan(value) or value == 0 else math.copysign(1.0, value)


ELEMENTWISE: Mapping[str, Callable[[float], float]] = {
    "abs": abs,
    "ceil": _rounding(math.ceil),
    "floor": _rounding(math.floor),
    "exp": _exponential,
    "ln": _logarithm(math.log),
    "log2": _logarithm(math.log2),
    "log10": _logarithm(math.log10),
    "sqrt": lambda value: math.sqrt(value) if value >= 0 else math.nan,
    "sgn": _sign,
}


def elementwise(vector: Sequence[Element], function: Callable[[float], float]) -> list[Element]:
    """Apply a function to every value; the metric's name goes."""
    return [Element(without_name(e.labels), function(e.value)) for e in vector]


def clamp(vector: Sequence[Element], low: float, high: float) -> list[Element]:
    """Bound the values; nothing remains when the bounds cross."""
    if low > high:
        return []
    if math.isnan(low) or math.isnan(high):
        return elementwise(vector, lambda _: math.nan)
    return elementwise(vector, lambda v: v if math.isnan(v) else max(low, min(high, v)))


def round_to(vector: Sequence[Element], nearest: float) -> list[Element]:
    """Round to a multiple of ``nearest``, halves up."""
    inverse = 1.0 / nearest if nearest else math.nan
    return elementwise(vector, lambda v: math.floor(v * inverse + 0.5) / inverse if math.isfinite(v) else v)


def scalar_of(vector: Sequence[Element]) -> float:
    """Return the only element's value, else NaN."""
    return vector[0].value if len(vector) == 1 else math.nan


def ordered(vector: Sequence[Element], *, descending: bool) -> list[Element]:
    """Sort by value; NaN comes last."""
    sign = -1.0 if descending else 1.0
    return sorted(vector, key=lambda e: (math.isnan(e.value), 0.0 if math.isnan(e.value) else sign * e.value))


def label_replace(
    vector: Sequence[Element], target: str, replacement: str, source: str, pattern: str
) -> list[Element]:
    """Set a label from a regular expression's match over another; no match leaves the element as it is."""
    try:
        expression = re.compile(f"^(?s:{pattern})$")
    except re.error as error:
        raise EvaluationFailed(f"invalid regular expression in label_replace(): {pattern}") from error
    template = re.sub(r"\$(\d+|\w+|\{\w+\})", lambda m: rf"\g<{m[1].strip('{}')}>", replacement)
    result: list[Element] = []
    for element in vector:
        labels = dict(element.labels)
        match = expression.match(labels.get(source, ""))
        if match:
            labels[target] = match.expand(template)
        result.append(Element(make_labels(labels), element.value))
    return result


def label_join(
    vector: Sequence[Element], target: str, separator: str, sources: Sequence[str]
) -> list[Element]:
    """Set a label to other labels' values, joined."""
    result: list[Element] = []
    for element in vector:
        labels = dict(element.labels)
        joined = separator.join(labels.get(name, "") for name in sources)
        result.append(Element(make_labels({**labels, target: joined}), element.value))
    return result
