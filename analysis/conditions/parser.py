"""Pratt parser: tokens straight to closures, in expr-lang's grammar and precedence."""

from __future__ import annotations

from typing import Any

from analysis.conditions.builtins import FUNCTIONS
from analysis.conditions.closures import bind, second
from analysis.conditions.cursor import DEEPEST
from analysis.conditions.errors import ConditionError
from analysis.conditions.lexer import Kind
from analysis.conditions.operands import CONSTANTS, Operands
from analysis.conditions.operators import (
    BINARY,
    CHAINED,
    NEGATABLE,
    RIGHT_TO_LEFT,
    binary,
    matches,
    unary,
)
from analysis.conditions.predicates import PREDICATES
from analysis.conditions.scope import Known, Node, Scope
from analysis.conditions.values import boolean


def parse(source: str) -> Node:
    """Compile a whole condition. Raises ConditionError with the column and what was expected."""
    parser = _Parser(source)
    node = parser.sequence()
    if parser.token.kind is not Kind.END:
        raise parser.unexpected("an operator or the end")
    return node


class _Parser(Operands):
    """Parses operators by how tightly they bind."""

    def sequence(self) -> Node:
        """``a; b``: all are evaluated, the last one counts."""
        node = self.expression(0)
        while self.take(";"):
            first, last = node, self.expression(0)
            node = self.node(second(first.run, last.run), last.column, first, last, known=last.known)
        return node

    def expression(self, power: int) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ConditionError("the condition is nested too deeply", self.token.column)
        try:
            if power == 0 and self.is_op("let"):
                return self.declaration()
            if power == 0 and self.is_op("if"):
                return self.if_else()
            node = self.operators(self.primary(), power)
            return self.conditional(node) if power == 0 else node
        finally:
            self.depth -= 1

    def operators(self, left: Node, power: int) -> Node:
        previous = ""
        while self.token.kind is Kind.OPERATOR:
            following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
            negated = self.is_op("not") and following.kind is Kind.OPERATOR and following.value in NEGATABLE
            token = following if negated else self.token
            symbol = str(token.value)
            if symbol not in BINARY or BINARY[symbol] < power:
                break
            if previous == "??" and symbol not in ("??", "|"):
                raise ConditionError(f"{symbol} and ?? cannot be mixed; put one in parentheses", token.column)
            self.at += 2 if negated else 1
            left = self.operation(left, symbol, token.column)
            if negated:
                left = self.counted(unary("not", left, token.column))
            previous = symbol
        return left

    def operation(self, left: Node, symbol: str, column: int) -> Node:
        if symbol == "|":
            return self.pipe(left)
        if symbol in CHAINED:
            return self.comparison(left, symbol, column)
        right_token = self.token
        right = self.expression(BINARY[symbol] + (symbol not in RIGHT_TO_LEFT))
        if symbol == "matches":
            alone = right_token.kind is Kind.STRING and right.height == 1
            run = matches(left, right, str(right_token.value) if alone else None)
            return self.node(run, column, left, right, known=Known.ALWAYS)
        return self.counted(binary(symbol, left, right, column))

    def comparison(self, left: Node, symbol: str, column: int) -> Node:
        whole: Node | None = None
        while True:
            right = self.expression(BINARY[symbol] + 1)
            part = self.counted(binary(symbol, left, right, column))
            whole = part if whole is None else self.counted(binary("&&", whole, part, column))
            if not self.is_op(*CHAINED):
                return whole
            token, left = self.next(), right
            symbol, column = str(token.value), token.column

    def pipe(self, left: Node) -> Node:
        token = self.token
        if token.kind is not Kind.NAME:
            raise self.unexpected("a function's name after |")
        self.next()
        if not self.is_op("("):
            raise self.unexpected("'(' after the function's name")
        return self.postfix(self.call(str(token.value), token.column, left))

    def declaration(self) -> Node:
        self.next()
        name = self.next()
        if name.kind is not Kind.NAME:
            raise ConditionError(f"expected a name after let, found {name.shown()}", name.column)
        if name.value in FUNCTIONS or name.value in PREDICATES or name.value in ("result", *CONSTANTS):
            raise ConditionError(f"let cannot redefine {name.value}", name.column)
        self.expect("=")
        value = self.expression(0)
        self.expect(";")
        self.slots += 1
        slot, outer = self.slots, self.names
        self.names = {**outer, str(name.value): slot}
        body = self.sequence()
        self.names = outer
        return self.node(bind(slot, value.run, body.run), name.column, value, body, known=body.known)

    def if_else(self) -> Node:
        column = self.next().column
        condition = self.expression(0)
        self.expect("{")
        then = self.sequence()
        self.expect("}")
        self.expect("else")
        if self.is_op("if"):
            otherwise = self.if_else()
        else:
            self.expect("{")
            otherwise = self.sequence()
            self.expect("}")
        return self.choice(condition, then, otherwise, column)

    def conditional(self, node: Node) -> Node:
        while self.is_op("?"):
            column = self.next().column
            then = node if self.is_op(":") else self.expression(0)
            self.expect(":")
            node = self.choice(node, then, self.expression(0), column)
        return node

    def choice(self, condition: Node, then: Node, otherwise: Node, column: int) -> Node:
        def run(scope: Scope) -> Any:
            return (then if boolean(condition.run(scope), "?:") else otherwise).run(scope)

        return self.node(run, column, condition, then, otherwise)
