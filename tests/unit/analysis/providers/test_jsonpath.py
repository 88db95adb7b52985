"""Kubernetes' JSONPath."""

from typing import Any

import pytest

from analysis.providers.jsonpath import JsonPathError, find

DOCUMENT = {
    "a": {"b": [{"c": 1}, {"c": 2, "name": "x"}], "d-e": "dash", "f g": "blank"},
    "items": [{"code": 200, "n": 1}, {"code": 500, "n": 2}],
}


@pytest.mark.parametrize(
    ("path", "hits"),
    [
        ("{$}", [DOCUMENT]),
        ("{.}", [DOCUMENT]),
        ("{$.a.b[0].c}", [1]),
        ("{.a.b[-1].c}", [2]),
        ("{.a.b[*].c}", [1, 2]),
        ("{$.a.b[0:1].c}", [1]),
        ("{$.a.b[0,1].c}", [1, 2]),
        ("{$.a['d-e']}", ["dash"]),
        ("{.a.d-e}", ["dash"]),
        ('{$["a"]["f g"]}', ["blank"]),
        ("{$.a['d-e','f g']}", ["dash", "blank"]),
        ("{..c}", [1, 2]),
        ("{.items[?(@.code==500)].n}", [2]),
        ("{.items[?(@.code>=200)].n}", [1, 2]),
        ("{.a.b[?(@.name)].c}", [2]),
        ("{.a.b[?(@.name=='x')].c}", [2]),
        ("{.missing}", []),
        ("{.a.b[9]}", []),
        ("{.a.b.c}", []),
    ],
)
def test_a_path_finds(path: str, hits: list[Any]) -> None:
    assert list(find(path, DOCUMENT)) == hits


@pytest.mark.parametrize(
    "path", ["$.a", "{$.a[}", "{$.a[?(x)]}", "{$.a b}", "{" + "." * 2000 + "}", "{$.a[?(@.x==y)]}"]
)
def test_a_path_that_is_not_understood_is_an_error(path: str) -> None:
    with pytest.raises(JsonPathError):
        find(path, DOCUMENT)
