"""What can be wrong with a condition."""

from __future__ import annotations


class ConditionError(Exception):
    """A condition does not parse, or does not fit the result.

    ``column`` counts from 1 and is None when the fault has no place in the text. ``empty_result`` tells
    that the result had nothing to look at, which is missing data rather than a wrong condition.
    """

    def __init__(self, message: str, column: int | None = None, *, empty_result: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.empty_result = empty_result

    def __str__(self) -> str:
        return self.message if self.column is None else f"{self.message} (column {self.column})"
