"""Patterns agree with Python's ``re`` where both speak the same language, and never hang."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.spec.patterns import PatternError, compile_pattern

AGREED = [
    "abc",
    "^abc$",
    "a|b",
    "(a|b)+c",
    "a*",
    "a+?b",
    "x?y",
    "[a-c]+",
    "[^a-c]",
    r"\d{2,3}",
    r"\w+-\d",
    r"\bfoo\b",
    "(?:ab){2}",
    "(?i)AbC",
    "^$",
    ".*",
    "a{0}",
    "a{2,}",
    "(a*)*b",
    "(a|a)*c",
    r"[\d-]+",
    "[]a]",
    "(x|yz){1,3}$",
    r"\.",
    "a(?P<n>b)c",
    r"\Bfoo",
    "(|a)b",
    "[a-zA-Z_][a-zA-Z0-9_]*$",
]
TEXTS = [
    "",
    "abc",
    "xabcx",
    "b",
    "aab",
    "foo",
    "a foo b",
    "xfoo",
    "12",
    "123-4",
    "ABC",
    "abab",
    "yz",
    "a-1",
    "]",
    ".",
]


@pytest.mark.parametrize("pattern", AGREED)
def test_a_pattern_finds_what_python_finds(pattern: str) -> None:
    compiled = compile_pattern(pattern)
    assert [compiled.found_in(t) for t in TEXTS] == [re.search(pattern, t) is not None for t in TEXTS]


@given(st.text("ab|()*+?[]^$.c", max_size=12), st.text("abc", max_size=8))
def test_random_patterns_agree_or_are_refused(pattern: str, text: str) -> None:
    try:
        compiled = compile_pattern(pattern)
        expected = re.search(pattern, text)
    except (PatternError, re.error, FutureWarning):
        return
    assert compiled.found_in(text) == (expected is not None)


@pytest.mark.parametrize("bomb", ["(a*)*b", "(a|a)*b", "(a+)+$", ".*.*.*.*.*.*x", "(a?){100}a{100}"])
def test_a_bomb_ends_quickly(bomb: str) -> None:
    started = time.perf_counter()
    try:
        assert not compile_pattern(bomb).found_in("a" * 99 + "!")
    finally:
        assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "[a",
        "*a",
        "a**",
        r"\q",
        "(?=a)",
        "(?<!a)",
        "a{5,2}",
        "(" * 80 + ")" * 80,
        "((a{500}){500})",
        "x" * 2000,
    ],
)
def test_what_is_not_understood_or_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)


def test_a_long_subject_is_refused_instead_of_matched_slowly() -> None:
    with pytest.raises(PatternError, match="too long"):
        compile_pattern("(a|b|c|d|e){50}").found_in("a" * 100_000)
