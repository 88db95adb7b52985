"""From models to the structural schemas that a CustomResourceDefinition takes. Pure.

Every object keeps fields that it does not know (``x-kubernetes-preserve-unknown-fields``), so installing
these schemas over a live cluster prunes nothing. A large model is spelled out at one place per kind, the
shallowest; elsewhere it is free-form and its description points there. That keeps the files small and ends
recursion. Descriptions come from the docstrings, for ``kubectl explain``.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import types
import typing
from collections import deque
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel

from rollouts.api.podschema import POD_TEMPLATE, PRESERVE, Schema

LARGE = 30
"""Fields, counted with all that is inside, from which on a repeated model is not spelled out again."""

_SCALARS: dict[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_METADATA = "metadata"

_SELECTOR: Schema = {
    "type": "object",
    "description": "Selects the pods, and must match the labels of the template.",
    "x-kubernetes-map-type": "atomic",
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
        "matchExpressions": {
            "type": "array",
            "x-kubernetes-list-type": "atomic",
            "items": {
                "type": "object",
                "required": ["key", "operator"],
                "properties": {
                    "key": {"type": "string"},
                    "operator": {"type": "string"},
                    "values": {
                        "type": "array",
                        "items": {"type": "string"},
                        "x-kubernetes-list-type": "atomic",
                    },
                },
            },
        },
    },
}
_FIXED: dict[str, Schema] = {
    "RolloutSpec.selector": {
        **_SELECTOR,
        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": ".spec.selector is immutable"}],
    },
    "RolloutSpec.template": POD_TEMPLATE,
    "ExperimentTemplate.selector": _SELECTOR,
    "ExperimentTemplate.template": POD_TEMPLATE,
    "ExperimentStepTemplate.selector": _SELECTOR,
}
"""Fields that are raw in the models but have a known shape, by model and attribute."""


def kind_schema(model: type[BaseModel]) -> Schema:
    """Return the schema of a kind. ``metadata`` is left to the API server.

    Raises:
        TypeError: a field whose type has no structural form; the text names it.
    """
    places = _first_places(model)
    schema = _object_schema(model, "", places)
    del schema[PRESERVE]
    schema["properties"][_METADATA] = {"type": "object"}
    return schema


def _first_places(model: type[BaseModel]) -> dict[type[BaseModel], str]:
    """Return where each large model is spelled out: at its shallowest place, ``spec`` before the rest."""
    places: dict[type[BaseModel], str] = {}
    waiting: deque[tuple[type[BaseModel], str]] = deque([(model, "")])
    while waiting:
        current, path = waiting.popleft()
        for name, inner in sorted(_inner_models(current), key=lambda pair: pair[0] != "spec"):
            where = f"{path}.{name}" if path else name
            if inner in places:
                continue
            if _size(inner) >= LARGE:
                places[inner] = where
            waiting.append((inner, where))
    return places


def _inner_models(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            yield field.alias or name, inner


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


@cache
def _size(model: type[BaseModel]) -> int:
    return _count(model, frozenset())


def _count(model: type[BaseModel], above: frozenset[type[BaseModel]]) -> int:
    if model in above:
        return LARGE
    inside = sum(_count(inner, above | {model}) for _, inner in _inner_models(model))
    return len(model.model_fields) + inside


def _object_schema(model: type[BaseModel], path: str, places: dict[type[BaseModel], str]) -> Schema:
    schema: Schema = {"type": "object", PRESERVE: True}
    described = _plain(inspect.getdoc(model) or "")
    place = places.get(model, path)
    if place != path:
        return {**schema, "description": f"{described} Its fields are those of {place}."}
    properties: Schema = {}
    docs = _attribute_docs(model)
    for name, field in model.model_fields.items():
        alias = field.alias or name
        where = f"{path}.{alias}" if path else alias
        fixed = _FIXED.get(f"{model.__name__}.{name}")
        properties[alias] = fixed or _field_schema(field.annotation, where, places)
        if name in docs:
            properties[alias] = {**properties[alias], "description": docs[name]}
    schema.update(description=described, properties=properties)
    required = [f.alias or n for n, f in model.model_fields.items() if f.is_required()]
    return {**schema, "required": sorted(required)} if required else schema


def _field_schema(annotation: Any, path: str, places: dict[type[BaseModel], str]) -> Schema:
    if annotation in _SCALARS:
        return {"type": _SCALARS[annotation]}
    if annotation is Any:
        return {PRESERVE: True}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _object_schema(annotation, path, places)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _field_schema(arguments[0], path, places)
    if origin in (typing.Union, types.UnionType):
        return _union_schema(arguments, path, places)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return {"type": "array", "items": _field_schema(arguments[0], path, places)}
    if origin is dict and arguments[0] is str:
        if arguments[1] is Any:
            return {"type": "object", PRESERVE: True}
        return {"type": "object", "additionalProperties": _field_schema(arguments[1], path, places)}
    raise TypeError(f"{path}: {annotation!r} has no structural schema")


def _union_schema(arguments: tuple[Any, ...], path: str, places: dict[type[BaseModel], str]) -> Schema:
    branches = [argument for argument in arguments if argument is not type(None)]
    if set(branches) == {int, str}:
        return {"x-kubernetes-int-or-string": True}
    if len(branches) != 1:
        raise TypeError(f"{path}: a union of {branches!r} has no structural schema")
    return _field_schema(branches[0], path, places)


@cache
def _attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings that stand below fields, with those of the base models."""
    docs: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if isinstance(base, type) and issubclass(base, BaseModel) and base is not BaseModel:
            docs.update(_module_docs(base.__module__).get(base.__name__, {}))
    return docs


@cache
def _module_docs(module: str) -> dict[str, dict[str, str]]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: dict(_documented(node.body)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            yield field.target.id, _plain(str(below.value.value))


def _plain(text: str) -> str:
    """Return a docstring as one line of plain text."""
    unmarked = re.sub(r"``([^`]*)``", r"\1", text)
    return " ".join(unmarked.split())
