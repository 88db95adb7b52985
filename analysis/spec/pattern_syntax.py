"""Reading a pattern of ``analysis.spec.patterns`` into the states of an automaton."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LONGEST_PATTERN = 1_000
MOST_STATES = 3_000
_DEEPEST = 50

CharTest = Callable[[str], bool]


class PatternError(ValueError):
    """The pattern is not understood, or would cost too much."""


def is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def _is_digit(char: str) -> bool:
    return "0" <= char <= "9"


def _is_space(char: str) -> bool:
    return char in "\t\n\f\r "


_ESCAPED_CLASSES: dict[str, CharTest] = {"d": _is_digit, "w": is_word, "s": _is_space}
_NAMED_CLASSES: dict[str, CharTest] = {
    "alpha": lambda c: c.isascii() and c.isalpha(),
    "digit": _is_digit,
    "alnum": lambda c: c.isascii() and c.isalnum(),
    "upper": lambda c: "A" <= c <= "Z",
    "lower": lambda c: "a" <= c <= "z",
    "space": lambda c: c in "\t\n\v\f\r ",
    "word": is_word,
    "punct": lambda c: c.isascii() and c.isprintable() and not c.isalnum() and c != " ",
}
_ESCAPED_CHARS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


@dataclass(slots=True)
class State:
    """One state: a character test, a position test, or a fork without either."""

    test: CharTest | None = None
    assertion: str = ""
    next: int = -1
    other: int = -1


@dataclass(frozen=True, slots=True)
class _Fragment:
    """A half-built automaton: where it starts, and the one empty state where it ends."""

    start: int
    end: int


class Compiler:
    """Recursive descent over the pattern; builds states as it goes."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        self.states: list[State] = []
        self.fold = False
        self.multiline = False
        self.dot_all = False
        self.depth = 0

    def error(self, message: str) -> PatternError:
        return PatternError(f"in pattern {self.text[:60]!r} at character {self.at + 1}: {message}")

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def state(self, **fields: object) -> int:
        if len(self.states) >= MOST_STATES:
            raise self.error("the pattern is too large")
        self.states.append(State(**fields))  # type: ignore[arg-type]
        return len(self.states) - 1

    def alternatives(self) -> _Fragment:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.error("groups are nested too deeply")
        branches = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.sequence())
        self.depth -= 1
        result = branches[0]
        for branch in branches[1:]:
            end = self.state()
            start = self.state(next=result.start, other=branch.start)
            self.states[result.end].next = end
            self.states[branch.end].next = end
            result = _Fragment(start, end)
        return result

    def sequence(self) -> _Fragment:
        first = last = self.state()
        while self.peek() not in ("", "|", ")"):
            begin = self.at
            part = self.repeated(begin, self.atom())
            self.states[last].next = part.start
            last = part.end
        return _Fragment(first, last)

    def repeated(self, begin: int, part: _Fragment) -> _Fragment:
        end_of_atom = self.at
        bounds = self.bounds()
        if bounds is None:
            return part
        low, high = bounds
        after = self.at
        if self.bounds() is not None:
            raise self.error("a repetition is repeated; put the inner one in a group")
        first = last = self.state()
        copies = high if high is not None else max(low, 1)
        used = False
        for index in range(copies):
            copy = part if not used else self.again(begin, end_of_atom)
            used = True
            last = self.link(last, copy, optional=index >= low, loop=high is None and index == copies - 1)
        self.at = after
        return _Fragment(first, last)

    def again(self, begin: int, end_of_atom: int) -> _Fragment:
        """Build the atom once more from its text."""
        self.at = begin
        part = self.atom()
        if self.at != end_of_atom:
            raise self.error("unbalanced repetition")
        return part

    def link(self, last: int, part: _Fragment, *, optional: bool, loop: bool) -> int:
        end = self.state()
        entry = self.state(next=part.start, other=end if optional else -1)
        self.states[last].next = entry
        if loop:
            self.states[part.end].next = self.state(next=part.start, other=end)
        else:
            self.states[part.end].next = end
        return end

    def bounds(self) -> tuple[int, int | None] | None:
        char = self.peek()
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if char in simple and char:
            self.at += 1
            found = simple[char]
        elif char == "{":
            counted = self.counted()
            if counted is None:
                return None
            found = counted
        else:
            return None
        if self.peek() == "?":
            self.at += 1
        return found

    def counted(self) -> tuple[int, int | None] | None:
        close = self.text.find("}", self.at)
        low, comma, high = self.text[self.at + 1 : close].partition(",")
        if close < 0 or not low.isdigit() or (high and not high.isdigit()):
            return None
        least = int(low[:6])
        most = int(high[:6]) if high else (None if comma else least)
        if least > MOST_STATES or (most is not None and (most > 1_000 or most < least)):
            raise self.error("the repetition's bounds must be in order and at most 1000")
        self.at = close + 1
        return least, most

    def atom(self) -> _Fragment:
        char = self.peek()
        self.at += 1
        if char == "(":
            return self.group()
        if char == "[":
            return self.single(self.char_class())
        if char == ".":
            everything = self.dot_all
            return self.single(lambda c: everything or c != "\n")
        if char == "^":
            return self.position("line-start" if self.multiline else "start")
        if char == "$":
            return self.position("line-end" if self.multiline else "end")
        if char == "\\":
            return self.escape()
        if char in "*+?":
            raise self.error("there is nothing to repeat")
        return self.single(self.literal(char))

    def single(self, test: CharTest) -> _Fragment:
        end = self.state()
        return _Fragment(self.state(test=test, next=end), end)

    def position(self, assertion: str) -> _Fragment:
        end = self.state()
        return _Fragment(self.state(assertion=assertion, next=end), end)

    def literal(self, char: str) -> CharTest:
        if self.fold:
            folded = char.casefold()
            return lambda c: c.casefold() == folded
        return lambda c: c == char

    def group(self) -> _Fragment:
        outer = (self.fold, self.multiline, self.dot_all)
        if self.text.startswith("?", self.at):
            self.at += 1
            if self.flags_for_the_rest():
                end = self.state()
                return _Fragment(end, end)
        inner = self.alternatives()
        if self.peek() != ")":
            raise self.error("a group is not closed with ')'")
        self.at += 1
        self.fold, self.multiline, self.dot_all = outer
        return inner

    def flags_for_the_rest(self) -> bool:
        """Read what follows ``(?``; tell whether it only set flags, as ``(?i)`` does."""
        if self.text.startswith(("P<", "<"), self.at) and not self.text.startswith(("<=", "<!"), self.at):
            close = self.text.find(">", self.at)
            if close < 0:
                raise self.error("a group's name is not closed with '>'")
            self.at = close + 1
            return False
        on = True
        while (char := self.peek()) not in (":", ")"):
            if char == "-":
                on = False
            elif char == "i":
                self.fold = on
            elif char == "m":
                self.multiline = on
            elif char == "s":
                self.dot_all = on
            elif char != "U":
                raise self.error("this kind of group is not supported (no look-around, as in RE2)")
            self.at += 1
        self.at += 1
        return char == ")"

    def escape(self) -> _Fragment:
        char = self.peek()
        self.at += 1
        positions = {"A": "start", "z": "end", "b": "word", "B": "not-word"}
        if char in positions:
            return self.position(positions[char])
        return self.single(self.escaped_test(char))

    def escaped_test(self, char: str) -> CharTest:
        lower = char.lower()
        if lower in _ESCAPED_CLASSES:
            inside = _ESCAPED_CLASSES[lower]
            return inside if char == lower else lambda c: not inside(c)
        return self.literal(self.escaped_char(char))

    def escaped_char(self, char: str) -> str:
        if char in _ESCAPED_CHARS:
            return _ESCAPED_CHARS[char]
        if char == "x":
            return self.hexadecimal()
        if not char or char.isalnum():
            raise self.error(f"unknown escape \\{char}")
        return char

    def hexadecimal(self) -> str:
        close = self.text.find("}", self.at) if self.peek() == "{" else self.at + 2
        digits = self.text[self.at : close].lstrip("{")
        self.at = close + 1 if self.text[self.at : self.at + 1] == "{" else close
        try:
            return chr(int(digits, 16))
        except (ValueError, OverflowError):
            raise self.error("\\x needs hexadecimal digits") from None

    def char_class(self) -> CharTest:
        negated = self.peek() == "^"
        self.at += negated
        tests: list[CharTest] = []
        first = True
        while first or self.peek() != "]":
            if not self.peek():
                raise self.error("a class is not closed with ']'")
            tests.append(self.class_item())
            first = False
        self.at += 1
        return lambda c: any(test(c) for test in tests) != negated

    def class_item(self) -> CharTest:
        if self.text.startswith("[:", self.at):
            close = self.text.find(":]", self.at)
            name = self.text[self.at + 2 : close]
            inside = _NAMED_CLASSES.get(name.removeprefix("^"))
            if close < 0 or inside is None:
                raise self.error("unknown class name")
            self.at = close + 2
            wanted = not name.startswith("^")
            return lambda c: inside(c) == wanted
        low = self.class_char()
        if not isinstance(low, str):
            return low
        if self.peek() != "-" or self.text[self.at + 1 : self.at + 2] in ("]", ""):
            return self.literal(low)
        self.at += 1
        high = self.class_char()
        if not isinstance(high, str) or high < low:
            raise self.error("a range in a class is not in order")
        if self.fold:
            return lambda c: low <= c.lower() <= high or low <= c.upper() <= high
        return lambda c: low <= c <= high

    def class_char(self) -> str | CharTest:
        char = self.peek()
        self.at += 1
        if char != "\\":
            return char
        escaped = self.peek()
        self.at += 1
        if escaped.lower() in _ESCAPED_CLASSES:
            return self.escaped_test(escaped)
        return self.escaped_char(escaped)
