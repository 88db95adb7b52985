"""Functions of arrays and maps. Each gets the scope first and charges its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cmp_to_key
from typing import Any

from analysis.conditions.errors import ConditionError
from analysis.conditions.scope import Scope
from analysis.conditions.values import (
    array,
    described,
    is_array,
    is_number,
    number,
    same,
    type_name,
)


def end(name: str, index: int) -> Callable[[Scope, Any], Any]:
    """Return a function that takes the first or last element (nil of an empty array)."""

    def run(scope: Scope, values: Any) -> Any:
        whole = array(values, name)
        return whole[index] if whole else None

    return run


def get(scope: Scope, container: Any, key: Any) -> Any:
    """Return an element or key, nil when it is not there."""
    if isinstance(container, Mapping):
        return container.get(key) if isinstance(key, str) else None
    if is_array(container) and isinstance(key, int) and not isinstance(key, bool):
        return container[key] if -len(container) <= key < len(container) else None
    return None


def take(scope: Scope, values: Any, most: Any) -> Any:
    """Return the first elements."""
    count = number(most, "take")
    if not isinstance(count, int) or count < 0:
        raise ConditionError("take needs a count that is not negative")
    return array(values, "take")[:count]


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConditionError(f"{name} needs a map, not {described(value)}")
    return value


def keys_of(scope: Scope, value: Any) -> list[str]:
    """Return the keys of a map, sorted."""
    return sorted(_mapping(value, "keys"))


def values_of(scope: Scope, value: Any) -> list[Any]:
    """Return the values of a map, by sorted keys."""
    mapping = _mapping(value, "values")
    return [mapping[key] for key in sorted(mapping)]


def to_pairs(scope: Scope, value: Any) -> list[Any]:
    """Return a map as [key, value] pairs."""
    mapping = _mapping(value, "toPairs")
    scope.sized(len(mapping))
    return [[key, mapping[key]] for key in sorted(mapping)]


def from_pairs(scope: Scope, value: Any) -> dict[str, Any]:
    """Return [key, value] pairs as a map."""
    pairs = array(value, "fromPairs")
    scope.sized(len(pairs))
    if not all(is_array(pair) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs):
        raise ConditionError("fromPairs needs an array of [string, value] pairs")
    return {pair[0]: pair[1] for pair in pairs}


def reverse(scope: Scope, values: Any) -> list[Any]:
    """Return the elements backwards."""
    whole = array(values, "reverse")
    scope.sized(len(whole))
    return list(reversed(whole))


def unique(scope: Scope, values: Any) -> list[Any]:
    """Return the elements without repeats."""
    kept: list[Any] = []
    for value in array(values, "uniq"):
        scope.weigh(kept)
        if not any(same(value, other) for other in kept):
            kept.append(value)
    return kept


def concat(scope: Scope, *arrays: Any) -> list[Any]:
    """Return several arrays as one."""
    scope.sized(sum(len(array(part, "concat")) for part in arrays))
    return [value for part in arrays for value in part]


def flatten(scope: Scope, values: Any) -> list[Any]:
    """Return nested arrays as one."""
    flat: list[Any] = []
    waiting = [iter(array(values, "flatten"))]
    while waiting:
        for value in waiting[-1]:
            scope.charge(1)
            if is_array(value):
                waiting.append(iter(value))
                break
            flat.append(value)
        else:
            waiting.pop()
    return flat


def compare(left: Any, right: Any) -> int:
    """Order two numbers, strings, times or durations; raises ConditionError for a mixture."""
    both = (left, right)
    if all(map(is_number, both)) or any(
        isinstance(left, kind) and isinstance(right, kind) for kind in (str, datetime, timedelta)
    ):
        return int(left > right) - int(left < right)
    raise ConditionError(f"cannot sort {type_name(left)} and {type_name(right)} together")


def descending(order: Any) -> bool:
    """Read a sort order, ``asc`` or ``desc``."""
    if order not in ("asc", "desc"):
        raise ConditionError('a sort order is "asc" or "desc"')
    return bool(order == "desc")


def sort(scope: Scope, values: Any, order: Any = "asc") -> list[Any]:
    """Return the elements in order, ``asc`` or ``desc``."""
    whole = array(values, "sort")
    scope.charge(len(whole) * 20)
    return sorted(whole, key=cmp_to_key(compare), reverse=descending(order))
