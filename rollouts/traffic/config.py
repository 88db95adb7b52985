"""Strict reading of a router's configuration: a wrong type or unknown field is an error with its path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import ValidationError

from rollouts.api.base import ApiModel
from rollouts.traffic.router import TrafficError

ROOT = "spec.strategy.canary.trafficRouting"

_Model = TypeVar("_Model", bound=ApiModel)


def parse(model: type[_Model], raw: Any, path: str, *, tolerated: frozenset[str] = frozenset()) -> _Model:
    """Return ``raw`` as ``model``. ``tolerated`` names top-level fields that older versions knew.

    Raises TrafficError with the field's path.
    """
    try:
        parsed = model.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        text = first["msg"].replace("tuple", "list")
        raise TrafficError(f"{path}{where}: {text}; correct the field") from None
    for name in _unknown(parsed):
        if name not in tolerated:
            known = ", ".join(sorted(f.alias or n for n, f in model.model_fields.items()))
            raise TrafficError(
                f"{path}.{name}: unknown field; remove it or correct its name (known: {known})"
            )
    return parsed


def require(value: str | None, path: str, meaning: str) -> str:
    """Return ``value``. Raises TrafficError when it is absent or empty."""
    if not value:
        raise TrafficError(f"{path}: must be set: {meaning}")
    return value


def _unknown(model: ApiModel) -> Iterator[str]:
    """Yield the paths of fields that no model knows."""
    yield from model.model_extra or ()
    for name, spec in type(model).model_fields.items():
        value = getattr(model, name)
        parts = enumerate(value) if isinstance(value, tuple) else ((None, value),)
        for index, part in parts:
            if isinstance(part, ApiModel):
                place = (spec.alias or name) + ("" if index is None else f"[{index}]")
                yield from (f"{place}.{inner}" for inner in _unknown(part))
