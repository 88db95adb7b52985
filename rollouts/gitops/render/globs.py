"""File globs as Argo CD's directory sources take them. Pure.

``*`` and ``?`` stay within a folder's name, ``**`` does not, ``[…]`` is a class, and a list of several globs
stands in braces: ``{a.yaml,b/*.yaml}``.
"""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a glob. Raises ValueError for an unbalanced one."""
    return re.compile(_translate(pattern))


def _translate(pattern: str) -> str:
    out, depth, i = "", 0, 0
    while i < len(pattern):
        char = pattern[i]
        if pattern.startswith("**", i):
            out, i = out + ".*", i + 2
            continue
        if char == "[":
            end = pattern.find("]", i + 2)
            if end < 0:
                raise ValueError(f"glob {pattern!r}: '[' at position {i} has no ']'")
            inner = pattern[i + 1 : end].replace("\\", r"\\")
            out, i = f"{out}[{'^' + inner[1:] if inner[0] in '!^' else inner}]", end + 1
            continue
        depth += (char == "{") - (char == "}")
        out, i = out + _piece(char, depth), i + 1
    if depth:
        raise ValueError(f"glob {pattern!r}: braces do not match")
    return out


def _piece(char: str, depth: int) -> str:
    match char:
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case "{":
            return "(?:"
        case "}":
            return ")"
        case "," if depth:
            return "|"
        case _:
            return re.escape(char)


def matches(pattern: str, text: str) -> bool:
    """Tell whether a glob matches the whole text. Raises ValueError for an unbalanced glob."""
    return compiled(pattern).fullmatch(text) is not None
