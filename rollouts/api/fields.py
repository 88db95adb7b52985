"""Fields that nobody acts on: unknown ones, and known ones whose behaviour does not exist yet. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel


def without_nulls(value: Any) -> Any:
    """Return a manifest without the fields that are null: to Go, and so to the API, null means absent."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def unknown_fields(model: BaseModel) -> tuple[str, ...]:
    """Return the path of every field that the model does not know, such as ``spec.strategy.canary.step``."""
    return tuple(path for path, _ in _unknown(model, ""))


def unknown_fields_with_hints(model: BaseModel) -> tuple[tuple[str, str | None], ...]:
    """Return the unknown fields, each with the known field of the same object that it looks like, or None."""
    return tuple((path, suggestion(path, known)) for path, known in _unknown(model, ""))


def suggestion(path: str, known: tuple[str, ...]) -> str | None:
    """Return the one of ``known`` that the last part of ``path`` was probably meant to be, or None."""
    name = path.rpartition(".")[2]
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.75)
    return by_lower[close[0]] if close else None


def known_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the JSON names of a model's fields."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _unknown(model: BaseModel, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    dot = f"{path}." if path else ""
    for name in model.model_extra or {}:
        yield f"{dot}{name}", known_fields(type(model))
    for name, field in type(model).model_fields.items():
        yield from _unknown_within(getattr(model, name), f"{dot}{field.alias or name}")


def _unknown_within(value: Any, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(value, BaseModel):
        yield from _unknown(value, path)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _unknown_within(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, BaseModel):
                yield from _unknown(item, f"{path}.{key}")


NATIVE_ROUTER_PLUGINS = ("argoproj-labs/gatewayAPI", "rollouts.dev/weighted")
"""Router plugins that are answered natively."""


def inactive_fields(rollout_spec: Mapping[str, Any], registered: Container[str] = ()) -> tuple[str, ...]:
    """Return the path of every field of a Rollout's spec that nobody acts on.

    These are the router plugins that neither the product nor one of the ``registered`` packages answers.
    """
    return tuple(_foreign_plugins(rollout_spec, registered))


def _foreign_plugins(rollout_spec: Mapping[str, Any], registered: Container[str]) -> Iterator[str]:
    value: Any = rollout_spec
    for part in ("strategy", "canary", "trafficRouting", "plugins"):
        value = value.get(part) if isinstance(value, Mapping) else None
    for name in value if isinstance(value, Mapping) else ():
        if name not in NATIVE_ROUTER_PLUGINS and name not in registered:
            yield f'spec.strategy.canary.trafficRouting.plugins["{name}"]'
