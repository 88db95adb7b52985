"""Binary operators and vector matching.

Rules: https://prometheus.io/docs/prometheus/latest/querying/operators/#vector-matching
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rollouts.embedded.metrics.promql.errors import EvaluationFailed
from rollouts.embedded.metrics.promql.vectors import Element, drop, keep, show, without_name
from rollouts.embedded.metrics.samples import NAME, Labels, make_labels

SET_OPERATORS = frozenset({"and", "or", "unless"})


def _divide(left: float, right: float) -> float:
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def _modulo(left: float, right: float) -> float:
    if right == 0 or math.isinf(left) or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.fmod(left, right)


def _power(left: float, right: float) -> float:
    try:
        result = math.pow(left, right)
    except OverflowError:
        return math.inf if left > 0 or right % 2 == 0 else -math.inf
    except ValueError:
        return math.inf if left == 0 else math.nan
    return result


ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": _modulo,
    "^": _power,
    "atan2": math.atan2,
}
COMPARISON: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Matching:
    """How the two sides of an operator find each other."""

    cardinality: Literal["one-to-one", "many-to-one", "one-to-many", "many-to-many"] = "one-to-one"
    on: bool = False
    names: Sequence[str] = ()
    include: Sequence[str] = ()
    returns_bool: bool = False

    def signature(self, labels: Labels) -> Labels:
        """Return the labels by which two elements match."""
        return keep(labels, self.names) if self.on else drop(labels, (*self.names, NAME))


def scalars(symbol: str, left: float, right: float) -> float:
    """Return the result for two numbers; a comparison gives 0 or 1."""
    if symbol in COMPARISON:
        return float(COMPARISON[symbol](left, right))
    return ARITHMETIC[symbol](left, right)


def with_scalar(
    symbol: str, vector: Sequence[Element], scalar: float, *, scalar_left: bool, returns_bool: bool
) -> list[Element]:
    """Apply an operator between each element and a number; a plain comparison filters the vector."""
    result: list[Element] = []
    for element in vector:
        left, right = (scalar, element.value) if scalar_left else (element.value, scalar)
        if symbol in ARITHMETIC or returns_bool:
            result.append(Element(without_name(element.labels), scalars(symbol, left, right)))
        elif COMPARISON[symbol](left, right):
            result.append(element)
    return result


def set_operation(
    symbol: str, left: Sequence[Element], right: Sequence[Element], how: Matching
) -> list[Element]:
    """Return the intersection, union or difference by matching labels; values come from the left first."""
    lefts = {how.signature(e.labels) for e in left}
    rights = {how.signature(e.labels) for e in right}
    if symbol == "and":
        return [e for e in left if how.signature(e.labels) in rights]
    if symbol == "unless":
        return [e for e in left if how.signature(e.labels) not in rights]
    return [*left, *(e for e in right if how.signature(e.labels) not in lefts)]


def vectors(symbol: str, left: Sequence[Element], right: Sequence[Element], how: Matching) -> list[Element]:
    """Apply an arithmetic or comparison operator to matching elements of two vectors."""
    swapped = how.cardinality == "one-to-many"
    many, one = (right, left) if swapped else (left, right)
    by_signature = _index(one, how, "left" if swapped else "right")
    result: list[Element] = []
    seen: set[tuple[Labels, Labels]] = set()
    for element in many:
        signature = how.signature(element.labels)
        partner = by_signature.get(signature)
        if partner is None:
            continue
        a, b = (partner.value, element.value) if swapped else (element.value, partner.value)
        value = _apply(symbol, a, b, returns_bool=how.returns_bool, kept=a)
        if value is None:
            continue
        labels = _result_labels(symbol, element.labels, partner.labels, how)
        _refuse_twice(seen, signature, labels, how)
        result.append(Element(labels, value))
    return result


def _index(side: Sequence[Element], how: Matching, name: str) -> dict[Labels, Element]:
    index: dict[Labels, Element] = {}
    for element in side:
        signature = how.signature(element.labels)
        if signature in index:
            raise EvaluationFailed(
                f"found duplicate series for the match group {show(signature)} on the {name} hand-side "
                f"of the operation: [{show(element.labels)}, {show(index[signature].labels)}];"
                "many-to-many matching not allowed: matching labels must be unique on one side"
            )
        index[signature] = element
    return index


def _apply(symbol: str, left: float, right: float, *, returns_bool: bool, kept: float) -> float | None:
    if symbol in ARITHMETIC or returns_bool:
        return scalars(symbol, left, right)
    return kept if COMPARISON[symbol](left, right) else None


def _result_labels(symbol: str, many: Labels, one: Labels, how: Matching) -> Labels:
    labels = without_name(many) if symbol in ARITHMETIC or how.returns_bool else many
    if how.cardinality == "one-to-one":
        return keep(labels, how.names) if how.on else drop(labels, how.names)
    included = {name: dict(one).get(name, "") for name in how.include}
    return make_labels({**dict(labels), **included}) if included else labels


def _refuse_twice(seen: set[tuple[Labels, Labels]], signature: Labels, labels: Labels, how: Matching) -> None:
    one_to_one = how.cardinality == "one-to-one"
    key: tuple[Labels, Labels] = (signature, () if one_to_one else labels)
    if key in seen:
        rule = (
            "many-to-one matching must be explicit (group_left/group_right)"
            if one_to_one
            else "grouping labels must ensure unique matches"
        )
        raise EvaluationFailed(f"multiple matches for labels: {rule}")
    seen.add(key)
