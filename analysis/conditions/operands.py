"""Operands: literals, names, access by field and index, calls."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.conditions.builtins import FUNCTIONS, Function
from analysis.conditions.closures import chain, method, not_an_integer, nothing, required, without_body
from analysis.conditions.cursor import Cursor
from analysis.conditions.errors import ConditionError
from analysis.conditions.lexer import Kind, Token
from analysis.conditions.operators import (
    UNARY,
    unary,
)
from analysis.conditions.predicates import PREDICATES, WITHOUT_BODY, reduce, sort_by
from analysis.conditions.scope import Known, Node, Run, Scope
from analysis.conditions.values import described, fetch, sliced, text

CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "nil": None}
_SPECIAL = frozenset(("sortBy", "reduce"))


_OF_ANY_TYPE = frozenset(("default", "first", "last", "get", "fromJSON", "max", "min"))


class Operands(Cursor):
    """Parses what stands between operators."""

    @abstractmethod
    def expression(self, power: int) -> Node:
        """Parse operands and operators that bind at least as tightly as ``power``."""

    @abstractmethod
    def sequence(self) -> Node:
        """Parse expressions that are separated by ``;``."""

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
        if name in CONSTANTS:
            return self.constant(CONSTANTS[name], token.column)
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

    def postfix(self, node: Node) -> Node:
        optional = False
        while self.is_op(".", "?.", "["):
            token = self.next()
            if token.value == "?.":
                optional = True
                node = self.node(required(node.run), token.column, node, place=False)
            bracket = token.value == "[" or (token.value == "?." and self.take("["))
            node = self.index(node, token.column) if bracket else self.member(node)
        return self.node(chain(node.run), node.column, node, place=False) if optional else node

    def member(self, node: Node) -> Node:
        token = self.next()
        is_word = token.kind is Kind.OPERATOR and str(token.value).isalpha()
        if token.kind is not Kind.NAME and not is_word:
            raise ConditionError(f"expected a field's name, found {token.shown()}", token.column)
        name, run_container = str(token.value), node.run
        if self.is_op("("):
            self.next()
            self.expect(")")
            return self.node(method(name, run_container), token.column, node, known=Known.ALWAYS)

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
        first, last = low.run if low else nothing, high.run if high else nothing

        def run(scope: Scope) -> Any:
            whole = container(scope)
            part = sliced(whole, first(scope), last(scope))
            scope.sized(len(part))
            return part

        return self.node(run, column, *(part for part in (node, low, high) if part))

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
            runs[0] = not_an_integer(name, runs[0])

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
            run = without_body(each, items.run)
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
