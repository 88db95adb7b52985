"""Differences that are drift, and those that are not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.api.argoproj.application import IgnoreDifference
from rollouts.gitops.comparison import Settled, settle
from rollouts.gitops.diff.compare import differences, removed_fields
from rollouts.gitops.diff.ignore import adopted, pointers_for, unsupported, without_ignored
from rollouts.gitops.diff.normalise import normalised
from rollouts.gitops.diff.shape import shape_of, with_shape
from rollouts.gitops.diff.tracking import instance_name, mark, owner_instance, tracking_id


def obj(kind: str = "Deployment", api: str = "apps/v1", **rest: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": "ns"}, **rest}


def pods(**container: Any) -> dict[str, Any]:
    return obj(spec={"template": {"spec": {"containers": [{"name": "app", **container}]}}})


SAME = {
    "fields that others added": (obj(spec={"replicas": 1}), obj(spec={"replicas": 1, "paused": True})),
    "status": (obj(status={"a": 1}), obj(status={"a": 2})),
    "quantities": (
        pods(resources={"limits": {"cpu": "1000m", "memory": "1024Mi"}}),
        pods(resources={"limits": {"cpu": 1, "memory": "1Gi"}}),
    ),
    "fractions of a cpu": (
        pods(resources={"requests": {"cpu": 0.1}}),
        pods(resources={"requests": {"cpu": "100m"}}),
    ),
    "null": (obj(spec={"a": None}), obj(spec={})),
    "empty map": (pods(securityContext={}), pods()),
    "empty list": (pods(args=[]), pods()),
    "empty value that Go drops": (obj(spec={"paused": False}), obj(spec={})),
    "port without protocol": (
        pods(ports=[{"containerPort": 80}]),
        pods(ports=[{"containerPort": 80, "protocol": "TCP"}]),
    ),
    "keyed list in another order with an injected item": (
        pods(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]),
        pods(env=[{"name": "Z"}, {"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
    ),
    "an added annotation": (
        {**obj(), "metadata": {"name": "x", "annotations": {"a": "1"}}},
        {**obj(), "metadata": {"name": "x", "annotations": {"a": "1", "b": "2"}}},
    ),
    "aggregated rules": (
        obj("ClusterRole", "rbac.authorization.k8s.io/v1", aggregationRule={"x": []}, rules=[]),
        obj("ClusterRole", "rbac.authorization.k8s.io/v1", aggregationRule={"x": []}, rules=[{"a": 1}]),
    ),
    "defaults inside of list items of custom kinds": (
        obj("HTTPRoute", "gateway.networking.k8s.io/v1", spec={"rules": [{"backendRefs": [{"name": "a"}]}]}),
        obj(
            "HTTPRoute",
            "gateway.networking.k8s.io/v1",
            spec={"rules": [{"backendRefs": [{"name": "a", "weight": 1, "kind": "Service"}], "matches": []}]},
        ),
    ),
}
DRIFT = {
    "a changed value": (obj(spec={"replicas": 2}), obj(spec={"replicas": 3}), [("spec", "replicas")]),
    "a removed field": (obj(spec={"replicas": 2}), obj(spec={}), [("spec", "replicas")]),
    "true is not one": (obj(spec={"a": True}), obj(spec={"a": 1}), [("spec", "a")]),
    "text is not a number": (obj(spec={"a": "1"}), obj(spec={"a": 1}), [("spec", "a")]),
    "another quantity": (
        pods(resources={"limits": {"cpu": "1"}}),
        pods(resources={"limits": {"cpu": "2"}}),
        [("spec", "template", "spec", "containers", 0, "resources", "limits", "cpu")],
    ),
    "a removed item of a keyed list": (
        pods(env=[{"name": "A"}, {"name": "B"}]),
        pods(env=[{"name": "A"}]),
        [("spec", "template", "spec", "containers", 0, "env", 1)],
    ),
    "another order of arguments": (
        pods(args=["a", "b"]),
        pods(args=["b", "a"]),
        [("spec", "template", "spec", "containers", 0, "args", i) for i in (0, 1)],
    ),
    "false was removed from a custom object": (
        obj("Thing", "example.com/v1", spec={"on": False}),
        obj("Thing", "example.com/v1", spec={}),
        [("spec", "on")],
    ),
    "an item was added to a list of a custom object": (
        obj("Thing", "example.com/v1", spec={"items": [{"name": "a"}]}),
        obj("Thing", "example.com/v1", spec={"items": [{"name": "a"}, {"name": "b"}]}),
        [("spec", "items")],
    ),
    "a key that narrows a Service's selector": (
        obj("Service", "v1", spec={"selector": {"app": "a"}}),
        obj("Service", "v1", spec={"selector": {"app": "a", "b": "c"}}),
        [("spec", "selector", "b")],
    ),
    "a changed label": (
        {**obj(), "metadata": {"name": "x", "labels": {"a": "1"}}},
        {**obj(), "metadata": {"name": "x", "labels": {"a": "2"}}},
        [("metadata", "labels", "a")],
    ),
}


@pytest.mark.parametrize(("desired", "live"), SAME.values(), ids=SAME)
def test_no_drift(desired: dict[str, Any], live: dict[str, Any]) -> None:
    assert differences(desired, live) == ()


@pytest.mark.parametrize(("desired", "live", "paths"), DRIFT.values(), ids=DRIFT)
def test_drift(desired: dict[str, Any], live: dict[str, Any], paths: list[Any]) -> None:
    assert list(differences(desired, live)) == paths


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)


@given(_JSON, st.sampled_from(["apps/v1", "example.com/v1"]))
def test_an_object_never_differs_from_itself(spec: Any, api: str) -> None:
    assert differences(obj(api=api, spec=spec), obj(api=api, spec=spec)) == ()


@given(_JSON)
def test_the_shape_does_not_depend_on_values(spec: Any) -> None:
    def blank(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: blank(item) for key, item in value.items()}
        return [blank(item) for item in value] if isinstance(value, list) else "x"

    assert shape_of(obj(spec={"f": spec})) == shape_of(obj(spec={"f": blank(spec)}))


def test_the_shape_tells_that_a_field_is_gone_and_is_itself_no_part_of_it() -> None:
    more, less = obj(spec={"a": 1, "b": 2}), obj(spec={"a": 1})
    assert differences(with_shape(less), with_shape(more)) == (
        ("metadata", "annotations", "rollouts.dev/applied-shape"),
    )
    assert shape_of(with_shape(more)) == shape_of(more)


def test_an_object_taken_over_without_a_shape_is_in_step() -> None:
    assert differences(with_shape(obj(spec={"a": 1})), obj(spec={"a": 1})) == ()


def test_fields_that_a_client_side_apply_left_are_found() -> None:
    last = obj(spec={"a": 1, "b": {"c": 1}, "n": None})
    assert removed_fields(obj(spec={"a": 1}), obj(spec={"a": 1, "b": {"c": 1}}), last) == (("spec", "b"),)
    assert removed_fields(obj(spec={"a": 1}), obj(spec={"a": 1}), last) == ()


def test_string_data_of_a_secret_is_what_the_server_keeps() -> None:
    made = normalised(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": {"a": "b"},
         "data": {"c": "ZGQ=\n"}},
        namespaced=True, namespace="ns",
    )  # fmt: skip
    assert made["data"] == {"a": "Yg==", "c": "ZGQ="}
    assert "stringData" not in made
    assert made["metadata"] == {"name": "x", "namespace": "ns"}


def test_server_metadata_and_nulls_are_taken_out_and_the_input_is_left_alone() -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "x", "namespace": "wrong", "creationTimestamp": None, "uid": "1", "labels": {}},
        "status": {},
    }
    copy = {**manifest, "metadata": dict(manifest["metadata"])}
    made = normalised(manifest, namespaced=False, namespace="ns")
    assert made == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    assert manifest == copy


# --- ignoreDifferences

RULE = IgnoreDifference(
    group="apps", kind="Deploy*", json_pointers=("/spec/replicas", "/metadata/annotations/a~1b")
)


def test_differences_below_an_ignored_pointer_do_not_count() -> None:
    pointers = pointers_for(obj(), [RULE])
    paths = (("spec", "replicas"), ("metadata", "annotations", "a/b"), ("spec", "replicasX"))
    assert without_ignored(paths, pointers) == (("spec", "replicasX"),)
    assert pointers_for(obj("Service", "v1"), [RULE]) == ()


def test_ignored_fields_are_adopted_from_the_live_object() -> None:
    made = adopted(obj(spec={"replicas": 1, "x": 1}), obj(spec={"replicas": 7}), [("spec", "replicas")])
    assert made["spec"] == {"replicas": 7, "x": 1}
    assert adopted(obj(spec={"replicas": 1}), obj(spec={}), [("spec", "replicas")])["spec"] == {}


def test_rules_that_are_not_acted_on_are_named() -> None:
    rule = IgnoreDifference(kind="*", jq_path_expressions=(".spec",), managed_fields_managers=("x",))
    assert unsupported([RULE, rule]) == (
        "spec.ignoreDifferences[1].jqPathExpressions",
        "spec.ignoreDifferences[1].managedFieldsManagers",
    )


# --- what the API server itself changed


def test_what_the_server_changed_right_after_an_apply_is_settled_until_either_side_changes() -> None:
    desired, answer = obj(spec={"interval": "60s"}), obj(spec={"interval": "1m0s"})
    settled = settle(desired, answer)
    assert isinstance(settled, Settled)
    digest = settled.digest
    assert settled.covers(("spec", "interval"), digest, answer)
    assert not settled.covers(("spec", "interval"), "other", answer)
    assert not settled.covers(("spec", "interval"), digest, obj(spec={"interval": "2m"}))
    assert settle(desired, desired) is None


# --- tracking


def test_an_object_is_marked_and_found_again() -> None:
    marked = mark(obj(), "shop")
    assert marked["metadata"]["annotations"] == {
        "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:ns/x"
    }
    assert owner_instance(marked) == "shop"
    assert tracking_id("shop", obj("ConfigMap", "v1")) == "shop:/ConfigMap:ns/x"


def test_a_mark_that_was_copied_to_another_object_does_not_count() -> None:
    marked = mark(obj(), "shop")
    copied = {**obj("ReplicaSet"), "metadata": {**marked["metadata"], "name": "x-1"}}
    assert owner_instance(copied) == ""


def test_label_tracking() -> None:
    marked = mark(obj(), "shop", "label")
    assert marked["metadata"]["labels"] == {"app.kubernetes.io/instance": "shop"}
    assert owner_instance(marked, "label") == "shop"
    assert owner_instance(marked) == ""


@pytest.mark.parametrize(("namespace", "name"), [("argocd", "shop"), ("team", "team_shop")])
def test_an_application_outside_the_control_namespace_is_qualified(namespace: str, name: str) -> None:
    assert instance_name(namespace, "shop", "argocd") == name
