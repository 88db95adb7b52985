"""The door of the package: compile a condition or an expression, evaluate it, assess a measurement."""

from __future__ import annotations

import math
from datetime import datetime
from functools import lru_cache
from typing import Any

from analysis.conditions.errors import ConditionError
from analysis.conditions.parser import parse
from analysis.conditions.scope import Node, Scope
from analysis.conditions.values import FloatVector, described
from analysis.spec.status import Phase


class Expression:
    """A compiled expression; safe to share and to evaluate as often as wanted."""

    def __init__(self, source: str, node: Node) -> None:
        self.source = source
        self._node = node

    def evaluate(self, result: Any, now: datetime) -> Any:
        """Return the value for one result. Raises ConditionError."""
        try:
            return self._node.run(Scope(result, now))
        except (RecursionError, OverflowError, MemoryError) as error:
            raise ConditionError(
                "the condition takes too much work or leaves the range of its numbers"
            ) from error


class Condition(Expression):
    """A compiled expression that must give a bool."""

    def evaluate(self, result: Any, now: datetime) -> bool:
        """Return the verdict on one result. Raises ConditionError, also when it is not a bool."""
        value = super().evaluate(result, now)
        if isinstance(value, bool):
            return value
        raise ConditionError(f"expected bool, but got {described(value)}", empty_result=value is None)


def compile_expression(source: str) -> Expression:
    """Compile an expression of any type, such as the bounds of a range query. Raises ConditionError."""
    return Expression(source, parse(source))


@lru_cache(maxsize=4096)
def compile_condition(source: str) -> Condition:
    """Compile a condition. Raises ConditionError with the column and what was expected."""
    return Condition(source, parse(source))


def assess(result: Any, success_condition: str, failure_condition: str, now: datetime) -> Phase:
    """Return the phase of a measurement from its two conditions ("" when not given).

    None: Successful. One: it decides alone. Both: failure wins, then success, else Inconclusive. Raises
    ConditionError, which makes the measurement an Error; a NaN compares false, as in Go.
    """
    succeeded = _holds("successCondition", success_condition, result, now)
    failed = _holds("failureCondition", failure_condition, result, now)
    if failed is None:
        return Phase.SUCCESSFUL if succeeded in (None, True) else Phase.FAILED
    if failed:
        return Phase.FAILED
    return Phase.SUCCESSFUL if succeeded in (None, True) else Phase.INCONCLUSIVE


def _holds(field: str, source: str, result: Any, now: datetime) -> bool | None:
    if not source:
        return None
    try:
        return compile_condition(source).evaluate(result, now)
    except ConditionError as error:
        reason = f"could not evaluate {field}: {error}"
        if error.empty_result:
            reason = f"no data: metric result is nil or empty ({reason})"
        raise ConditionError(reason, empty_result=error.empty_result) from error


def holds_no_number(result: Any) -> bool:
    """Tell whether a result is numeric but every number in it is NaN, as 0/0 in PromQL gives."""
    values = result if isinstance(result, FloatVector) else (result,)
    return bool(values) and all(isinstance(value, float) and math.isnan(value) for value in values)
