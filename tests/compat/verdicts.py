"""What is said about a field: a verdict, how it differs, and the tests that show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

Verdict = Literal["works", "differs", "not applicable", "not tested"]


@dataclass(frozen=True, slots=True)
class Row:
    """A verdict. ``tests`` are ``path::name`` below ``tests/``; ``how`` is empty where nothing differs."""

    verdict: Verdict
    how: str = ""
    tests: tuple[str, ...] = ()


Fields = Mapping[str, Row]
"""Rows by field. A key may name several fields, with blanks between them; ``*`` is for all the others."""


def works(*tests: str) -> Row:
    """Say that a field does what it does in Argo Rollouts."""
    return Row("works", "", tests)


def differs(how: str, *tests: str) -> Row:
    """Say that a field is served, but not exactly as in Argo Rollouts."""
    return Row("differs", how, tests)


def inapplicable(why: str, *tests: str) -> Row:
    """Say that a field has no meaning here."""
    return Row("not applicable", why, tests)


def untested(why: str) -> Row:
    """Say that a field is served but that no test shows it."""
    return Row("not tested", why)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by model and field."""

    rows: Mapping[type[BaseModel], Fields]

    def row(self, model: type[BaseModel], field: str) -> Row | None:
        """Return what is said about a field, None when nothing is."""
        fields = self.rows.get(model, {})
        named = (row for names, row in fields.items() if field in names.split())
        return next(named, fields.get("*"))

    def names(self) -> Iterator[tuple[type[BaseModel], str]]:
        """Yield every field that is named."""
        for model, fields in self.rows.items():
            for names in fields:
                yield from ((model, name) for name in names.split() if name != "*")
