"""Pratt parser: tokens straight to closures, in expr-lang's grammar and precedence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.conditions.builtins import FUNCTIONS, METHODS, Function
from analysis.conditions.errors import ConditionError
from analysis.conditions.lexer import Kind, Token, tokenize
from analysis.conditions.operators import (
    BINARY,
    CHAINED,
    NEGATABLE,
    RIGHT_TO_LEFT,
    UNARY,
    binary,
    located,
    matches,
    unary,
)
from analysis.conditions.predicates import PREDICATES, WITHOUT_BODY, reduce, sort_by
from analysis.conditions.scope import Known, Node, Run, Scope
from analysis.conditions.values import boolean, described, fetch, shown_key, sliced, text, type_name

MOST_NODES = 1_000
DEEPEST = 60
TALLEST = 200
"""Operations that stand on each other's results, which is how deep an evaluation recurses."""

_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "nil": None}
_SPECIAL = frozenset(("sortBy", "reduce"))


class _Missing(Exception):
    """``?.`` met nil: the rest of the chain is nil."""


def parse(source: str) -> Node:
    """Compile a whole condition. Raises ConditionError with the column and what was expected."""
    parser = _Parser(source)
    node = parser.sequence()
    if parser.token.kind is not Kind.END:
        raise parser.unexpected("an operator or the end")
    return node


class _Parser:
    """State of one compilation."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.at = 0
        self.nodes = 0
        self.depth = 0
        self.predicates = 0
        self.names: dict[str, int] = {}
        self.slots = 0

    # -- tokens -----------------------------------------------------------------------------------------

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

    # -- nodes ------------------------------------------------------------------------------------------

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

    # -- grammar ----------------------------------------------------------------------------------------

    def sequence(self) -> Node:
        """``a; b``: all are evaluated, the last one counts."""
        node = self.expression(0)
        while self.take(";"):
            first, last = node, self.expression(0)
            node = self.node(_second(first.run, last.run), last.column, first, last, known=last.known)
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
        if name.value in FUNCTIONS or name.value in PREDICATES or name.value in ("result", *_CONSTANTS):
            raise ConditionError(f"let cannot redefine {name.value}", name.column)
        self.expect("=")
        value = self.expression(0)
        self.expect(";")
        self.slots += 1
        slot, outer = self.slots, self.names
        self.names = {**outer, str(name.value): slot}
        body = self.sequence()
        self.names = outer
        return self.node(_let(slot, value.run, body.run), name.column, value, body, known=body.known)

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

    def primary(self) -> Node:
        token = self.token
        if token.kind is Kind.OPERATOR and token.value in UNARY:
            self.next()
            operand = self.expression(UNARY[str(token.value)])
            return self.postfix(self.counted(unary(str(token.value), operand, token.column)))
        if self.take("("):
            node = self.sequence()
            self.expect(")")
            return self.postfix(node)
        if self.is_op("#", "."):
            return self.postfix(self.pointer())
        return self.postfix(self.atom())

    def pointer(self) -> Node:
        token = self.token
        if not self.predicates:
            raise ConditionError("# and .field stand only inside a predicate such as all(…)", token.column)
        name = ""
        if token.value == "#":
            self.next()
            if self.token.kind is Kind.NAME and self.token.column == token.column + 1:
                name = str(self.next().value)
        part = {"": 0, "index": 1, "acc": 2}.get(name)
        if part is None:
            raise ConditionError(f"unknown pointer #{name}; there are #, #index and #acc", token.column)
        known = Known.ELEMENT if part == 0 and self.elements_known else Known.ANY
        return self.node(lambda scope: scope.pointers[-1][part], token.column, known=known)

    elements_known = False
    """Whether the innermost predicate runs over ``result`` itself."""

    def atom(self) -> Node:
        token = self.next()
        if token.kind in (Kind.NUMBER, Kind.STRING):
            return self.constant(token.value, token.column)
        if token.kind is Kind.NAME:
            return self.named(token)
        if token.value == "[":
            return self.array(token.column)
        if token.value == "{":
            return self.map(token.column)
        self.at -= token.kind is not Kind.END
        raise self.unexpected("a value")

    def named(self, token: Token) -> Node:
        name = str(token.value)
        if self.is_op("("):
            return self.call(name, token.column, None)
        if name in _CONSTANTS:
            return self.constant(_CONSTANTS[name], token.column)
        if name == "result":
            return self.node(lambda scope: scope.result, token.column, known=Known.RESULT, place=False)
        if name in self.names:
            slot = self.names[name]
            return self.node(lambda scope: scope.names[slot], token.column)
        if name in FUNCTIONS or name in PREDICATES or name in _SPECIAL:
            raise ConditionError(f"{name} is a function: write {name}(…)", token.column)
        raise ConditionError(f"unknown name {name}; the measured value is called result", token.column)

    def array(self, column: int) -> Node:
        items = self.listed("]", self.expression)
        runs = [item.run for item in items]
        return self.node(lambda scope: [run(scope) for run in runs], column, *items, known=Known.ALWAYS)

    def map(self, column: int) -> Node:
        keys: list[Node] = []

        def entry(power: int) -> Node:
            keys.append(self.key())
            self.expect(":")
            return self.expression(power)

        items = self.listed("}", entry)
        pairs = [(key.run, item.run) for key, item in zip(keys, items, strict=True)]

        def run(scope: Scope) -> dict[str, Any]:
            return {text(key(scope), "a map's key"): value(scope) for key, value in pairs}

        return self.node(run, column, *keys, *items, known=Known.ALWAYS)

    def key(self) -> Node:
        token = self.token
        if self.take("("):
            node = self.sequence()
            self.expect(")")
            return node
        if token.kind in (Kind.NAME, Kind.STRING, Kind.NUMBER):
            self.next()
            return self.constant(str(token.value), token.column)
        raise self.unexpected("a key")

    def listed(self, close: str, item: Callable[[int], Node]) -> list[Node]:
        items: list[Node] = []
        while not self.take(close):
            if items:
                self.expect(",")
                if self.take(close):
                    break
            items.append(item(0))
        return items

    # -- access -----------------------------------------------------------------------------------------

    def postfix(self, node: Node) -> Node:
        optional = False
        while self.is_op(".", "?.", "["):
            token = self.next()
            if token.value == "?.":
                optional = True
                node = self.node(_required(node.run), token.column, node, place=False)
            bracket = token.value == "[" or (token.value == "?." and self.take("["))
            node = self.index(node, token.column) if bracket else self.member(node)
        return self.node(_chain(node.run), node.column, node, place=False) if optional else node

    def member(self, node: Node) -> Node:
        token = self.next()
        is_word = token.kind is Kind.OPERATOR and str(token.value).isalpha()
        if token.kind is not Kind.NAME and not is_word:
            raise ConditionError(f"expected a field's name, found {token.shown()}", token.column)
        name, run_container = str(token.value), node.run
        if self.is_op("("):
            self.next()
            self.expect(")")
            return self.node(_method(name, run_container), token.column, node, known=Known.ALWAYS)

        def run(scope: Scope) -> Any:
            container = run_container(scope)
            if not isinstance(container, dict):
                raise ConditionError(
                    f"type {described(container)} has no field {name}", empty_result=container is None
                )
            return container.get(name)

        return self.node(run, token.column, node)

    def index(self, node: Node, column: int) -> Node:
        if self.take(":"):
            return self.slice_end(node, None, column)
        low = self.expression(0)
        if self.take(":"):
            return self.slice_end(node, low, column)
        self.expect("]")
        container, key = node.run, low.run
        known = Known.ELEMENT if node.known is Known.RESULT else Known.ANY
        return self.node(lambda scope: fetch(container(scope), key(scope)), column, node, low, known=known)

    def slice_end(self, node: Node, low: Node | None, column: int) -> Node:
        high = None if self.is_op("]") else self.expression(0)
        self.expect("]")
        container = node.run
        first, last = low.run if low else _nil, high.run if high else _nil

        def run(scope: Scope) -> Any:
            whole = container(scope)
            part = sliced(whole, first(scope), last(scope))
            scope.sized(len(part))
            return part

        return self.node(run, column, *(part for part in (node, low, high) if part))

    # -- calls ------------------------------------------------------------------------------------------

    def call(self, name: str, column: int, piped: Node | None) -> Node:
        self.expect("(")
        if name in PREDICATES or name in _SPECIAL:
            return self.predicate_call(name, column, piped)
        if name not in FUNCTIONS:
            raise ConditionError(f"unknown function {name}", column)
        args = [*([piped] if piped else []), *self.listed(")", self.expression)]
        return self.function_call(name, FUNCTIONS[name], args, column)

    def function_call(self, name: str, function: Function, args: Sequence[Node], column: int) -> Node:
        few = len(args) < function.least
        if few or (function.most is not None and len(args) > function.most):
            raise ConditionError(
                f"{'not enough' if few else 'too many'} arguments to call {name}: {len(args)} given", column
            )
        run_function, runs = function.run, [arg.run for arg in args]
        if function.float_arguments and not args[0].literal:
            runs[0] = _not_an_integer(name, runs[0])

        def run(scope: Scope) -> Any:
            return run_function(scope, *[argument(scope) for argument in runs])

        known = Known.ANY if name in _OF_ANY_TYPE else Known.ALWAYS
        return self.node(run, column, *args, known=known)

    def predicate_call(self, name: str, column: int, piped: Node | None) -> Node:
        items = piped or self.expression(0)
        if self.is_op(")") and (name in WITHOUT_BODY or piped is None):
            if name not in WITHOUT_BODY:
                raise self.unexpected("',' and a predicate")
            self.next()
            each = PREDICATES[name]
            run = _without_body(each, items.run)
            return self.node(run, column, items, known=Known.ALWAYS)
        if piped is None:
            self.expect(",")
        before = self.nodes
        body = self.predicate(items)
        cost = self.nodes - before + 1
        extra = self.expression(0) if self.take(",") and not self.is_op(")") else None
        self.take(",")
        self.expect(")")
        parts = [items, body, *([extra] if extra else [])]
        return self.node(self.each(name, items, body, cost, extra, column), column, *parts)

    def each(self, name: str, items: Node, body: Node, cost: int, extra: Node | None, column: int) -> Run:
        if name == "reduce":
            start = extra.run if extra else None
            return lambda scope: reduce(scope, items.run, body.run, cost, start)
        if name == "sortBy":
            order = extra.run if extra else (lambda scope: "asc")
            return lambda scope: sort_by(scope, items.run, body.run, cost, order(scope))
        if extra is not None:
            raise ConditionError(f"too many arguments to call {name}", column)
        each = PREDICATES[name]
        return lambda scope: each(scope, items.run, body.run, cost)

    def predicate(self, items: Node) -> Node:
        outer, self.elements_known = self.elements_known, items.known is Known.RESULT
        self.predicates += 1
        try:
            if self.take("{"):
                body = self.sequence()
                self.expect("}")
                return body
            return self.expression(0)
        finally:
            self.predicates -= 1
            self.elements_known = outer


_OF_ANY_TYPE = frozenset(("default", "first", "last", "get", "fromJSON", "max", "min"))


def _nil(scope: Scope) -> None:
    return None


def _second(first: Run, last: Run) -> Run:
    def run(scope: Scope) -> Any:
        first(scope)
        return last(scope)

    return run


def _let(slot: int, value: Run, body: Run) -> Run:
    def run(scope: Scope) -> Any:
        scope.names[slot] = value(scope)
        return body(scope)

    return run


def _required(value: Run) -> Run:
    def run(scope: Scope) -> Any:
        found = value(scope)
        if found is None:
            raise _Missing
        return found

    return run


def _chain(chain: Run) -> Run:
    def run(scope: Scope) -> Any:
        try:
            return chain(scope)
        except _Missing:
            return None

    return run


def _method(name: str, value: Run) -> Run:
    def run(scope: Scope) -> Any:
        target = value(scope)
        for kind, methods in METHODS.items():
            if isinstance(target, kind) and name in methods:
                return methods[name](target)
        raise ConditionError(f"type {type_name(target)} has no method {shown_key(name)}")

    return run


def _not_an_integer(name: str, value: Run) -> Run:
    def run(scope: Scope) -> Any:
        found = value(scope)
        if type(found) is int:
            raise ConditionError(f"cannot use int as argument (type float64) to call {name}; use float(…)")
        return found

    return run


def _without_body(each: Callable[[Scope, Run, Run, int], Any], items: Run) -> Run:
    return lambda scope: each(scope, items, lambda inner: inner.pointers[-1][0], 1)
