"""Kubernetes' JSONPath, the part that metrics use.

``{$.a.b}``, ``{.items[0]}``, ``[-1]``, ``[1:3]``, ``[*]``, ``['a b']``, ``['a','b']``, ``..name``, and
filters ``[?(@.code==500)]`` with ``== != < <= > >=`` or a bare path (it exists). A key that is missing gives
no hit.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

LONGEST_PATH = 1_000
MOST_HITS = 100_000

_STEP = re.compile(
    r"(?P<deep>\.\.)?\.?(?P<name>[A-Za-z_$@][\w$@-]*|\*)"
    r"|(?P<deep2>\.\.)?\.?\[(?P<inside>(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\]'\"])*)\]"
)
_FILTER = re.compile(r"^\?\(\s*@(?P<path>.*?)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>.+?))?\s*\)$")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Step = Callable[[Any], Iterator[Any]]


class JsonPathError(ValueError):
    """The path is not understood."""


def find(path: str, document: Any) -> Sequence[Any]:
    """Return what a path finds, in document order. Raises JsonPathError."""
    text = path.strip()
    if len(text) > LONGEST_PATH:
        raise JsonPathError(f"a path may have at most {LONGEST_PATH} characters")
    if not (text.startswith("{") and text.endswith("}")):
        raise JsonPathError(f"{text!r} must stand in braces, such as {{$.data.value}}")
    return _walk(_steps(text[1:-1].strip()), document)


def _walk(steps: Sequence[Step], document: Any) -> list[Any]:
    found = [document]
    for step in steps:
        following: list[Any] = []
        for value in found:
            following.extend(step(value))
            if len(following) > MOST_HITS:
                raise JsonPathError("the path finds too many values")
        found = following
    return found


def _steps(text: str) -> list[Step]:
    at = 1 if text.startswith("$") or text.startswith("@") else 0
    steps: list[Step] = []
    if text[at:] == ".":
        return steps
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (match["name"] and at > 0 and text[at] not in ".") or match.end() == at:
            raise JsonPathError(f"unexpected {text[at : at + 20]!r}")
        if match["deep"] or match["deep2"]:
            steps.append(_descend)
        steps.append(_bracket(match["inside"]) if match["name"] is None else _named(match["name"]))
        at = match.end()
    return steps


def _named(name: str) -> Step:
    return _every if name == "*" else lambda value: _key(value, name)


def _key(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict) and name in value:
        yield value[name]


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (value[key] for key in sorted(value))
    elif isinstance(value, list):
        yield from value


def _descend(value: Any) -> Iterator[Any]:
    waiting = [value]
    while waiting:
        current = waiting.pop(0)
        yield current
        waiting.extend(_every(current))


def _bracket(inside: str) -> Step:
    text = inside.strip()
    if text == "*":
        return _every
    if text.startswith("?"):
        return _filter(text)
    if text[:1] in ("'", '"'):
        names = [part.strip() for part in re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", text)]
        keys = [re.sub(r"\\(.)", r"\1", name[1:-1]) for name in names]
        return lambda value: (hit for key in keys for hit in _key(value, key))
    if re.fullmatch(r"-?\d+(\s*,\s*-?\d+)*", text):
        indexes = [int(part) for part in text.split(",")]
        return lambda value: (hit for index in indexes for hit in _at(value, index))
    bounds = re.fullmatch(r"(-?\d*):(-?\d*)(?::(\d+))?", text)
    if bounds is None:
        raise JsonPathError(f"unexpected [{text[:40]}]")
    chosen = slice(*(int(part) if part else None for part in bounds.groups()))
    return lambda value: iter(value[chosen]) if isinstance(value, list) else iter(())


def _at(value: Any, index: int) -> Iterator[Any]:
    if isinstance(value, list) and -len(value) <= index < len(value):
        yield value[index]


def _filter(text: str) -> Step:
    match = _FILTER.match(text)
    if match is None:
        raise JsonPathError(f"unexpected filter [{text[:40]}]")
    steps = _steps("@" + match["path"])
    if match["op"] is None:
        return lambda value: (item for item in _every(value) if _walk(steps, item))
    compare, wanted = _COMPARE[match["op"]], _literal(match["value"])

    def keep(item: Any) -> bool:
        hits = _walk(steps, item)
        try:
            return bool(hits) and compare(hits[0], wanted)
        except TypeError:
            return False

    return lambda value: (item for item in _every(value) if keep(item))


def _literal(text: str) -> Any:
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        raise JsonPathError(f"{text[:40]!r} is neither a quoted string nor a number") from None
