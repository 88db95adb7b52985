"""Operators: how tightly each binds, and what each does to two nodes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from analysis.conditions.errors import ConditionError
from analysis.conditions.scope import Known, Node, Run, Scope
from analysis.conditions.values import (
    FloatVector,
    add,
    boolean,
    contains,
    divide,
    is_array,
    is_number,
    modulo,
    multiply,
    number,
    ordered,
    power,
    same,
    subtract,
    text,
    type_name,
)
from analysis.spec.patterns import Pattern, PatternError, compile_pattern

UNARY: Mapping[str, int] = {"not": 50, "!": 50, "-": 90, "+": 90}
BINARY: Mapping[str, int] = {
    "|": 0,
    "or": 10,
    "||": 10,
    "and": 15,
    "&&": 15,
    "==": 20,
    "!=": 20,
    "<": 20,
    ">": 20,
    "<=": 20,
    ">=": 20,
    "in": 20,
    "matches": 20,
    "contains": 20,
    "startsWith": 20,
    "endsWith": 20,
    "..": 25,
    "+": 30,
    "-": 30,
    "*": 60,
    "/": 60,
    "%": 60,
    "**": 100,
    "^": 100,
    "??": 500,
}
"""Binding power, as expr-lang's table has it."""
RIGHT_TO_LEFT = frozenset(("**", "^"))
CHAINED = frozenset(("<", ">", "<=", ">="))
"""``1 < x < 3`` means both."""
NEGATABLE = frozenset(("in", "matches", "contains", "startsWith", "endsWith"))
"""May follow ``not``."""

_LONGEST_RANGE = 100_000


def located(column: int, run: Run) -> Run:
    """Return ``run`` with this column on errors that have none yet."""

    def with_column(scope: Scope) -> Any:
        try:
            return run(scope)
        except ConditionError as error:
            if error.column is None:
                error.column = column
            raise

    return with_column


def _known_for(node: Node, scope: Scope) -> bool:
    if node.known is Known.RESULT:
        return not isinstance(scope.result, list | dict) and scope.result is not None
    if node.known is Known.ELEMENT:
        return isinstance(scope.result, FloatVector)
    return node.known is Known.ALWAYS


def _family(value: Any) -> str:
    return "number" if is_number(value) else "array" if is_array(value) else type_name(value)


def _equality(symbol: str, left: Node, right: Node) -> Run:
    """Values of two types that are known beforehand are an error, as upstream's compiler has it."""
    wanted = symbol == "=="

    def run(scope: Scope) -> bool:
        a, b = left.run(scope), right.run(scope)
        if is_array(a) or isinstance(a, dict):
            scope.weigh(a)
        elif a is not None and b is not None and _family(a) != _family(b):
            if _known_for(left, scope) and _known_for(right, scope):
                kinds = f"{type_name(a)} and {type_name(b)}"
                raise ConditionError(f"invalid operation: {symbol} (mismatched types {kinds})")
            return not wanted
        return same(a, b) == wanted

    return run


def _and(left: Node, right: Node) -> Run:
    return lambda scope: boolean(left.run(scope), "&&") and boolean(right.run(scope), "&&")


def _or(left: Node, right: Node) -> Run:
    return lambda scope: boolean(left.run(scope), "||") or boolean(right.run(scope), "||")


def _coalesce(left: Node, right: Node) -> Run:
    def run(scope: Scope) -> Any:
        value = left.run(scope)
        return right.run(scope) if value is None else value

    return run


def _in(left: Node, right: Node) -> Run:
    def run(scope: Scope) -> bool:
        item, container = left.run(scope), right.run(scope)
        if is_array(container):
            scope.weigh(container)
        return contains(container, item)

    return run


def _strings(symbol: str, left: Node, right: Node, test: Callable[[str, str], bool]) -> Run:
    def run(scope: Scope) -> bool:
        whole, part = left.run(scope), right.run(scope)
        if whole is None or part is None:
            return False
        scope.charge(len(text(whole, symbol)) // 16)
        return test(whole, text(part, symbol))

    return run


def _range(left: Node, right: Node) -> Run:
    def run(scope: Scope) -> list[int]:
        low, high = left.run(scope), right.run(scope)
        if type(low) is not int or type(high) is not int:
            raise ConditionError(f".. needs two integers, not {type_name(low)} and {type_name(high)}")
        if high - low >= _LONGEST_RANGE:
            raise ConditionError(f"a range may have at most {_LONGEST_RANGE} elements")
        scope.sized(max(0, high - low + 1))
        return list(range(low, high + 1))

    return run


def _add(left: Node, right: Node) -> Run:
    def run(scope: Scope) -> Any:
        a, b = left.run(scope), right.run(scope)
        if isinstance(a, str) and isinstance(b, str):
            scope.sized(len(a) + len(b))
        return add(a, b)

    return run


def _plain(compute: Callable[[Any, Any], Any]) -> Callable[[Node, Node], Run]:
    def build(left: Node, right: Node) -> Run:
        run_left, run_right = left.run, right.run
        return lambda scope: compute(run_left(scope), run_right(scope))

    return build


def matches(left: Node, right: Node, pattern: str | None) -> Run:
    """Return a regular-expression test; a literal pattern is compiled now. Raises ConditionError."""
    try:
        ready = None if pattern is None else compile_pattern(pattern)
    except PatternError as error:
        raise ConditionError(str(error), right.column) from error

    def run(scope: Scope) -> bool:
        whole, wanted = left.run(scope), right.run(scope)
        if whole is None or wanted is None:
            return False
        return _found(scope, ready, text(wanted, "matches"), text(whole, "matches"))

    return run


def _found(scope: Scope, ready: Pattern | None, pattern: str, whole: str) -> bool:
    try:
        compiled = ready or compile_pattern(pattern)
        scope.charge(1_000 if ready is None else 10)
        scope.charge(compiled.cost(whole) // 4)
        return compiled.found_in(whole)
    except PatternError as error:
        raise ConditionError(str(error)) from error


_BUILDERS: Mapping[str, Callable[[Node, Node], Run]] = {
    "or": _or,
    "||": _or,
    "and": _and,
    "&&": _and,
    "==": lambda left, right: _equality("==", left, right),
    "!=": lambda left, right: _equality("!=", left, right),
    "<": _plain(ordered("<", operator.lt)),
    ">": _plain(ordered(">", operator.gt)),
    "<=": _plain(ordered("<=", operator.le)),
    ">=": _plain(ordered(">=", operator.ge)),
    "in": _in,
    "contains": lambda left, right: _strings("contains", left, right, lambda a, b: b in a),
    "startsWith": lambda left, right: _strings("startsWith", left, right, str.startswith),
    "endsWith": lambda left, right: _strings("endsWith", left, right, str.endswith),
    "..": _range,
    "+": _add,
    "-": _plain(subtract),
    "*": _plain(multiply),
    "/": _plain(divide),
    "%": _plain(modulo),
    "**": _plain(power),
    "^": _plain(power),
    "??": _coalesce,
}


def binary(symbol: str, left: Node, right: Node, column: int) -> Node:
    """Return the node of a binary operator other than ``|`` and ``matches``."""
    run = located(column, _BUILDERS[symbol](left, right))
    known = Known.ANY if symbol == "??" else Known.ALWAYS
    literal = left.literal and right.literal and symbol in "+-*/%"
    return Node(run, column, known, max(left.height, right.height) + 1, literal)


def unary(symbol: str, operand: Node, column: int) -> Node:
    """Return the node of a unary operator."""
    run_operand = operand.run

    def negate(scope: Scope) -> Any:
        value = number(run_operand(scope), "unary -")
        return -value if isinstance(value, float) or value > -(2**63) else value

    runs: Mapping[str, Run] = {
        "!": lambda scope: not boolean(run_operand(scope), "!"),
        "not": lambda scope: not boolean(run_operand(scope), "not"),
        "-": negate,
        "+": lambda scope: number(run_operand(scope), "unary +"),
    }
    return Node(located(column, runs[symbol]), column, Known.ALWAYS, operand.height + 1, operand.literal)
