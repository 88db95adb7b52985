"""YAML as Kubernetes reads it: the meaning is that of JSON, and what would surprise is refused.

Differences from plain PyYAML: dates and ``12:30:45`` are strings, ``1e3`` is a number, ``1.0`` is the
integer 1 (as in JSON written by Go), keys are strings; a key that occurs twice, NaN and infinity are
errors. Aliases are expanded up to a limit, and size and nesting have limits too, since manifests come from
repositories that others write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_NODES: Final = 1_000_000
"""Nodes of all documents after aliases are expanded."""
MAX_DEPTH: Final = 100

_MAX_INT64 = 2**63
_PREFIX = "tag:yaml.org,2002:"
_MERGE = f"{_PREFIX}merge"
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    re.ASCII,
)


class YamlError(ValueError):
    """Text that is not acceptable YAML. ``line`` and ``column`` start at 1; 0 when they are not known."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(f"line {line}, column {column}: {message}" if line else message)
        self.line = line
        self.column = column
        self.message = message


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file. ``lines`` has the line of every field, by path: ``("spec", "steps", 0)``."""

    manifest: dict[str, Any]
    line: int
    lines: dict[tuple[str | int, ...], int]

    def line_of(self, path: tuple[str | int, ...]) -> int:
        """Return the line of a field, or of the nearest one around it that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)


def load_all(text: str | bytes) -> list[dict[str, Any]]:
    """Return the objects of all documents; empty documents are left out.

    Raises:
        YamlError: not YAML, not UTF-8, a document that is no mapping, a duplicate key, a value that JSON
            cannot have, or a limit exceeded.
    """
    reader = _Reader(track_lines=False)
    return [reader.document(node).manifest for node in _nodes(text)]


def load_documents(text: str | bytes) -> list[Document]:
    """Return the objects of all documents with the line of each field. Raises as ``load_all`` does."""
    reader = _Reader(track_lines=True)
    return [reader.document(node) for node in _nodes(text)]


def _nodes(text: str | bytes) -> list[Node]:
    source = _decoded(text)
    try:
        composed = list(yaml.compose_all(source, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise YamlError(line, column, error.problem or "not valid YAML") from None
    except yaml.YAMLError as error:
        raise YamlError(0, 0, f"not valid YAML: {getattr(error, 'reason', '') or error}") from None
    except RecursionError:
        raise YamlError(0, 0, f"nested deeper than {MAX_DEPTH} levels") from None
    return [node for node in composed if node is not None and not _is_empty(node)]


def _decoded(text: str | bytes) -> str:
    if len(text) > MAX_BYTES:
        raise YamlError(0, 0, f"{len(text)} bytes are more than the limit of {MAX_BYTES}")
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError(0, 0, f"not UTF-8: byte {error.start} cannot be read") from None


def _is_empty(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == f"{_PREFIX}null"


class _Loader(yaml.CSafeLoader):
    """Composes nodes; only the rules for plain scalars differ from YAML 1.1."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag.removeprefix(_PREFIX) in ("bool", "null", "merge")]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    f"{_PREFIX}int", re.compile(f"^(?:{_INT.pattern})$", re.ASCII), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    f"{_PREFIX}float", re.compile(f"^(?:{_FLOAT.pattern})$", re.ASCII), list("-+0123456789.")
)


class _Reader:
    """Turns nodes into JSON values, counting them and remembering lines when asked."""

    def __init__(self, *, track_lines: bool) -> None:
        self._left = MAX_NODES
        self._lines: dict[tuple[str | int, ...], int] | None = {} if track_lines else None

    def document(self, node: Node) -> Document:
        if not isinstance(node, MappingNode):
            raise _error(node, "an object was wanted here: a document must be a mapping of fields")
        if self._lines is not None:
            self._lines = {}
        manifest = cast("dict[str, Any]", self._value(node, ()))
        return Document(manifest, node.start_mark.line + 1, self._lines or {})

    def _value(self, node: Node, path: tuple[str | int, ...]) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _error(node, f"more than {MAX_NODES} values once aliases are expanded")
        if len(path) > MAX_DEPTH:
            raise _error(node, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        return _scalar(node)

    def _item(self, node: Node, path: tuple[str | int, ...]) -> Any:
        if self._lines is not None:
            self._lines[path] = node.start_mark.line + 1
        return self._value(node, path)

    def _mapping(self, node: MappingNode, path: tuple[str | int, ...]) -> dict[str, Any]:
        own: dict[str, Any] = {}
        inherited: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                inherited = {**self._merged(value_node, path), **inherited}
                continue
            key = _key(key_node)
            if key in own:
                raise _error(key_node, f'key "{key}" occurs twice in the same mapping')
            if self._lines is not None:
                self._lines[(*path, key)] = key_node.start_mark.line + 1
            own[key] = self._value(value_node, (*path, key))
        return {**inherited, **own} if inherited else own

    def _merged(self, node: Node, path: tuple[str | int, ...]) -> dict[str, Any]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for source in sources:
            if not isinstance(source, MappingNode):
                raise _error(source, 'a mapping was wanted after "<<"')
            merged = {**cast("dict[str, Any]", self._value(source, (*path, "<<"))), **merged}
        return merged


def _key(node: Node) -> str:
    if not isinstance(node, ScalarNode):
        raise _error(node, 'a key must be a string; text that begins with "{{" needs quotes')
    value = _scalar(node)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(node.value)


def _scalar(node: Node) -> Any:
    text = cast("str", node.value)
    match node.tag.removeprefix(_PREFIX):
        case "str" | "timestamp" | "binary":
            return text
        case "null":
            return None
        case "bool":
            return text.lower() in ("yes", "true", "on", "y")
        case "int":
            return _integer(node, text)
        case "float":
            return _number(node, text)
        case _:
            raise _error(node, f'the tag "{node.tag}" is not allowed')


def _integer(node: Node, text: str) -> int:
    digits = text.replace("_", "").lower()
    sign, digits = (-1, digits[1:]) if digits.startswith("-") else (1, digits.removeprefix("+"))
    if len(digits) > 64:
        raise _error(node, "the number has too many digits")
    try:
        if digits.startswith("0o"):
            return sign * int(digits[2:], 8)
        if digits.startswith("0") and digits.isdigit():
            return sign * int(digits, 8)
        return sign * int(digits, 0)
    except ValueError:
        raise _error(node, f'"{text}" is not an integer') from None


def _number(node: Node, text: str) -> float | int:
    if re.search("inf|nan", text, re.IGNORECASE):
        raise _error(node, f'"{text}" is not a number that JSON can have')
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        raise _error(node, f'"{text}" is not a number') from None
    if number in (float("inf"), float("-inf")):
        raise _error(node, f'"{text}" is too large a number')
    return int(number) if number.is_integer() and abs(number) < _MAX_INT64 else number


def _error(node: Node, message: str) -> YamlError:
    return YamlError(node.start_mark.line + 1, node.start_mark.column + 1, message)
