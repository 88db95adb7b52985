"""The one error of this package."""

from __future__ import annotations

from pydantic import ValidationError


class SpecError(Exception):
    """An analysis is wrong as it is written; a person must change it.

    ``path`` is the field, such as ``spec.metrics[0].count``; ``message`` says what was seen and wanted.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


def from_validation_error(path: str, error: ValidationError) -> SpecError:
    """Return the first field error of a model as a SpecError below ``path``. The input is not echoed."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = path
    for part in first["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    return SpecError(where, str(first["msg"]))
