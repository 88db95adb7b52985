from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.selectors import SelectorError, is_empty, matches

LABELS = {"app": "web", "tier": "front"}


def rule(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "holds"),
    [
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "back"}}, False),
        ({"matchLabels": {"absent": "x"}}, False),
        (rule("app", "In", "web", "api"), True),
        (rule("app", "In", "api"), False),
        (rule("absent", "In", "x"), False),
        (rule("app", "NotIn", "api"), True),
        (rule("absent", "NotIn", "x"), True),
        (rule("app", "NotIn", "web"), False),
        (rule("app", "Exists"), True),
        (rule("absent", "Exists"), False),
        (rule("absent", "DoesNotExist"), True),
        (rule("app", "DoesNotExist"), False),
        ({"matchLabels": {"app": "web"}, **rule("tier", "In", "back")}, False),
    ],
)
def test_all_parts_of_a_selector_must_hold(selector: dict[str, Any], holds: bool) -> None:
    assert matches(selector, LABELS) is holds


@pytest.mark.parametrize(
    "selector", [rule("app", "Is", "web"), rule("app", "In"), rule("app", "Exists", "x")]
)
def test_a_rule_that_cannot_be_read_is_an_error(selector: dict[str, Any]) -> None:
    with pytest.raises(SelectorError, match='key "app"'):
        matches(selector, LABELS)


def test_only_a_selector_without_rules_is_empty() -> None:
    assert is_empty({})
    assert is_empty({"matchLabels": {}, "matchExpressions": None})
    assert not is_empty({"matchLabels": {"a": "b"}})
