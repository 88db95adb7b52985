"""Where the parser stands in the tokens, and the budget of nodes that it may make."""

from __future__ import annotations

from typing import Any

from analysis.conditions.errors import ConditionError
from analysis.conditions.lexer import Kind, Token, tokenize
from analysis.conditions.operators import located
from analysis.conditions.scope import Known, Node, Run

MOST_NODES = 1_000
DEEPEST = 60
TALLEST = 200
"""Operations that stand on each other's results, which is how deep an evaluation recurses."""


class Cursor:
    """Tokens of one compilation."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.at = 0
        self.nodes = 0
        self.depth = 0
        self.predicates = 0
        self.names: dict[str, int] = {}
        self.slots = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def next(self) -> Token:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def is_op(self, *symbols: str) -> bool:
        return self.token.kind is Kind.OPERATOR and self.token.value in symbols

    def take(self, symbol: str) -> bool:
        if self.is_op(symbol):
            self.next()
            return True
        return False

    def expect(self, symbol: str) -> Token:
        if not self.is_op(symbol):
            raise self.unexpected(repr(symbol))
        return self.next()

    def unexpected(self, wanted: str) -> ConditionError:
        return ConditionError(f"expected {wanted}, found {self.token.shown()}", self.token.column)

    def node(
        self,
        run: Run,
        column: int,
        *parts: Node,
        known: Known = Known.ANY,
        literal: bool = False,
        place: bool = True,
    ) -> Node:
        height = 1 + max((part.height for part in parts), default=0)
        return self.counted(Node(located(column, run) if place else run, column, known, height, literal))

    def counted(self, node: Node) -> Node:
        self.nodes += 1
        if self.nodes > MOST_NODES or node.height > TALLEST:
            raise ConditionError("the condition is too large", node.column)
        return node

    def constant(self, value: Any, column: int) -> Node:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        known = Known.ANY if value is None else Known.ALWAYS
        return self.node(lambda scope: value, column, known=known, literal=number, place=False)
