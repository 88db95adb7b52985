"""Regular expressions in linear time, as Go's ``regexp`` promises: no pattern can hang the process.

The syntax is the part of RE2 that rules and conditions use: literals, ``.``, classes (``[a-z]``, ``\\d``,
``\\w``, ``\\s`` and their negations, ``[:alpha:]`` names), groups (also ``(?:…)``, ``(?P<n>…)``,
``(?i)``), ``|``, ``* + ? {m,n}`` and their lazy forms, ``^ $ \\A \\z \\b \\B``. Look-around and
back-references do not exist there either. Matching simulates all states at once (Thompson 1968), so it
costs at most states × characters steps, and that product is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.spec.pattern_syntax import LONGEST_PATTERN, Compiler, PatternError, State, is_word

__all__ = ["LONGEST_PATTERN", "MOST_STEPS", "Pattern", "PatternError", "compile_pattern"]

MOST_STEPS = 3_000_000


class Pattern:
    """A compiled pattern. ``found_in`` tells whether it matches anywhere in a text."""

    def __init__(self, states: Sequence[State], start: int, end: int) -> None:
        self._states = states
        self._start = start
        self._end = end

    def cost(self, text: str) -> int:
        """Return the most steps that matching this text can take."""
        return len(self._states) * (len(text) + 1)

    def found_in(self, text: str) -> bool:
        """Tell whether the pattern matches some part of ``text``.

        Raises PatternError when states × characters is over the budget.
        """
        if self.cost(text) > MOST_STEPS:
            raise PatternError(f"matching {len(text)} characters against this pattern would take too long")
        current: set[int] = set()
        for index in range(len(text) + 1):
            self._follow(self._start, current, text, index)
            if self._end in current:
                return True
            if index == len(text):
                return False
            current = self._step(current, text, index)
            if self._end in current:
                return True
        return False

    def _step(self, current: set[int], text: str, index: int) -> set[int]:
        char, following = text[index], set[int]()
        for number in current:
            state = self._states[number]
            if state.test is not None and state.test(char):
                self._follow(state.next, following, text, index + 1)
        return following

    def _follow(self, number: int, into: set[int], text: str, index: int) -> None:
        waiting = [number]
        while waiting:
            number = waiting.pop()
            if number < 0 or number in into:
                continue
            state = self._states[number]
            if state.assertion and not _holds(state.assertion, text, index):
                continue
            into.add(number)
            if state.test is None:
                waiting.extend((state.next, state.other))


def _holds(assertion: str, text: str, index: int) -> bool:
    if assertion == "start":
        return index == 0
    if assertion == "end":
        return index == len(text)
    if assertion == "line-start":
        return index == 0 or text[index - 1] == "\n"
    if assertion == "line-end":
        return index == len(text) or text[index] == "\n"
    before = index > 0 and is_word(text[index - 1])
    after = index < len(text) and is_word(text[index])
    return (before != after) == (assertion == "word")


def compile_pattern(pattern: str) -> Pattern:
    """Compile an RE2-like pattern. Raises PatternError with the character that is not understood."""
    if len(pattern) > LONGEST_PATTERN:
        raise PatternError(f"a pattern may have at most {LONGEST_PATTERN} characters, not {len(pattern)}")
    compiler = Compiler(pattern)
    whole = compiler.alternatives()
    if compiler.at < len(pattern):
        raise compiler.error("unexpected ')'")
    return Pattern(compiler.states, whole.start, whole.end)
