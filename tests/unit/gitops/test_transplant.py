"""Owned fields come from the live object, all others from Git."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.gitops.transplant import NOTHING, Owned, Split, transplanted

SPLIT = Split("ns", "stable", "canary")


def ref(name: str, weight: int | None = None, **rest: Any) -> dict[str, Any]:
    return {"name": name, "port": 80, **({} if weight is None else {"weight": weight}), **rest}


def rule(stable: int | None, canary: int | None, **rest: Any) -> dict[str, Any]:
    return {"backendRefs": [ref("stable", stable), ref("canary", canary)], **rest}


def route(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": "ns"},
        "spec": {"rules": list(rules), **spec},
    }


def weights(obj: dict[str, Any]) -> list[list[int]]:
    return [[r.get("weight", 1) for r in one["backendRefs"]] for one in obj["spec"]["rules"]]


@given(st.integers(0, 100), st.integers(0, 100), st.text(max_size=5))
def test_the_live_weights_are_kept_whatever_git_says(git: int, live: int, host: str) -> None:
    desired = route(rule(100 - git, git), hostnames=[host])
    found = transplanted(desired, route(rule(100 - live, live)), Owned(splits=(SPLIT,)))
    assert weights(found) == [[100 - live, live]]
    assert found["spec"]["hostnames"] == [host]
    assert weights(desired) == [[100 - git, git]]


def test_nothing_owned_changes_nothing() -> None:
    desired = route(rule(100, 0))
    assert transplanted(desired, route(rule(50, 50)), NOTHING) is desired


def test_equal_weights_give_the_same_object() -> None:
    desired = route(rule(1, None))
    assert transplanted(desired, route(rule(None, 1)), Owned(splits=(SPLIT,))) is desired


def test_rules_are_matched_by_their_matches_when_git_reorders_them() -> None:
    a, b = {"path": {"value": "/a"}}, {"path": {"value": "/b"}}
    live = route(rule(90, 10, matches=[a]), rule(30, 70, matches=[b]))
    found = transplanted(
        route(rule(100, 0, matches=[b]), rule(100, 0, matches=[a])), live, Owned(splits=(SPLIT,))
    )
    assert weights(found) == [[30, 70], [90, 10]]


def test_a_new_rule_gets_the_weights_of_the_others_and_not_those_of_git() -> None:
    live = route(rule(80, 20, matches=[{"path": {"value": "/a"}}]))
    desired = route(
        rule(100, 0, matches=[{"path": {"value": "/a"}}]), rule(100, 0, matches=[{"path": {"value": "/new"}}])
    )
    assert weights(transplanted(desired, live, Owned(splits=(SPLIT,)))) == [[80, 20], [80, 20]]


def test_rules_of_others_are_left_to_git() -> None:
    other = {"backendRefs": [ref("docs", 5)]}
    found = transplanted(
        route(other, rule(100, 0)),
        route({"backendRefs": [ref("docs", 9)]}, rule(60, 40)),
        Owned(splits=(SPLIT,)),
    )
    assert weights(found) == [[5], [60, 40]]


def test_a_service_of_that_name_in_another_namespace_is_another_one() -> None:
    foreign = {"backendRefs": [ref("stable", 100, namespace="x"), ref("canary", 0, namespace="x")]}
    live = {"backendRefs": [ref("stable", 1, namespace="x"), ref("canary", 2, namespace="x")]}
    assert weights(transplanted(route(foreign), route(live), Owned(splits=(SPLIT,)))) == [[100, 0]]


def test_rules_that_the_router_added_stay_in_front() -> None:
    added = {"name": "header", "backendRefs": [ref("canary", 1)]}
    split = Split("ns", "stable", "canary", managed=(0,))
    found = transplanted(route(rule(100, 0)), route(added, rule(80, 20)), Owned(splits=(split,)))
    assert found["spec"]["rules"] == [added, rule(80, 20)]


@pytest.mark.parametrize(
    ("live", "managed", "expected"),
    [
        pytest.param(["A", "m", "n"], (1, 2), ["A", "B", "m", "n"], id="last"),
        pytest.param(["m", "A", "n"], (0, 2), ["m", "A", "B", "n"], id="both-ends"),
        pytest.param(["A", "m", "B"], (1,), ["A", "m", "B"], id="between"),
        pytest.param(["m"], (0,), ["m", "A", "B"], id="alone"),
    ],
)
def test_rules_that_the_router_added_stay_where_they_are(
    live: list[str], managed: tuple[int, ...], expected: list[str]
) -> None:
    def of(names: list[str]) -> dict[str, Any]:
        return route(*({"name": name, "backendRefs": []} for name in names))

    result = transplanted(of(["A", "B"]), of(live), Owned(splits=(Split("ns", "stable", "canary", managed),)))
    assert [rule["name"] for rule in result["spec"]["rules"]] == expected


@pytest.mark.parametrize(
    ("live", "expected"),
    [({"app": "a", "hash": "1"}, {"app": "a", "hash": "1"}), ({"app": "a"}, {"app": "a"})],
    ids=["pinned", "not pinned"],
)
def test_a_selectors_owned_key(live: dict[str, str], expected: dict[str, str]) -> None:
    desired = {"spec": {"selector": {"app": "a", "hash": "from git"}}}
    found = transplanted(desired, {"spec": {"selector": live}}, Owned(selector_keys=("hash",)))
    assert found["spec"]["selector"] == expected


def test_an_owned_field_is_as_it_is_live_or_not_named() -> None:
    owned = Owned(fields=(("spec", "replicas"),))
    assert transplanted({"spec": {"replicas": 1}}, {"spec": {"replicas": 7}}, owned) == {
        "spec": {"replicas": 7}
    }
    assert transplanted({"spec": {"replicas": 1, "a": 1}}, {"spec": {}}, owned) == {"spec": {"a": 1}}
