"""Text to tokens, with the column of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from analysis.conditions.errors import ConditionError

LONGEST_TEXT = 8_192


class Kind(Enum):
    """What a token is."""

    NUMBER = auto()
    STRING = auto()
    NAME = auto()
    OPERATOR = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token. ``value`` is the number, the unescaped string, the name or the operator."""

    kind: Kind
    value: str | int | float
    column: int

    def shown(self) -> str:
        """Return the token as an error message names it."""
        return "the end of the condition" if self.kind is Kind.END else repr(self.value)


_NUMBER = (
    r"0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:[0-9][0-9_]*)?\.[0-9][0-9_]*(?:[eE][+-]?[0-9]+)?"
    r"|[0-9][0-9_]*(?:\.(?![.A-Za-z_]))?(?:[eE][+-]?[0-9]+)?"
)
_TOKEN = re.compile(
    rf"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
    rf"|(?P<number>{_NUMBER})"
    r"|(?P<string>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"
    r"|(?P<name>[A-Za-z_$][A-Za-z0-9_$]*)"
    r"|(?P<operator>\?\?|\?\.|\.\.|\*\*|&&|\|\||==|!=|<=|>=|[-+*/%^<>!()\[\]{},.?:;#|=])",
    re.DOTALL,
)
_WORD_OPERATORS = frozenset(
    ("and", "or", "not", "in", "matches", "contains", "startsWith", "endsWith", "let", "if", "else")
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a condition, closed by an END. Raises ConditionError with the column."""
    if len(text) > LONGEST_TEXT:
        raise ConditionError(f"a condition may have at most {LONGEST_TEXT} characters, not {len(text)}")
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ConditionError(_unexpected(text, at), at + 1)
        if match.lastgroup != "space":
            tokens.append(_token(match, at + 1))
        at = match.end()
    tokens.append(Token(Kind.END, "", len(text) + 1))
    return tokens


def _unexpected(text: str, at: int) -> str:
    return "this string is not closed" if text[at] in "\"'`" else f"unexpected character {text[at]!r}"


def _token(match: re.Match[str], column: int) -> Token:
    text = match[0]
    if match.lastgroup == "number":
        return Token(Kind.NUMBER, _number(text, column), column)
    if match.lastgroup == "string":
        return Token(Kind.STRING, _string(text, column), column)
    if match.lastgroup == "operator" or text in _WORD_OPERATORS:
        return Token(Kind.OPERATOR, text, column)
    return Token(Kind.NAME, text, column)


def _number(text: str, column: int) -> int | float:
    plain = text.replace("_", "")
    try:
        if plain[:2].lower() in ("0x", "0b", "0o"):
            value: int | float = int(plain, 0)
        elif any(mark in plain for mark in ".eE"):
            value = float(plain)
        else:
            value = int(plain) if len(plain) < 30 else 2**63
    except ValueError:
        raise ConditionError(f"{text!r} is not a number", column) from None
    if isinstance(value, int) and value >= 2**63:
        raise ConditionError(f"{text[:30]!r} is too large for a 64-bit integer", column)
    return value


def _string(text: str, column: int) -> str:
    body = text[1:-1]
    if text[0] == "`":
        return body

    def unescape(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) == 3 and code.isdigit():
            return chr(int(code, 8))
        if len(code) > 1:
            return chr(int(code[1:], 16))
        if code in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[code]
        if code in "\\\"'":
            return code
        raise ConditionError(f"unknown escape \\{code} in a string", column)

    try:
        return _ESCAPE.sub(unescape, body)
    except (ValueError, OverflowError):
        raise ConditionError("a string escape is not a character", column) from None
