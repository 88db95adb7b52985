"""``{{args.x}}`` in metrics: merging of argument lists, substitution, integers that were strings.

A tag may hold blanks (``{{ args.x }}``). A tag that no argument answers is an error, as upstream; text of a
value is put in as it stands, and is not looked at again for tags.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from analysis.spec.base import IntOrString
from analysis.spec.errors import SpecError, from_validation_error
from analysis.spec.objects import Argument, Metric

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
SECRET_PLACEHOLDER = "***"  # noqa: S105 - stands where a secret will be, and in messages
"""Stands for the value of a secret argument wherever the value itself is not needed."""
OWN_PLUGINS = "rollouts.dev/"
OWN_TAGS = frozenset(("selector", "window"))
"""Tags that our own plugins fill in by themselves."""


def has_tag(value: object) -> bool:
    """Tell whether a string still holds a ``{{…}}`` tag."""
    return isinstance(value, str) and _TAG.search(value) is not None


def merge_arguments(
    declared: Sequence[Argument], given: Sequence[Argument], path: str
) -> tuple[Argument, ...]:
    """Return the declared arguments with the given ones put over their defaults.

    Given arguments that no template declares are left out and the last of several with one name counts, as
    upstream does. Raises SpecError naming the first argument that has no value.
    """
    by_name = {argument.name: argument for argument in given}
    merged = tuple(_override(argument, by_name.get(argument.name)) for argument in declared)
    for index, argument in enumerate(merged):
        if argument.value is None and argument.value_from is None:
            raise SpecError(f"{path}[{index}]", f"args.{argument.name} was not resolved: give it a value")
        if argument.value is not None and argument.value_from is not None:
            raise SpecError(
                f"{path}[{index}]", f"args.{argument.name} has both value and valueFrom; keep one"
            )
    return merged


def _override(declared: Argument, given: Argument | None) -> Argument:
    if given is None or (given.value is None and given.value_from is None):
        return declared
    kept = {k: v for k, v in declared.manifest().items() if k not in ("value", "valueFrom")}
    new = {k: v for k, v in given.manifest().items() if v is not None}
    return Argument.model_validate({**kept, **new})


def secret_names(args: Iterable[Argument]) -> tuple[str, ...]:
    """Return the names of the arguments whose value is read from a Secret."""
    return tuple(a.name for a in args if a.value is None and a.value_from and a.value_from.secret_key_ref)


def argument_values(
    args: Sequence[Argument], secret: Callable[[Argument], str], path: str = "spec.args"
) -> dict[str, str]:
    """Return name → value. ``secret`` is asked for arguments with a ``secretKeyRef``.

    Raises SpecError naming the argument that has neither.
    """
    values: dict[str, str] = {}
    for index, argument in enumerate(args):
        if argument.value is not None:
            values[argument.name] = argument.value
        elif argument.value_from is not None and argument.value_from.secret_key_ref is not None:
            values[argument.name] = secret(argument)
        else:
            raise SpecError(f"{path}[{index}]", f"args.{argument.name} was not resolved: give it a value")
    return values


def values_without_secrets(args: Sequence[Argument], path: str = "spec.args") -> dict[str, str]:
    """Return name → value with a placeholder for each secret: enough to decide, safe to show."""
    return argument_values(args, lambda _: SECRET_PLACEHOLDER, path)


def substitute(value: Any, values: Mapping[str, str], path: str, kept: frozenset[str] = frozenset()) -> Any:
    """Return a JSON value with every ``{{args.x}}`` in its strings and keys replaced.

    Tags in ``kept`` stay, and so do those of ``OWN_TAGS`` below one of our own plugins. Raises SpecError at
    the first string whose tag has no value.
    """
    if isinstance(value, str):
        return _substitute_text(value, values, path, kept)
    if isinstance(value, Mapping):
        return {
            _substitute_text(str(key), values, path, kept): substitute(
                item, values, f"{path}.{key}", OWN_TAGS if str(key).startswith(OWN_PLUGINS) else kept
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [substitute(item, values, f"{path}[{index}]", kept) for index, item in enumerate(value)]
    return value


def _substitute_text(text: str, values: Mapping[str, str], path: str, kept: frozenset[str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        tag = match[1].strip()
        # In name{{{selector}}} the first brace is PromQL's.
        if tag.lstrip("{ ") in kept:
            return match[0]
        if not tag.startswith("args.") or tag[5:] not in values:
            known = ", ".join(sorted(values)) or "none"
            raise SpecError(path, f"failed to resolve {{{{{tag}}}}}; arguments that exist: {known}")
        return values[tag[5:]]

    return _TAG.sub(replacement, text)


def resolve_metric(metric: Metric, values: Mapping[str, str], path: str) -> Metric:
    """Return the metric with its arguments put in. Raises SpecError."""
    try:
        return Metric.model_validate(substitute(metric.manifest(), values, path))
    except ValidationError as error:
        raise from_validation_error(path, error) from error


def resolve_metrics(
    metrics: Sequence[Metric], values: Mapping[str, str], path: str = "spec.metrics"
) -> tuple[Metric, ...]:
    """Return all metrics with their arguments put in. Raises SpecError."""
    return tuple(resolve_metric(m, values, f"{path}[{i}]") for i, m in enumerate(metrics))


def integer(value: IntOrString | None, default: int, path: str) -> int:
    """Return an int-or-string as an integer. Raises SpecError when the string is not a whole number."""
    if value is None:
        return default
    if isinstance(value, int):
        return value
    if re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip()):
        return int(value)
    raise SpecError(path, f"{value[:40]!r} is not a whole number")
