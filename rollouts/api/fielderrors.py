"""Errors of one field, written as the API server writes them (Go's ``field.Error``). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError


class ErrorType(StrEnum):
    """What is wrong, in the words of the API server."""

    INVALID = "Invalid value"
    REQUIRED = "Required value"
    FORBIDDEN = "Forbidden"
    DUPLICATE = "Duplicate value"
    NOT_FOUND = "Not found"
    NOT_SUPPORTED = "Unsupported value"
    INTERNAL = "Internal error"


NO_VALUE: Final = object()
"""Stands where a value is not shown: because there is none, or because it could hold a secret."""

_UNION_BRANCHES = ("int", "str")
"""What pydantic adds to the place of an error in an int-or-string."""

_WITHOUT_VALUE = (ErrorType.REQUIRED, ErrorType.FORBIDDEN, ErrorType.INTERNAL)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that a person must change.

    ``path`` is the field (``spec.strategy.canary.steps[0].setWeight``), ``value`` what was seen there.
    """

    path: str
    value: Any
    message: str
    type: ErrorType = ErrorType.INVALID

    def __str__(self) -> str:
        head = f"{self.path}: {self.type.value}"
        if self.type not in _WITHOUT_VALUE and self.value is not NO_VALUE:
            head = f"{head}: {_shown(self.value)}"
        return f"{head}: {self.message}" if self.message else head


def invalid(path: str, value: Any, message: str) -> FieldError:
    """Return an error about a value that is not acceptable."""
    return FieldError(path, value, message)


def required(path: str, message: str = "") -> FieldError:
    """Return an error about a value that is missing."""
    return FieldError(path, NO_VALUE, message, ErrorType.REQUIRED)


def forbidden(path: str, message: str) -> FieldError:
    """Return an error about a field that must not be set here."""
    return FieldError(path, NO_VALUE, message, ErrorType.FORBIDDEN)


def internal(path: str, message: str) -> FieldError:
    """Return an error that the peer reports as one of its own, although a person must mend it."""
    return FieldError(path, NO_VALUE, message, ErrorType.INTERNAL)


def duplicate(path: str, value: Any) -> FieldError:
    """Return an error about a value that must be unique."""
    return FieldError(path, value, "", ErrorType.DUPLICATE)


def not_found(path: str, value: Any, message: str = "") -> FieldError:
    """Return an error about a name that nothing has."""
    return FieldError(path, value, message, ErrorType.NOT_FOUND)


def not_supported(path: str, value: Any, supported: Sequence[str]) -> FieldError:
    """Return an error about a value outside a closed list."""
    names = ", ".join(json.dumps(name) for name in supported)
    return FieldError(path, value, f"supported values: {names}", ErrorType.NOT_SUPPORTED)


def from_validation_error(error: ValidationError, path: str = "") -> tuple[FieldError, ...]:
    """Return the type errors of a model as field errors. The input is not shown."""
    found: dict[str, FieldError] = {}
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        location = item["loc"]
        of_union = bool(location) and location[-1] in _UNION_BRANCHES
        where = join(path, location[:-1] if of_union else location)
        message = "Input should be an integer or a string" if of_union else item["msg"]
        new = required(where) if item["type"] == "missing" else FieldError(where, NO_VALUE, message)
        found.setdefault(where, new)
    return tuple(found.values())


def join(path: str, parts: Sequence[str | int]) -> str:
    """Return a path with more parts: ``spec`` and ("steps", 0) give ``spec.steps[0]``."""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else f"{path}.{part}" if path else part
    return path


def _shown(value: Any) -> str:
    if value is None:
        return '"null"'
    return json.dumps(_abridged(value, 0), ensure_ascii=False, separators=(",", ":"))


def _abridged(value: Any, depth: int) -> Any:
    """Keep a value short: two levels, so that no message carries a whole pod template."""
    if isinstance(value, Mapping):
        return {str(k): _abridged(v, depth + 1) for k, v in value.items()} if depth < 2 else {"…": "…"}
    if isinstance(value, list | tuple):
        return [_abridged(v, depth + 1) for v in value] if depth < 2 else ["…"]
    return value
