"""What an evaluation carries along: the result, ``now``, bound names, and the work it may still do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from analysis.conditions.errors import ConditionError

MOST_STEPS = 1_000_000
"""Node evaluations inside predicates plus elements touched; about a third of a second at most."""
LONGEST_VALUE = 1_000_000
"""Characters of a string, or elements of an array, that an evaluation may build."""


class Scope:
    """State of one evaluation."""

    __slots__ = ("names", "now", "pointers", "result", "steps_left")

    def __init__(self, result: Any, now: datetime) -> None:
        self.result = result
        self.now = now
        self.names: dict[int, Any] = {}
        self.pointers: list[tuple[Any, int, Any]] = []
        self.steps_left = MOST_STEPS

    def charge(self, steps: int) -> None:
        """Account for work. Raises ConditionError when the budget is spent."""
        self.steps_left -= steps
        if self.steps_left < 0:
            raise ConditionError("the condition takes too much work; make the result or the loops smaller")

    def weigh(self, value: Any) -> None:
        """Account for walking through a whole value, before it is walked through."""
        waiting = [value]
        while waiting:
            item = waiting.pop()
            self.charge(1)
            if isinstance(item, list | tuple):
                self.charge(len(item) // 8)
                waiting.extend(item)
            elif isinstance(item, Mapping):
                waiting.extend(item.values())

    def sized(self, size: int) -> None:
        """Account for building a value of this many characters or elements."""
        if size > LONGEST_VALUE:
            raise ConditionError(f"a value of {size} elements is larger than a condition may build")
        self.charge(size // 16 + 1)


Run = Callable[[Scope], Any]


class Known(Enum):
    """How much of an expression's type a compiler would know, given the result."""

    ANY = 0
    """Only at run time: a field of a JSON object, an element of a JSON array."""
    ALWAYS = 1
    """A literal, or what an operator or function gives."""
    RESULT = 2
    """``result`` itself: its type is that of the value that was measured."""
    ELEMENT = 3
    """An element of ``result``: known for a vector of floats, not for a JSON array."""


@dataclass(frozen=True, slots=True)
class Node:
    """A compiled expression. ``height`` bounds recursion; ``literal`` marks constant arithmetic."""

    run: Run
    column: int
    known: Known = Known.ANY
    height: int = 1
    literal: bool = False
