"""Patches, against the reference implementation where there is one."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.embedded import patches
from rollouts.embedded.builtin_shapes import shape_of
from rollouts.embedded.failures import ApiFailure

_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 5), st.sampled_from(["x", "~", "a/b"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b/c", "d~e"]), inner, max_size=3)
    ),
    max_leaves=10,
)
_documents = st.dictionaries(st.sampled_from(["a", "b", "c"]), _values, max_size=3)


@given(_documents, _documents)
def test_a_made_json_patch_leads_from_one_document_to_the_other(old: Any, new: Any) -> None:
    before = copy.deepcopy(old)
    operations = jsonpatch.make_patch(old, new).patch
    assert patches.json_patch(old, operations) == new
    assert old == before


@given(_documents, _documents)
def test_a_merge_patch_never_changes_its_input_and_leaves_no_null(old: Any, patch: Any) -> None:
    before = copy.deepcopy(old)
    merged = patches.merge(old, patch)
    assert old == before
    for name, value in patch.items():
        assert (name not in merged) if value is None else (name in merged)


def test_a_merge_patch_shares_what_it_does_not_touch() -> None:
    old = {"spec": {"big": [1, 2]}, "status": {"phase": "x"}}
    merged = patches.merge(old, {"status": {"phase": "y"}})
    assert merged["spec"] is old["spec"]


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        pytest.param({"op": "add"}, 400, id="not a list"),
        pytest.param([{"op": "add", "path": "/a"}], 400, id="no value"),
        pytest.param([{"op": "twist", "path": "/a"}], 400, id="unknown operation"),
        pytest.param([{"op": "move", "path": "/a"}], 400, id="no from"),
        pytest.param([{"op": "remove", "path": "/list/7"}], 422, id="index too high"),
        pytest.param([{"op": "remove", "path": "/list/-1"}], 422, id="negative index"),
        pytest.param([{"op": "add", "path": "/text/x", "value": 1}], 422, id="inside a scalar"),
        pytest.param([{"op": "add", "path": "no-slash", "value": 1}], 422, id="malformed pointer"),
    ],
)
def test_a_json_patch_that_cannot_be_followed_says_so(operations: Any, code: int) -> None:
    with pytest.raises(ApiFailure) as refused:
        patches.json_patch({"list": [1], "text": "t"}, operations)
    assert refused.value.code == code


def _spec(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)}}


def test_set_element_order_sorts_the_merged_list() -> None:
    old = _spec({"name": "a"}, {"name": "b"})
    patch = {
        "spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "a"}]}
    }
    merged = patches.strategic(old, patch, shape_of("Pod"))
    assert [c["name"] for c in merged["spec"]["containers"]] == ["b", "a"]


def test_replace_directive_puts_the_patch_in_place() -> None:
    merged = patches.strategic({"spec": {"a": 1}}, {"spec": {"$patch": "replace", "b": 2}}, shape_of("Pod"))
    assert merged == {"spec": {"b": 2}}


def test_primitives_are_deleted_from_a_merged_list() -> None:
    old = {"metadata": {"finalizers": ["x/a", "x/b"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x/a"]}}
    assert patches.strategic(old, patch, shape_of("Pod"))["metadata"]["finalizers"] == ["x/b"]


def test_retain_keys_drops_the_others() -> None:
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    merged = patches.strategic(
        {"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}}, patch, shape_of("X")
    )
    assert merged == {"strategy": {"type": "Recreate"}}
