from __future__ import annotations

import pytest

from rollouts.api.yamlio import MAX_BYTES, YamlError, load_all, load_documents


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("12:30:45", "12:30:45"),
        ("1e3", 1000),
        ("1.5e-3", 0.0015),
        ("1.0", 1),
        ("1.5", 1.5),
        ("0o17", 15),
        ("017", 15),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("-3", -3),
        ("08", 8),
        ("1.2.3", "1.2.3"),
        ("on", True),
        ("no", False),
        ("true", True),
        ("y", "y"),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("!!str 3", "3"),
        ("25%", "25%"),
        ("=", "="),
    ],
)
def test_plain_scalars_mean_what_kubernetes_takes_them_for(text: str, value: object) -> None:
    (manifest,) = load_all(f"a: {text}\n")
    assert manifest["a"] == value
    assert type(manifest["a"]) is type(value)


def test_keys_are_strings() -> None:
    assert load_all("1: a\non: b\n1.5: c\nnull: d\n") == [{"1": "a", "true": "b", "1.5": "c", "null": "d"}]


def test_documents_are_split_and_empty_ones_left_out() -> None:
    assert load_all("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n") == [{"a": 1}, {"b": 2}]
    assert load_all("") == []


def test_bytes_are_utf8_with_or_without_a_mark() -> None:
    assert load_all("\ufeffa: ü".encode()) == [{"a": "ü"}]


def test_aliases_and_merges_are_expanded() -> None:
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: *b\nthree: {<<: [{x: 9}, *b]}\n"
    assert load_all(text) == [
        {
            "base": {"x": 1, "y": 2},
            "one": {"x": 1, "y": 3},
            "two": {"x": 1, "y": 2},
            "three": {"x": 9, "y": 2},
        }
    ]


def _bomb() -> str:
    levels = "bcdefghij"
    rows = [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]"
        for before, name in zip("abcdefghi", levels, strict=True)
    ]
    return "\n".join(["a: &a [x, x, x]", *rows])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 'key "a" occurs twice'),
        ("a: {b: 1, b: 2}\n", 1, 'key "b" occurs twice'),
        ("on: 1\ntrue: 2\n", 2, 'key "true" occurs twice'),
        ("- a\n", 1, "must be a mapping"),
        ("a: 1\n---\njust text\n", 3, "must be a mapping"),
        ("a: .nan\n", 1, "not a number that JSON can have"),
        ("a: -.inf\n", 1, "not a number that JSON can have"),
        ("a: 1e999\n", 1, "too large a number"),
        ("a: !secret 1\n", 1, "is not allowed"),
        ("? [a]\n: b\n", 1, "a key must be a string"),
        ("a: [\n", 2, "did not find expected node content"),
        ("a: *b\n", 1, "undefined alias"),
        ("a: &a [*a]\n", 1, "nested deeper"),
        (_bomb(), 1, "once aliases are expanded"),
        ("{a: " * 200 + "1" + "}" * 200, 1, "nested deeper"),
        ("[" * 5000, 1, "nesting depth"),
        ("a: 1\n<<: [1]\n", 2, 'a mapping was wanted after "<<"'),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_what_is_refused_is_named_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(YamlError) as raised:
        load_all(text)
    assert message in raised.value.message
    assert raised.value.line >= line


@pytest.mark.parametrize("text", [b"\xff\xfe\xfa", b"a: \x00", "a: " + "x" * MAX_BYTES])
def test_what_is_not_text_is_refused_without_a_line(text: str | bytes) -> None:
    with pytest.raises(YamlError):
        load_all(text)


def test_the_line_of_each_field_is_known() -> None:
    first, second = load_documents("a: 1\n---\nspec:\n  steps:\n  - x: 1\n  - y: 2\n")
    assert first.line_of(("a",)) == 1
    assert second.line_of(("spec", "steps", 1)) == 6
    assert second.line_of(("spec", "steps", 1, "y")) == 6
    assert second.line_of(("spec", "steps", 1, "absent", "deep")) == 6
    assert second.line_of(("absent",)) == 3
