"""Functions of strings. Each gets the scope first and charges its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analysis.conditions.errors import ConditionError
from analysis.conditions.scope import Scope
from analysis.conditions.values import (
    array,
    number,
    text,
)


def text_function(name: str, compute: Callable[[str], Any]) -> Callable[[Scope, Any], Any]:
    """Return a function of one string."""

    def run(scope: Scope, value: Any) -> Any:
        scope.charge(len(text(value, name)) // 16)
        return compute(value)

    return run


def trim(scope: Scope, value: Any, cut: Any = None) -> str:
    """Return a string without blanks, or without the given characters, at both ends."""
    return text(value, "trim").strip(None if cut is None else text(cut, "trim"))


def affix(name: str, remove: Callable[[str, str], str]) -> Callable[..., str]:
    """Return a function that takes a prefix or suffix off."""

    def run(scope: Scope, value: Any, part: Any = " ") -> str:
        return remove(text(value, name), text(part, name))

    return run


def split(scope: Scope, value: Any, separator: Any, most: Any = -1) -> list[str]:
    """Split at a separator, into at most so many parts."""
    whole, mark = text(value, "split"), text(separator, "split")
    limit = int(number(most, "split"))
    scope.sized(len(whole))
    if not mark:
        return list(whole)
    return [] if limit == 0 else whole.split(mark, limit - 1 if limit > 0 else -1)


def join(scope: Scope, values: Any, separator: Any = "") -> str:
    """Join strings with a separator."""
    parts = [text(part, "join") for part in array(values, "join")]
    mark = text(separator, "join")
    scope.sized(sum(map(len, parts)) + len(mark) * len(parts))
    return mark.join(parts)


def replace(scope: Scope, value: Any, old: Any, new: Any) -> str:
    """Replace every occurrence."""
    whole, before, after = (text(part, "replace") for part in (value, old, new))
    scope.sized((whole.count(before) if before else len(whole) + 1) * len(after) + len(whole))
    return whole.replace(before, after)


def repeat(scope: Scope, value: Any, times: Any) -> str:
    """Repeat a string."""
    count = number(times, "repeat")
    if not isinstance(count, int) or count < 0:
        raise ConditionError("repeat needs a count that is not negative")
    scope.sized(len(text(value, "repeat")) * count)
    return str(value) * count


def index_of(name: str, find: Callable[[str, str], int]) -> Callable[..., int]:
    """Return a function that finds a part in a string (-1 when it is not there)."""

    def run(scope: Scope, value: Any, part: Any) -> int:
        scope.charge(len(text(value, name)) // 16)
        return find(value, text(part, name))

    return run


def affixed(name: str, test: Callable[[str, str], bool]) -> Callable[..., bool]:
    """Return a test for a prefix or suffix."""
    return lambda scope, value, part: test(text(value, name), text(part, name))
