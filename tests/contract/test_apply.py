"""Server-side apply."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.kube import errors
from rollouts.kube.objects import CONFIGMAPS, DEPLOYMENTS, SERVICES
from tests.contract.definitions import ROUTES, WIDGETS, configmap, deployment, route, widget
from tests.contract.implementations import Subject


def _owned(obj: dict[str, Any], manager: str, operation: str = "Apply") -> dict[str, Any]:
    entries = obj["metadata"]["managedFields"]
    found = [e for e in entries if e["manager"] == manager and e["operation"] == operation]
    assert len(found) == 1, entries
    return found[0]["fieldsV1"]


async def test_applying_what_is_not_there_creates_it(cluster: Subject) -> None:
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one")
    assert answer["spec"] == {"size": 2, "mode": "auto"}
    assert _owned(answer, "one") == {"f:spec": {"f:size": {}}}


async def test_applying_the_same_again_changes_nothing(cluster: Subject) -> None:
    first = await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one")
    assert await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one") == first


async def test_another_managers_field_is_a_conflict_that_names_it(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one")
    with pytest.raises(errors.Conflict) as refused:
        await cluster.apply(WIDGETS, widget("a", {"size": 3}), "two")
    assert refused.value.message == 'Apply failed with 1 conflict: conflict with "one": .spec.size'
    cause = refused.value.body["details"]["causes"][0]
    assert cause["reason"] == "FieldManagerConflict"
    assert cause["field"] == ".spec.size"
    assert cause["message"] == 'conflict with "one"'


async def test_several_conflicts_are_all_named(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 2, "code": "abc"}), "one")
    with pytest.raises(errors.Conflict) as refused:
        await cluster.apply(WIDGETS, widget("a", {"size": 3, "code": "xyz"}), "two")
    assert "Apply failed with 2 conflicts" in refused.value.message
    fields = {c["field"] for c in refused.value.body["details"]["causes"]}
    assert fields == {".spec.size", ".spec.code"}


async def test_a_field_of_an_updater_is_a_conflict_too(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", {"size": 2}), field_manager="editor")
    with pytest.raises(errors.Conflict) as refused:
        await cluster.apply(WIDGETS, widget("a", {"size": 3}), "one")
    assert 'conflict with "editor" using contract.example.com/v1' in refused.value.message


async def test_force_takes_the_field(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 2, "code": "abc"}), "one")
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 3}), "two", force=True)
    assert answer["spec"]["size"] == 3
    assert _owned(answer, "two") == {"f:spec": {"f:size": {}}}
    assert _owned(answer, "one") == {"f:spec": {"f:code": {}}}


async def test_the_same_value_is_shared_without_conflict(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one")
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 2}), "two")
    assert _owned(answer, "one") == _owned(answer, "two") == {"f:spec": {"f:size": {}}}


async def test_a_field_that_is_applied_no_more_goes(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 2, "code": "abc"}), "one")
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one")
    assert "code" not in answer["spec"]


async def test_a_dropped_field_that_another_owns_stays(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 2, "code": "abc"}), "one")
    await cluster.apply(WIDGETS, widget("a", {"size": 2, "code": "abc"}), "two")
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one")
    assert answer["spec"]["code"] == "abc"


async def test_a_field_of_an_updater_survives_an_apply_that_does_not_name_it(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one")
    await cluster.merge(WIDGETS, "a", {"spec": {"code": "abc"}}, field_manager="editor")
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 4}), "one")
    assert answer["spec"]["code"] == "abc"
    assert answer["spec"]["size"] == 4


async def test_dropping_a_required_field_is_invalid(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one")
    with pytest.raises(errors.Invalid):
        await cluster.apply(WIDGETS, widget("a", {}), "one")


async def test_list_maps_merge_by_key(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 1, "parts": [{"name": "x", "weight": 1}]}), "one")
    parts = [{"name": "y", "weight": 2}]
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 1, "parts": parts}), "two")
    assert {p["name"]: p["weight"] for p in answer["spec"]["parts"]} == {"x": 1, "y": 2}


async def test_an_item_that_is_applied_no_more_goes_alone(cluster: Subject) -> None:
    two = [{"name": "x", "weight": 1}, {"name": "y", "weight": 2}]
    await cluster.apply(WIDGETS, widget("a", {"size": 1, "parts": two}), "one")
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 1, "parts": two[:1]}), "one")
    assert [p["name"] for p in answer["spec"]["parts"]] == ["x"]


async def test_a_conflict_inside_a_list_map_names_the_item(cluster: Subject) -> None:
    part = {"name": "x", "weight": 1}
    await cluster.apply(WIDGETS, widget("a", {"size": 1, "parts": [part]}), "one")
    changed = [{**part, "weight": 9}]
    with pytest.raises(errors.Conflict) as refused:
        await cluster.apply(WIDGETS, widget("a", {"size": 1, "parts": changed}), "two")
    cause = refused.value.body["details"]["causes"][0]
    assert cause["field"] == '.spec.parts[name="x"].weight'


async def test_sets_join(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 1, "tags": ["x"]}), "one")
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 1, "tags": ["y"]}), "two")
    assert sorted(answer["spec"]["tags"]) == ["x", "y"]


async def test_atomic_lists_have_one_owner(cluster: Subject) -> None:
    created = await cluster.apply(ROUTES, route("r", ("stable", 100), ("canary", 0)), "git")
    assert _owned(created, "git") == {"f:spec": {"f:rules": {}}}
    with pytest.raises(errors.Conflict):
        await cluster.apply(ROUTES, route("r", ("stable", 80), ("canary", 20)), "rollouts")
    weights = route("r", ("stable", 80), ("canary", 20))
    answer = await cluster.apply(ROUTES, weights, "rollouts", force=True)
    assert answer["spec"] == weights["spec"]
    assert all(entry["manager"] != "git" for entry in answer["metadata"]["managedFields"])


async def test_a_list_without_a_type_is_atomic(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 1, "plain": ["x"]}), "one")
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 1, "plain": ["y"]}), "two", force=True)
    assert answer["spec"]["plain"] == ["y"]


async def test_containers_merge_by_name(cluster: Subject) -> None:
    await cluster.apply(DEPLOYMENTS, deployment("d"), "one")
    body = deployment("d")
    container = body["spec"]["template"]["spec"]["containers"][1]
    body["spec"] = {
        "template": {"spec": {"containers": [{**container, "env": [{"name": "A", "value": "1"}]}]}}
    }
    answer = await cluster.apply(DEPLOYMENTS, body, "two")
    containers = answer["spec"]["template"]["spec"]["containers"]
    assert [c["name"] for c in containers] == ["a", "b"]
    assert containers[1]["env"] == [{"name": "A", "value": "1"}]


async def test_service_ports_merge_by_port_and_protocol(cluster: Subject) -> None:
    def service(*ports: dict[str, Any]) -> dict[str, Any]:
        meta = {"name": "s"}
        spec = {"selector": {"app": "x"}, "ports": list(ports)}
        return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}

    await cluster.apply(SERVICES, service({"name": "http", "port": 80}), "one")
    second = {"name": "admin", "port": 81, "protocol": "TCP"}
    answer = await cluster.apply(SERVICES, service(second), "two")
    assert sorted(p["port"] for p in answer["spec"]["ports"]) == [80, 81]


async def test_a_selector_is_one_value(cluster: Subject) -> None:
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    spec = {"selector": {"app": "x"}, "ports": [{"port": 80, "protocol": "TCP"}]}
    await cluster.apply(SERVICES, {**body, "spec": spec}, "one")
    with pytest.raises(errors.Conflict) as refused:
        await cluster.apply(SERVICES, {**body, "spec": {"selector": {"hash": "y"}}}, "two")
    assert refused.value.body["details"]["causes"][0]["field"] == ".spec.selector"


async def test_labels_and_annotations_have_owners_each(cluster: Subject) -> None:
    await cluster.apply(CONFIGMAPS, configmap("a", labels={"x": "1"}), "one")
    labelled = {**configmap("a", labels={"y": "2"}, annotations={"z": "3"})}
    answer = await cluster.apply(CONFIGMAPS, labelled, "two")
    assert answer["metadata"]["labels"] == {"x": "1", "y": "2"}
    after = await cluster.apply(CONFIGMAPS, configmap("a"), "two")
    assert after["metadata"]["labels"] == {"x": "1"}
    assert "annotations" not in after["metadata"]


async def test_apply_to_status_leaves_spec(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", {"size": 2}))
    body = {**widget("a", {"size": 9}), "status": {"phase": "Ready"}}
    answer = await cluster.apply(WIDGETS, body, "one", subresource="status")
    assert answer["status"] == {"phase": "Ready"}
    assert answer["spec"]["size"] == 2


async def test_apply_leaves_status_where_it_is_a_subresource(cluster: Subject) -> None:
    body = {**widget("a", {"size": 9}), "status": {"phase": "Ready"}}
    answer = await cluster.apply(WIDGETS, body, "one")
    assert "status" not in answer
    assert _owned(answer, "one") == {"f:spec": {"f:size": {}}}


async def test_a_dry_run_apply_shows_and_changes_nothing(cluster: Subject) -> None:
    before = await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one")
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 5}), "one", dry_run=True)
    assert answer["spec"]["size"] == 5
    assert await cluster.get(WIDGETS, "a") == before


async def test_a_version_in_an_apply_is_a_precondition(cluster: Subject) -> None:
    first = await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one")
    version = first["metadata"]["resourceVersion"]
    await cluster.merge(WIDGETS, "a", {"spec": {"code": "abc"}})
    body = widget("a", {"size": 3}, resourceVersion=version)
    with pytest.raises(errors.Conflict):
        await cluster.apply(WIDGETS, body, "one")


async def test_an_apply_needs_a_manager(cluster: Subject) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await cluster.apply(WIDGETS, widget("a", {"size": 2}), "")
    assert refused.value.body["details"]["causes"][0]["field"] == "fieldManager"


async def test_an_item_without_its_key_is_refused(cluster: Subject) -> None:
    with pytest.raises(errors.KubeError) as refused:
        await cluster.apply(WIDGETS, widget("a", {"size": 1, "parts": [{"weight": 1}]}), "one")
    assert ".spec.parts: element 0" in refused.value.message


async def test_an_update_takes_fields_from_an_applier(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 2, "code": "abc"}), "one")
    answer = await cluster.merge(WIDGETS, "a", {"spec": {"size": 7}}, field_manager="editor")
    assert _owned(answer, "one") == {"f:spec": {"f:code": {}}}
    assert _owned(answer, "editor", "Update") == {"f:spec": {"f:size": {}}}


async def test_a_named_field_goes_with_its_defaults_when_nobody_owns_anything_in_it(cluster: Subject) -> None:
    await cluster.apply(WIDGETS, widget("a", {"size": 1, "nested": {"note": "n"}}), "one")
    answer = await cluster.apply(WIDGETS, widget("a", {"size": 1}), "one")
    assert "nested" not in answer["spec"]


async def test_a_probe_goes_with_its_defaults_when_it_is_applied_no_more(cluster: Subject) -> None:
    body = deployment("d")
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["readinessProbe"] = {"httpGet": {"port": 80}}
    await cluster.apply(DEPLOYMENTS, body, "one")
    answer = await cluster.apply(DEPLOYMENTS, deployment("d"), "one")
    assert "readinessProbe" not in answer["spec"]["template"]["spec"]["containers"][0]


async def test_the_applied_order_of_items_rules(cluster: Subject) -> None:
    def parts(*names: str) -> dict[str, Any]:
        return {"size": 1, "parts": [{"name": name} for name in names]}

    await cluster.apply(WIDGETS, widget("a", parts("x", "y")), "one")
    answer = await cluster.apply(WIDGETS, widget("a", parts("z", "x")), "two")
    assert [p["name"] for p in answer["spec"]["parts"]] == ["z", "x", "y"]
    answer = await cluster.apply(WIDGETS, widget("a", parts("y", "x")), "one")
    assert [p["name"] for p in answer["spec"]["parts"]] == ["z", "y", "x"]


async def test_what_has_no_managed_fields_belongs_to_before_first_apply(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", {"size": 1, "code": "abc"}))
    await cluster.merge(WIDGETS, "a", {"metadata": {"managedFields": [{}]}})
    assert "managedFields" not in (await cluster.get(WIDGETS, "a"))["metadata"]
    with pytest.raises(errors.Conflict) as refused:
        await cluster.apply(WIDGETS, widget("a", {"size": 2}), "one")
    assert 'conflict with "before-first-apply" using contract.example.com/v1' in refused.value.message


async def test_scaling_a_deployment_takes_replicas_from_who_applied_them(cluster: Subject) -> None:
    await cluster.apply(DEPLOYMENTS, deployment("d"), "one")
    patch = {"spec": {"replicas": 1, "paused": True}}
    await cluster.api.patch(
        DEPLOYMENTS, cluster.namespace, "d", patch, subresource="scale", field_manager="scaler"
    )
    with pytest.raises(errors.Conflict) as refused:
        await cluster.apply(DEPLOYMENTS, deployment("d"), "one")
    assert '"scaler" with subresource "scale"' in refused.value.message
