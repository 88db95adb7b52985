"""Functions of numbers. Each gets the scope first and charges its work."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from analysis.conditions.errors import ConditionError
from analysis.conditions.scope import Scope
from analysis.conditions.values import (
    is_array,
    number,
    wrapped,
)


def absolute(scope: Scope, value: Any) -> int | float:
    """Return a number without its sign, in its type."""
    positive = abs(number(value, "abs"))
    return wrapped(positive) if isinstance(positive, int) else positive


def rounding(name: str, compute: Callable[[float], float]) -> Callable[[Scope, Any], float]:
    """Return a function that rounds a number to a whole float."""

    def run(scope: Scope, value: Any) -> float:
        exact = float(number(value, name))
        return compute(exact) if math.isfinite(exact) else exact

    return run


def half_away(value: float) -> float:
    """Round half away from zero, as Go does."""
    whole = math.trunc(value)
    return float(whole + int(math.copysign(1, value))) if abs(value - whole) >= 0.5 else float(whole)


def _numbers(scope: Scope, name: str, args: Sequence[Any]) -> list[int | float]:
    """Return the numbers among the arguments, which may be arrays of numbers."""
    found: list[int | float] = []
    for arg in args:
        if is_array(arg):
            scope.charge(len(arg))
            found.extend(_numbers(scope, name, arg))
        else:
            found.append(number(arg, name))
    return found


def extreme(name: str, better: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    """Return ``max`` or ``min`` over numbers and arrays of numbers."""

    def run(scope: Scope, *args: Any) -> int | float:
        found = _numbers(scope, name, args)
        if not found:
            raise ConditionError(
                f"not enough arguments to call {name}: nothing to compare", empty_result=True
            )
        best = found[0]
        for value in found[1:]:
            if better(value, best):
                best = value
        return best

    return run


def mean(scope: Scope, *args: Any) -> float:
    """Return the mean (0 of nothing)."""
    found = _numbers(scope, "mean", args)
    return float(sum(found)) / len(found) if found else 0.0


def median(scope: Scope, *args: Any) -> float:
    """Return the median (0 of nothing)."""
    found = sorted(_numbers(scope, "median", args))
    middle = len(found) // 2
    if not found:
        return 0.0
    return float(found[middle]) if len(found) % 2 else (found[middle - 1] + found[middle]) / 2
