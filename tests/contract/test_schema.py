"""Structural schemas: pruning, defaults, validation."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.kube import errors
from tests.contract.definitions import ROUTES, WIDGETS, route, widget
from tests.contract.implementations import Subject, Wire


async def test_unknown_fields_are_pruned(cluster: Subject) -> None:
    body = widget("a", {"size": 1, "unknown": 1, "nested": {"stray": 1, "note": "x"}})
    answer = await cluster.create(WIDGETS, body)
    assert "unknown" not in answer["spec"]
    assert answer["spec"]["nested"] == {"note": "x", "depth": 3}


async def test_preserved_unknown_fields_stay(cluster: Subject) -> None:
    free = {"a": {"b": [1, {"c": None}]}, "d": 1.5}
    answer = await cluster.create(WIDGETS, widget("a", {"size": 1, "free": free}))
    assert answer["spec"]["free"] == free


async def test_maps_of_strings_take_any_key(cluster: Subject) -> None:
    answer = await cluster.create(WIDGETS, widget("a", {"size": 1, "labels": {"x": "y"}}))
    assert answer["spec"]["labels"] == {"x": "y"}


async def test_defaults_fill_in_where_the_parent_is_there(cluster: Subject) -> None:
    spec = {"size": 1, "nested": {}, "parts": [{"name": "p"}]}
    answer = await cluster.create(WIDGETS, widget("a", spec))
    assert answer["spec"]["mode"] == "auto"
    assert answer["spec"]["nested"] == {"depth": 3}
    assert answer["spec"]["parts"] == [{"name": "p", "color": "grey"}]


async def test_a_removed_field_gets_its_default_again(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", {"size": 1, "mode": "manual"}))
    answer = await cluster.merge(WIDGETS, "a", {"spec": {"mode": None}})
    assert answer["spec"]["mode"] == "auto"


@pytest.mark.parametrize("value", [5, "25%"])
async def test_int_or_string_takes_both(cluster: Subject, value: Any) -> None:
    answer = await cluster.create(WIDGETS, widget("a", {"size": 1, "portion": value}))
    assert answer["spec"]["portion"] == value


async def test_null_stays_where_it_is_allowed_and_goes_elsewhere(cluster: Subject) -> None:
    answer = await cluster.create(WIDGETS, widget("a", {"size": 1, "maybe": None, "code": None}))
    assert answer["spec"] == {"size": 1, "mode": "auto", "maybe": None}


@pytest.mark.parametrize(
    ("spec", "field", "reason", "words"),
    [
        pytest.param(
            {"size": "x"}, "spec.size", "FieldValueTypeInvalid", "must be of type integer", id="type"
        ),
        pytest.param(
            {"size": True}, "spec.size", "FieldValueTypeInvalid", "must be of type integer", id="bool"
        ),
        pytest.param({}, "spec.size", "FieldValueRequired", "Required value", id="required"),
        pytest.param(
            {"size": 0}, "spec.size", "FieldValueInvalid", "greater than or equal to 1", id="minimum"
        ),
        pytest.param(
            {"size": 101}, "spec.size", "FieldValueInvalid", "less than or equal to 100", id="maximum"
        ),
        pytest.param({"size": 1, "mode": "x"}, "spec.mode", "FieldValueNotSupported", '"auto"', id="enum"),
        pytest.param(
            {"size": 1, "code": "A"}, "spec.code", "FieldValueInvalid", "should match", id="pattern"
        ),
        pytest.param(
            {"size": 1, "code": "abcdef"}, "spec.code", "FieldValueTooLong", "Too long", id="length"
        ),
        pytest.param(
            {"size": 1, "plain": ["x", 5]}, "spec.plain[1]", "FieldValueTypeInvalid", "type string", id="item"
        ),
        pytest.param(
            {"size": 1, "parts": [{"name": "p"}, {"name": "p"}]},
            "spec.parts[1]",
            "FieldValueDuplicate",
            "Duplicate value",
            id="duplicate key",
        ),
        pytest.param(
            {"size": 1, "tags": ["t", "t"]},
            "spec.tags[1]",
            "FieldValueDuplicate",
            "Duplicate value",
            id="set",
        ),
        pytest.param(
            {"size": 1, "parts": [{"name": str(n)} for n in range(5)]},
            "spec.parts",
            "FieldValueTooMany",
            "Too many",
            id="count",
        ),
        pytest.param(
            {"size": 1, "portion": True},
            "spec.portion",
            "FieldValueTypeInvalid",
            "integer,string",
            id="portion",
        ),
    ],
)
async def test_a_violation_names_its_field(
    cluster: Subject, spec: dict[str, Any], field: str, reason: str, words: str
) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await cluster.create(WIDGETS, widget("a", spec))
    assert refused.value.status == 422
    causes = {c["field"]: c for c in refused.value.body["details"]["causes"]}
    assert field in causes, causes
    assert causes[field]["reason"] == reason
    assert words in causes[field]["message"]


async def test_all_violations_are_reported_at_once(cluster: Subject) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await cluster.create(WIDGETS, widget("a", {"size": 0, "mode": "x", "code": "A"}))
    fields = {c["field"] for c in refused.value.body["details"]["causes"]}
    assert fields == {"spec.size", "spec.mode", "spec.code"}


async def test_a_patch_is_validated_too(cluster: Subject) -> None:
    before = await cluster.create(WIDGETS, widget("a"))
    with pytest.raises(errors.Invalid):
        await cluster.merge(WIDGETS, "a", {"spec": {"size": 0}})
    assert await cluster.get(WIDGETS, "a") == before


async def test_a_default_inside_an_atomic_list_fills_in(cluster: Subject) -> None:
    body = route("r", ("a", 1))
    del body["spec"]["rules"][0]["backendRefs"][0]["weight"]
    answer = await cluster.create(ROUTES, body)
    assert answer["spec"]["rules"][0]["backendRefs"] == [{"name": "a", "weight": 1}]


async def test_strict_field_validation_refuses_unknown_fields(wire: Wire) -> None:
    path = f"{WIDGETS.path(wire.namespace)}?fieldValidation=Strict"
    answer = await wire.raw("POST", path, widget("a", {"size": 1, "unknown": 1}))
    assert answer.status == 400
    assert 'unknown field "spec.unknown"' in answer.body["message"]


async def test_unknown_fields_are_warned_of_by_default(wire: Wire) -> None:
    answer = await wire.raw("POST", WIDGETS.path(wire.namespace), widget("a", {"size": 1, "unknown": 1}))
    assert answer.status == 201
    assert "unknown field" in answer.headers["Warning"]
