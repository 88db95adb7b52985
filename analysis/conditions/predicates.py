"""Functions that run an expression for each element: ``all(result, # < 0.5)`` and its kin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cmp_to_key
from typing import Any

from analysis.conditions.arrays import compare, descending
from analysis.conditions.errors import ConditionError
from analysis.conditions.scope import Run, Scope
from analysis.conditions.values import add, array, boolean, go_text, number

Each = Callable[[Scope, Run, Run, int], Any]
"""``each(scope, items, body, cost)``; ``cost`` is the number of nodes in the body."""


def walk(scope: Scope, name: str, items: Run, body: Run, cost: int, backwards: bool = False) -> Iterator[Any]:
    """Yield (index, element, value of the body) for each element of an array."""
    whole = array(items(scope), name)
    pointers = scope.pointers
    for index in range(len(whole) - 1, -1, -1) if backwards else range(len(whole)):
        scope.charge(cost)
        pointers.append((whole[index], index, None))
        try:
            value = body(scope)
        finally:
            pointers.pop()
        yield index, whole[index], value


def _all(scope: Scope, items: Run, body: Run, cost: int) -> bool:
    return all(boolean(value, "all") for _, _, value in walk(scope, "all", items, body, cost))


def _any(scope: Scope, items: Run, body: Run, cost: int) -> bool:
    return any(boolean(value, "any") for _, _, value in walk(scope, "any", items, body, cost))


def _none(scope: Scope, items: Run, body: Run, cost: int) -> bool:
    return not any(boolean(value, "none") for _, _, value in walk(scope, "none", items, body, cost))


def _one(scope: Scope, items: Run, body: Run, cost: int) -> bool:
    return sum(boolean(value, "one") for _, _, value in walk(scope, "one", items, body, cost)) == 1


def _count(scope: Scope, items: Run, body: Run, cost: int) -> int:
    return sum(boolean(value, "count") for _, _, value in walk(scope, "count", items, body, cost))


def _filter(scope: Scope, items: Run, body: Run, cost: int) -> list[Any]:
    return [item for _, item, value in walk(scope, "filter", items, body, cost) if boolean(value, "filter")]


def _map(scope: Scope, items: Run, body: Run, cost: int) -> list[Any]:
    return [value for _, _, value in walk(scope, "map", items, body, cost)]


def _sum(scope: Scope, items: Run, body: Run, cost: int) -> Any:
    total: Any = 0
    for _, _, value in walk(scope, "sum", items, body, cost):
        total = add(total, number(value, "sum"))
    return total


def _finder(name: str, backwards: bool, wanted: Callable[[int, Any], Any], missing: Any) -> Each:
    def run(scope: Scope, items: Run, body: Run, cost: int) -> Any:
        for index, item, value in walk(scope, name, items, body, cost, backwards):
            if boolean(value, name):
                return wanted(index, item)
        return missing

    return run


def _group_by(scope: Scope, items: Run, body: Run, cost: int) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for _, item, value in walk(scope, "groupBy", items, body, cost):
        scope.weigh(value)
        groups.setdefault(value if isinstance(value, str) else go_text(value), []).append(item)
    return groups


def sort_by(scope: Scope, items: Run, body: Run, cost: int, order: Any) -> list[Any]:
    """Return the elements ordered by what the body gives for each."""
    pairs = [(value, item) for _, item, value in walk(scope, "sortBy", items, body, cost)]
    scope.charge(len(pairs) * 20)
    keyed = sorted(pairs, key=lambda pair: cmp_to_key(compare)(pair[0]), reverse=descending(order))
    return [item for _, item in keyed]


def reduce(scope: Scope, items: Run, body: Run, cost: int, start: Run | None) -> Any:
    """Fold the elements: the body sees the value so far as ``#acc``."""
    whole = array(items(scope), "reduce")
    if start is None and not whole:
        raise ConditionError("reduce of an empty array needs an initial value", empty_result=True)
    value = whole[0] if start is None else start(scope)
    for index in range(1 if start is None else 0, len(whole)):
        scope.charge(cost)
        scope.pointers.append((whole[index], index, value))
        try:
            value = body(scope)
        finally:
            scope.pointers.pop()
    return value


PREDICATES: Mapping[str, Each] = {
    "all": _all,
    "any": _any,
    "none": _none,
    "one": _one,
    "count": _count,
    "filter": _filter,
    "map": _map,
    "sum": _sum,
    "find": _finder("find", False, lambda index, item: item, None),
    "findIndex": _finder("findIndex", False, lambda index, item: index, -1),
    "findLast": _finder("findLast", True, lambda index, item: item, None),
    "findLastIndex": _finder("findLastIndex", True, lambda index, item: index, -1),
    "groupBy": _group_by,
}
"""Name → function of an array and one expression. ``sortBy`` and ``reduce`` take more and stand alone."""

WITHOUT_BODY = frozenset(("count", "sum"))
"""May be called with the array alone: then the elements themselves count."""
