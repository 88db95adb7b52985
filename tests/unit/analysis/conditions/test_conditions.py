"""The corpus: conditions × results → value or error."""

import contextlib
import math
import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.conditions.condition import Phase, assess, compile_condition, compile_expression
from analysis.conditions.errors import ConditionError
from analysis.conditions.values import FloatVector, from_json, go_float

UPSTREAM = (
    Path(os.environ.get("ROLLOUTS_UPSTREAM_DATA", Path(__file__).parents[5] / "shared" / "data" / "upstream"))
    / "argo-rollouts"
    / "examples"
)
NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
NAN = math.nan


def vector(*values: float) -> FloatVector:
    return FloatVector(values)


def evaluate(source: str, result: Any = None) -> Any:
    return compile_expression(source).evaluate(result, NOW)


REAL_CONDITIONS = [
    ("result[0] >= 0.95", vector(0.96), True),
    ("result[0] >= 0.95", vector(0.94), False),
    ("result[0] >= 0.95", vector(NAN), False),
    ("len(result) == 0 || isNaN(result[0]) || result[0] < 0.05", vector(), True),
    ("len(result) == 0 || isNaN(result[0]) || result[0] < 0.05", vector(NAN), True),
    ("len(result) == 0 || isNaN(result[0]) || result[0] < 0.05", vector(0.1), False),
    ("isNaN(result) || result >= 0.95", NAN, True),
    ("all(result, # < 0.5)", vector(0.1, 0.4), True),
    ("all(result, {# < 0.5})", vector(0.1, 0.6), False),
    ("any(result, # > 1) && !none(result, {# > 1})", vector(0.0, 2.0), True),
    ("one(result, # > 1)", vector(2.0, 2.0), False),
    ("asInt(result) <= 500", "499", True),
    ("asFloat(result) < 0.5", "0.25", True),
    ("default(result, 0) < 0.05", None, True),
    ("default(result[0], 0) < 0.05", 0.5, "error"),
    ("isNil(result) or result < 1", None, True),
    ("result.status == 'ok'", {"status": "ok"}, True),
    ("result.ok && result.successPercent >= 0.90", {"ok": True, "successPercent": 0.95}, True),
    ("result.data.items[0].value in ['a', 'b']", {"data": {"items": [{"value": "b"}]}}, True),
    ("result?.data?.x == nil", {"data": None}, True),
    ("(result.missing ?? 3) == 3", {}, True),
    ("result matches '^v[0-9]+'", "v12", True),
    ("result not matches '^v'", "x", True),
    ("result contains 'world' and result startsWith 'hello' and result endsWith 'd'", "hello world", True),
    ("result == 'true'", "true", True),
    ("count(result, # > 0.5) <= 1", vector(0.6, 0.4), True),
    ("sum(map(result, # * 2)) == 6", vector(1.0, 2.0), True),
    ("filter(result, .code >= 500) | len() == 1", [{"code": 500.0}, {"code": 200.0}], True),
    ("max(result) - min(result) < 1", vector(0.1, 0.9), True),
    ("mean(result) == 2 && median(result) == 2", vector(1.0, 2.0, 3.0), True),
    ("result[-1] == 3 && len(result[1:]) == 2 && len(result[:1]) == 1", vector(1.0, 2.0, 3.0), True),
    ("date(result) > now() - duration('1h')", "2026-01-31T11:30:00Z", True),
    ("let x = result[0]; x > 1 && x < 3", vector(2.0), True),
    ("1 < result[0] < 3", vector(2.0), True),
    ("result[0] > 1 ? true : false", vector(2.0), True),
    ("not (result[0] > 1)", vector(2.0), False),
    ("!(result[0] > 1) || result[0] == 2", vector(2.0), True),
    ("if result[0] > 1 { true } else { false }", vector(0.0), False),
    ("result == nil", 1.0, False),
    ("result[0] == 'x'", ["y"], False),
    ("result.code == 'x'", {"code": 5.0}, False),
]


@pytest.mark.parametrize(("source", "result", "expected"), [c for c in REAL_CONDITIONS if c[2] != "error"])
def test_a_condition_gives_upstreams_verdict(source: str, result: Any, expected: bool) -> None:
    assert compile_condition(source).evaluate(result, NOW) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("2 ** 3 ** 2", 512.0),
        ("-2 ** 2", -4.0),
        ("2 ^ 2", 4.0),
        ("7 / 2", 3.5),
        ("6 / 2", 3.0),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("1 / 0", math.inf),
        ("-1 / 0", -math.inf),
        ("9223372036854775807 + 1", -9223372036854775808),
        ("0x1F + 1_000", 1031),
        (".5 + 1e1", 10.5),
        ("not true || true", True),
        ("!false == true", True),
        ("true ? 1 : 2", 1),
        ("nil ?? 5", 5),
        ("1 in [1, 2]", True),
        ("'a' in {a: 1}", True),
        ("3 not in [1, 2]", True),
        ("1..3", [1, 2, 3]),
        ("'a' + \"b\" + `c`", "abc"),
        ("'\\x41\\u0042\\n'", "AB\n"),
        ("[1, 2,][1]", 2),
        ("{'a': 1}.a", 1),
        ("{a: {b: 2}}?.a?.b", 2),
        ("nil?.a.b.c", None),
        ("type(1) + type(1.5) + type('') + type(nil)", "intfloatstringnil"),
        ("len('héé')", 3),
        ("abs(-2)", 2),
        ("ceil(1.2)", 2.0),
        ("floor(1.8)", 1.0),
        ("round(2.5)", 3.0),
        ("round(-2.5)", -3.0),
        ("int('12') + int(3.9)", 15),
        ("float('1.5')", 1.5),
        ("string(1.0) + string(0.5)", "10.5"),
        ("upper('a') + lower('B')", "Ab"),
        ("trim('  a ') + trimPrefix('xa', 'x') + trimSuffix('ax', 'x')", "aaa"),
        ("split('a,b', ',')", ["a", "b"]),
        ("join(['a', 'b'], '-')", "a-b"),
        ("first([1, 2]) + last([1, 2])", 3),
        ("first([])", None),
        ("keys({b: 1, a: 2})", ["a", "b"]),
        ("values({b: 1, a: 2})", [2, 1]),
        ("find([1, 2, 3], # > 1)", 2),
        ("findIndex([1, 2, 3], # > 1)", 1),
        ("findLast([1, 2, 3], # > 1)", 3),
        ("findLastIndex([1], # > 1)", -1),
        ("sum([1, 2.5])", 3.5),
        ("sum([])", 0),
        ("mean([])", 0.0),
        ("median([1, 2])", 1.5),
        ("max(1, 2, 3.5)", 3.5),
        ("min([3, 1])", 1),
        ("map([1, 2], {# + #index})", [1, 3]),
        ("reduce([1, 2, 3], #acc + #)", 6),
        ("reduce([1, 2], #acc + #, 10)", 13),
        ("groupBy(['a', 'b', 'a'], #)", {"a": ["a", "a"], "b": ["b"]}),
        ("sortBy([3, 1, 2], #, 'desc')", [3, 2, 1]),
        ("sort([3, 1])", [1, 3]),
        ("uniq([1, 1, 2])", [1, 2]),
        ("concat([1], [2])", [1, 2]),
        ("flatten([1, [2, [3]]])", [1, 2, 3]),
        ("reverse([1, 2])", [2, 1]),
        ("count([true, false])", 1),
        ("map([[1, 2], [3]], sum(#))", [3, 3]),
        ("all([[1, 2]], any(#, # > 1))", True),
        ("get({a: 1}, 'b')", None),
        ("take([1, 2, 3], 2)", [1, 2]),
        ("fromJSON('{\"a\": 1}').a", 1.0),
        ("duration('90m').Hours()", 1.5),
        ("date('2026-02-01').Unix()", 1769904000),
        ("let a = 1; let b = a + 1; a + b", 3),
        ("1; 2", 2),
        ("[1, 2] | map(# * 2) | sum()", 6),
        ("1 == 1.0", True),
        ("[1, 2] == [1.0, 2.0]", True),
        ("duration('1m') + duration('30s') == duration('90s')", True),
        ("repeat('ab', 2) contains 'ba'", True),
        ("indexOf('abc', 'c')", 2),
        ("'x' matches 'a|x'", True),
        ("true // said so", True),
    ],
)
def test_an_expression_gives_expr_langs_value(source: str, expected: Any) -> None:
    value = evaluate(source)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("source", "result", "message"),
    [
        ("isNaN(result)", vector(1.0), "isNaN needs a number, not array of length 1 (column 1)"),
        ("result[0] < 1", vector(), "index out of range: 0 (array length is 0) (column 7)"),
        ("default(result[0], 0) < 1", vector(), "index out of range"),
        ("default(result[0], 0) < 1", vector(0.5), "invalid operation: < (mismatched types array and int)"),
        ("result < 0.5", vector(0.1), "invalid operation: < (mismatched types array and float) (column 8)"),
        ("result == 'x'", 1.0, "invalid operation: == (mismatched types float and string)"),
        ("result[0] == 'x'", vector(1.0), "mismatched types float and string"),
        ("all(result, # != 'x')", vector(1.0), "mismatched types float and string"),
        ("result", 1.0, "expected bool, but got float 1"),
        ("result && true", 1.0, "&& needs a bool, not float 1"),
        ("!result", 1.0, "! needs a bool"),
        ("asInt(result) > 1", "1.5", "asInt() not supported"),
        ("result.a.b == 1", {"a": 1.0}, "type float 1 has no field b"),
        ("result.a.b == 1", {}, "type nil has no field b"),
        ("result.x", vector(1.0), "has no field x"),
        ("'a' in result", "abc", "in needs an array or a map on its right"),
        ("result['a'] == 1", vector(1.0), "selected by an integer"),
        ("isNaN(len(result))", vector(1.0), "cannot use int as argument"),
        ("1 % 0 == 1", None, "integer divide by zero"),
        ("max([]) > 1", None, "not enough arguments to call max"),
        ("1.5 % 2 == 1", None, "% needs two integers"),
        ("result matches '['", "x", "a class is not closed"),
    ],
)
def test_a_condition_that_does_not_fit_the_result_is_an_error(source: str, result: Any, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        compile_condition(source).evaluate(result, NOW)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "expected a value, found the end of the condition (column 1)"),
        ("result[0", "expected ']', found the end of the condition (column 9)"),
        ("result >= ", "expected a value, found the end of the condition (column 11)"),
        ("resul >= 1", "unknown name resul; the measured value is called result (column 1)"),
        ("result @ 1", "unexpected character '@' (column 8)"),
        ("result == 'x", "this string is not closed (column 11)"),
        ("foo(1)", "unknown function foo (column 1)"),
        ("isInf(result[0], 0)", "too many arguments to call isInf: 2 given (column 1)"),
        ("len()", "not enough arguments to call len: 0 given (column 1)"),
        ("all(result)", "expected ',' and a predicate, found ')' (column 11)"),
        ("# > 1", "# and .field stand only inside a predicate such as all(…) (column 1)"),
        ("result 5", "expected an operator or the end, found 5 (column 8)"),
        ("1 ?? 2 + 3", "+ and ?? cannot be mixed; put one in parentheses (column 8)"),
        ("len", "len is a function: write len(…) (column 1)"),
        ("'\\q'", "unknown escape \\q in a string (column 1)"),
        ("99999999999999999999", "is too large for a 64-bit integer (column 1)"),
        ("let len = 1; 2", "let cannot redefine len (column 5)"),
        (
            "result | len",
            "expected '(' after the function's name, found the end of the condition (column 13)",
        ),
        ("result.", "expected a field's name, found the end of the condition (column 8)"),
        ("true ? 1", "expected ':', found the end of the condition (column 9)"),
    ],
)
def test_a_condition_that_does_not_parse_names_column_and_expectation(source: str, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        compile_expression(source)
    assert str(caught.value).endswith(message)


LAUGHS = "let a = [1,1,1,1,1,1,1,1];" + "".join(
    f" let {new} = [{','.join([old] * 8)}];" for old, new in zip("abcdef", "bcdefg", strict=True)
)
HOSTILE = {
    "deep parentheses": "(" * 5000 + "1" + ")" * 5000,
    "deep unary": "!" * 5000 + "true",
    "deep arrays": "[" * 4000,
    "long chain": "1" + "+1" * 4000,
    "long or": "true" + "||true" * 1300,
    "long member chain": "result" + ".a" * 4000,
    "huge power": "9 ** 9 ** 9 ** 9 ** 9 > 1",
    "huge range": "len(1..999999999) > 1",
    "nested loops": "all(1..3000, all(1..3000, all(1..3000, # > 0)))",
    "string doubling": "let a = repeat('x', 900000); len(a + a + a) > 1",
    "array doubling": f"{LAUGHS} string(g) == '' || g == g",
    "array doubling in json": f"{LAUGHS} len(toJSON(g)) > 1",
    "regex bomb": "repeat('a', 5000) matches '^(a+)+$b'",
    "regex in a loop": "all(1..100000, repeat('a', 900) matches '(a|b|c)*x')",
    "uniq": "len(uniq(1..90000)) > 1",
    "too long": "1" * 9000,
    "integer text": "asInt(repeat('9', 900000)) > 1",
    "float of a huge integer": "float(9223372036854775807) ** 100 > 1",
    "quotes": "'" * 8000,
    "time overflow": "now() + duration('2000000h') * 99999999999 > now()",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_ends_quickly_and_in_our_own_error(name: str) -> None:
    started = time.perf_counter()
    with contextlib.suppress(ConditionError):
        compile_condition(HOSTILE[name]).evaluate({"a": 1.0}, NOW)
    assert time.perf_counter() - started < 2


WORDS = """
    result # . [ ] ( ) { } , : ; ? ?? ?. ! not - + * / % ** == < in
    all any map len let x = 1 'a' nil | ..
"""


@settings(max_examples=300, deadline=2000)
@given(st.lists(st.sampled_from(tuple(WORDS.split())), max_size=14))
def test_any_text_gives_a_value_or_our_own_error(words: list[str]) -> None:
    value: Any = None
    with contextlib.suppress(ConditionError):
        value = compile_expression(" ".join(words)).evaluate(vector(1.0, 2.0), NOW)
    assert value is None or type(value) in (bool, int, float, str, list, dict, FloatVector)


@pytest.mark.parametrize(
    ("success", "failure", "result", "phase"),
    [
        ("", "", vector(), Phase.SUCCESSFUL),
        ("result[0] > 1", "", vector(2.0), Phase.SUCCESSFUL),
        ("result[0] > 1", "", vector(0.0), Phase.FAILED),
        ("", "result[0] > 1", vector(2.0), Phase.FAILED),
        ("", "result[0] > 1", vector(0.0), Phase.SUCCESSFUL),
        ("result[0] > 1", "result[0] > 1", vector(2.0), Phase.FAILED),
        ("result[0] > 1", "result[0] < 0", vector(2.0), Phase.SUCCESSFUL),
        ("result[0] > 1", "result[0] < 0", vector(0.5), Phase.INCONCLUSIVE),
        ("result[0] > 1", "", vector(NAN), Phase.FAILED),
        ("", "result[0] > 1", vector(NAN), Phase.SUCCESSFUL),
        ("result[0] > 1", "result[0] < 0", vector(NAN), Phase.INCONCLUSIVE),
    ],
)
def test_two_conditions_give_one_phase(success: str, failure: str, result: Any, phase: Phase) -> None:
    assert assess(result, success, failure, NOW) is phase


@pytest.mark.parametrize("result", [vector(), None, {}, []])
def test_an_empty_result_is_reported_as_missing_data(result: Any) -> None:
    source = "result.a.b > 1" if isinstance(result, dict) else "result[0] > 1"
    with pytest.raises(ConditionError) as caught:
        assess(result, source, "", NOW)
    assert caught.value.empty_result
    assert str(caught.value).startswith("no data: metric result is nil or empty")


def test_a_wrong_condition_is_not_reported_as_missing_data() -> None:
    with pytest.raises(ConditionError) as caught:
        assess(vector(1.0), "result < 1", "", NOW)
    assert not caught.value.empty_result
    assert "no data" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (1.0, "1"),
        (1e21, "1e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e-5, "1e-05"),
        (0.0001, "0.0001"),
        (NAN, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (-0.0, "-0"),
        (1.5e300, "1.5e+300"),
        (-2.25, "-2.25"),
        (0.1 + 0.2, "0.30000000000000004"),
        (100.0, "100"),
    ],
)
def test_floats_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert go_float(value) == text


@given(st.floats(allow_nan=False))
def test_a_written_float_reads_back_the_same(value: float) -> None:
    assert float(go_float(value)) == value


def test_json_numbers_are_floats_as_in_go() -> None:
    assert [type(x) for x in from_json("[1, 2.5]")] == [float, float]


def test_a_compiled_condition_can_be_evaluated_again() -> None:
    condition = compile_condition("let x = result[0]; any(result, # > x)")
    assert [condition.evaluate(vector(1.0, y), NOW) for y in (0.0, 2.0, 0.0)] == [False, True, False]


def upstream_conditions() -> list[Any]:
    if not UPSTREAM.is_dir():
        return []
    pattern = re.compile(r"^\s*-?\s*(?:success|failure)Condition: *(.+)$", re.MULTILINE)
    found = {match for path in UPSTREAM.rglob("*.yaml") for match in pattern.findall(path.read_text())}
    read = sorted({str(yaml.safe_load(text)) for text in found})
    return [condition for condition in read if "{{" not in condition and condition != "None"]


@pytest.mark.skipif(not UPSTREAM.is_dir(), reason="upstream examples are not here")
@pytest.mark.parametrize("source", upstream_conditions())
def test_every_condition_of_upstreams_examples_compiles(source: str) -> None:
    assert compile_condition(source).source == source
