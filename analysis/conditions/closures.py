"""Small runs that the parser puts together: bindings, optional chains, methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analysis.conditions.builtins import METHODS
from analysis.conditions.errors import ConditionError
from analysis.conditions.scope import Run, Scope
from analysis.conditions.values import shown_key, type_name


class Missing(Exception):
    """``?.`` met nil: the rest of the chain is nil."""


def nothing(scope: Scope) -> None:
    """Return nil."""
    return None


def second(first: Run, last: Run) -> Run:
    """Return a run of both that gives the last one's value."""

    def run(scope: Scope) -> Any:
        first(scope)
        return last(scope)

    return run


def bind(slot: int, value: Run, body: Run) -> Run:
    """Return a run that binds a name, then goes on."""

    def run(scope: Scope) -> Any:
        scope.names[slot] = value(scope)
        return body(scope)

    return run


def required(value: Run) -> Run:
    """Return a run that gives up its chain when the value is nil."""

    def run(scope: Scope) -> Any:
        found = value(scope)
        if found is None:
            raise Missing
        return found

    return run


def chain(chain: Run) -> Run:
    """Return a run that is nil when its chain was given up."""

    def run(scope: Scope) -> Any:
        try:
            return chain(scope)
        except Missing:
            return None

    return run


def method(name: str, value: Run) -> Run:
    """Return a call of a time's or duration's method."""

    def run(scope: Scope) -> Any:
        target = value(scope)
        for kind, methods in METHODS.items():
            if isinstance(target, kind) and name in methods:
                return methods[name](target)
        raise ConditionError(f"type {type_name(target)} has no method {shown_key(name)}")

    return run


def not_an_integer(name: str, value: Run) -> Run:
    """Return a run that refuses an integer where Go wants a float64."""

    def run(scope: Scope) -> Any:
        found = value(scope)
        if type(found) is int:
            raise ConditionError(f"cannot use int as argument (type float64) to call {name}; use float(…)")
        return found

    return run


def without_body(each: Callable[[Scope, Run, Run, int], Any], items: Run) -> Run:
    """Return a predicate call over the elements themselves."""
    return lambda scope: each(scope, items, lambda inner: inner.pointers[-1][0], 1)
