"""The series that a PromQL query is about, each with the range that it is taken over. Needs promql-parser."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from analysis.spec.errors import SpecError

_BELOW = ("lhs", "rhs", "expr", "param", "vector_selector")
_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


class NoParser(Exception):
    """promql-parser is not installed; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One rule on a label."""

    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.label}{self.operator}"{escaped}"'


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by name and matchers. ``window`` is the range, None where the last sample is taken."""

    name: str
    matchers: tuple[Matcher, ...] = ()
    window: timedelta | None = None

    def __str__(self) -> str:
        inside = ",".join(map(str, self.matchers))
        return f"{self.name}{{{inside}}}" if inside or not self.name else self.name

    def without(self, matcher: Matcher) -> Selector:
        """Return the selector with one matcher less."""
        return replace(self, matchers=tuple(m for m in self.matchers if m is not matcher))

    def also(self, label: str, operator: str, value: str) -> Selector:
        """Return the selector with one matcher more."""
        return replace(self, matchers=(*self.matchers, Matcher(label, operator, value)))


def selectors_of(query: str, path: str) -> tuple[Selector, ...]:
    """Return the different selectors of a query, in their order.

    Raises NoParser, or SpecError with the path when the query is no PromQL.
    """
    try:
        parse = importlib.import_module("promql_parser").parse
    except ImportError:
        raise NoParser(
            "queries are read with promql-parser, which is not installed: pip install 'rollouts[lint]'"
        ) from None
    try:
        tree = parse(query)
    except ValueError as error:
        raise SpecError(path, f"is no PromQL: {error}") from None
    return tuple(dict.fromkeys(_walk(tree, None)))


def _walk(node: Any, window: timedelta | None) -> Iterator[Selector]:
    kind = type(node).__name__
    if kind == "VectorSelector":
        yield _selector(node, window)
        return
    inner = node.range if kind == "MatrixSelector" else window
    for argument in getattr(node, "args", None) or ():
        yield from _walk(argument, inner)
    for name in _BELOW:
        child = getattr(node, name, None)
        if child is not None and not isinstance(child, str | int | float):
            yield from _walk(child, inner)


def _selector(node: Any, window: timedelta | None) -> Selector:
    matchers = []
    name = node.name or ""
    for matcher in node.matchers.matchers:
        operator = _OPERATORS.get(str(matcher.op).rpartition(".")[2], "=")
        if matcher.name == "__name__" and operator == "=":
            name = name or matcher.value
        else:
            matchers.append(Matcher(matcher.name, operator, matcher.value))
    return Selector(name, tuple(matchers), window)
