"""The part of JSONPath that printer columns use: fields, indexes, wildcards and ``[?(@.a=="b")]``. Pure."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_STEP = re.compile(
    r"""\.?\[\?\(@\.(?P<field>[^=!\s]+)\s*(?P<op>==|!=)\s*(?P<quote>["'])(?P<value>.*?)(?P=quote)\)\]"""
    r"""|\.?\[['"](?P<quoted>[^'"\]]+)['"]\]"""
    r"""|\.?\[(?P<index>-?\d+|\*)\]"""
    r"""|\.(?P<name>(?:[^.\[\\]|\\.)+)"""
)

Step = tuple[str, str, str]


@cache
def _parse(path: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    position = 0
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    text = text if text.startswith((".", "[")) else f".{text}"
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            return ()
        position = found.end()
        if found["field"]:
            steps.append(("filter", found["field"], found["op"] + found["value"]))
        elif found["index"]:
            steps.append(("index", found["index"], ""))
        else:
            steps.append(("name", (found["quoted"] or found["name"]).replace("\\.", "."), ""))
    return tuple(steps)


def first_value(obj: Any, path: str) -> Any:
    """Return the first value at ``path``, None when there is none or the path is not understood."""
    values = [obj]
    steps = _parse(path)
    if not steps:
        return None
    for step in steps:
        values = [found for value in values for found in _follow(value, step)]
    return values[0] if values else None


def _follow(value: Any, step: Step) -> list[Any]:
    kind, key, test = step
    if kind == "name":
        return [value[key]] if isinstance(value, dict) and value.get(key) is not None else []
    if not isinstance(value, list):
        return []
    if kind == "filter":
        wanted, equal = test[2:], test[:2] == "=="
        return [v for v in value if isinstance(v, dict) and (str(v.get(key, "")) == wanted) is equal]
    if key == "*":
        return value
    index = int(key)
    return [value[index]] if -len(value) <= index < len(value) else []
