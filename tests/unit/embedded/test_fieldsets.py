"""Sets of fields: the algebra that managed fields rest on."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rollouts.embedded import fieldsets
from rollouts.embedded.shapes import UNKNOWN, Shape, list_map

_names = st.sampled_from(["a", "b", "c"])
_values = st.recursive(
    st.integers(0, 2), lambda inner: st.dictionaries(_names, inner, min_size=1, max_size=3), max_leaves=8
)
_objects = st.dictionaries(_names, _values, max_size=3)


def _members(fields: dict[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for key, below in fields.items():
        here = path if key == fieldsets.SELF else (*path, key)
        found |= _members(below, here) if below else {here}
    return found


@given(_objects, _objects)
def test_a_union_has_the_members_of_both(a: dict[str, Any], b: dict[str, Any]) -> None:
    first, second = fieldsets.all_of(a, UNKNOWN), fieldsets.all_of(b, UNKNOWN)
    assert _members(fieldsets.union(first, second)) == _members(first) | _members(second)


@given(_objects, _objects)
def test_a_difference_has_the_members_of_the_first_alone(a: dict[str, Any], b: dict[str, Any]) -> None:
    first, second = fieldsets.of_value(a, UNKNOWN), fieldsets.of_value(b, UNKNOWN)
    assert _members(fieldsets.difference(first, second)) == _members(first) - _members(second)


@given(_objects)
def test_nothing_changes_between_equal_objects(a: dict[str, Any]) -> None:
    assert fieldsets.compare(a, dict(a), UNKNOWN) == ({}, {})


@given(_objects, _objects)
def test_every_leaf_that_differs_is_changed_or_removed(a: dict[str, Any], b: dict[str, Any]) -> None:
    changed, removed = fieldsets.compare(a, b, UNKNOWN)
    assert (changed or removed) if a != b else not (changed or removed)
    new_leaves = _members(fieldsets.of_value(b, UNKNOWN)) - _members(fieldsets.of_value(a, UNKNOWN))
    assert new_leaves <= _members(changed)


def test_another_order_of_keyed_items_is_no_change() -> None:
    shape = Shape(children={"items": list_map("name")})
    old = {"items": [{"name": "a"}, {"name": "b"}]}
    new = {"items": [{"name": "b"}, {"name": "a"}]}
    assert fieldsets.compare(old, new, shape) == ({}, {})
    assert fieldsets.compare(old, new, UNKNOWN) == ({"f:items": {}}, {})


def test_a_leaf_takes_all_below_it_away() -> None:
    owned = {"f:a": {"f:b": {}, "f:c": {}}, "f:d": {}}
    assert fieldsets.subtract(owned, {"f:a": {}}) == {"f:d": {}}
    assert fieldsets.difference(owned, {"f:a": {}}) == owned


def test_paths_are_spelled_as_in_conflict_messages() -> None:
    path = ("f:spec", "f:containers", 'k:{"name":"a"}', "f:image")
    assert fieldsets.spell(path) == '.spec.containers[name="a"].image'
