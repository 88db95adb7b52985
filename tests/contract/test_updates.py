"""Replacing and patching."""

from __future__ import annotations

import pytest

from rollouts.kube import errors
from rollouts.kube.api import PatchKind
from rollouts.kube.objects import CONFIGMAPS, DEPLOYMENTS
from tests.contract.definitions import WIDGETS, configmap, deployment, widget
from tests.contract.implementations import Subject


async def test_a_merge_patch_sets_and_null_deletes(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", labels={"app": "x", "tier": "y"}))
    patch = {"metadata": {"labels": {"tier": None}}, "spec": {"size": 5}}
    answer = await cluster.merge(WIDGETS, "a", patch)
    assert answer["spec"]["size"] == 5
    assert answer["metadata"]["labels"] == {"app": "x"}


async def test_a_spec_change_bumps_generation_and_version(cluster: Subject) -> None:
    before = await cluster.create(WIDGETS, widget("a"))
    after = await cluster.merge(WIDGETS, "a", {"spec": {"size": 5}})
    assert after["metadata"]["generation"] == 2
    assert int(after["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


async def test_a_metadata_change_keeps_generation(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    after = await cluster.merge(WIDGETS, "a", {"metadata": {"annotations": {"x": "y"}}})
    assert after["metadata"]["generation"] == 1


async def test_a_write_that_changes_nothing_keeps_the_version(cluster: Subject) -> None:
    before = await cluster.create(WIDGETS, widget("a"))
    after = await cluster.merge(WIDGETS, "a", {"spec": {"size": 1}})
    assert after == before


async def test_a_json_patch_tests_and_replaces(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", {"size": 1, "plain": ["x", "y"]}))
    operations = [
        {"op": "test", "path": "/spec/size", "value": 1},
        {"op": "replace", "path": "/spec/size", "value": 6},
        {"op": "add", "path": "/spec/plain/-", "value": "z"},
        {"op": "remove", "path": "/spec/plain/0"},
    ]
    answer = await cluster.merge(WIDGETS, "a", operations, kind=PatchKind.JSON)
    assert answer["spec"]["size"] == 6
    assert answer["spec"]["plain"] == ["y", "z"]


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param({"op": "test", "path": "/spec/size", "value": 99}, id="test fails"),
        pytest.param({"op": "remove", "path": "/spec/absent"}, id="remove of nothing"),
        pytest.param({"op": "replace", "path": "/spec/absent/deep", "value": 1}, id="no parent"),
    ],
)
async def test_a_json_patch_that_does_not_apply_is_unprocessable(cluster: Subject, operation: dict) -> None:
    before = await cluster.create(WIDGETS, widget("a"))
    with pytest.raises(errors.Invalid) as refused:
        await cluster.merge(WIDGETS, "a", [operation], kind=PatchKind.JSON)
    assert refused.value.status == 422
    assert await cluster.get(WIDGETS, "a") == before


async def test_a_replace_with_a_stale_version_is_a_conflict(cluster: Subject) -> None:
    stale = await cluster.create(WIDGETS, widget("a"))
    await cluster.merge(WIDGETS, "a", {"spec": {"size": 2}})
    with pytest.raises(errors.Conflict) as refused:
        await cluster.api.replace(WIDGETS, cluster.namespace, "a", stale)
    assert "the object has been modified" in refused.value.message
    assert refused.value.reason == "Conflict"


async def test_a_replace_removes_what_it_does_not_name(cluster: Subject) -> None:
    body = await cluster.create(WIDGETS, widget("a", {"size": 1, "code": "abc"}))
    body["spec"] = {"size": 2}
    answer = await cluster.api.replace(WIDGETS, cluster.namespace, "a", body)
    assert answer["spec"] == {"size": 2, "mode": "auto"}


async def test_a_replace_of_a_custom_resource_needs_a_version(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    with pytest.raises(errors.Invalid) as refused:
        await cluster.api.replace(WIDGETS, cluster.namespace, "a", widget("a", {"size": 3}))
    assert refused.value.body["details"]["causes"][0]["field"] == "metadata.resourceVersion"


async def test_a_replace_of_a_config_map_needs_no_version(cluster: Subject) -> None:
    await cluster.create(CONFIGMAPS, configmap("a"))
    body = {**configmap("a"), "data": {"other": "value"}}
    answer = await cluster.api.replace(CONFIGMAPS, cluster.namespace, "a", body)
    assert answer["data"] == {"other": "value"}


async def test_a_replace_of_nothing_is_not_found(cluster: Subject) -> None:
    with pytest.raises(errors.NotFound):
        await cluster.api.replace(CONFIGMAPS, cluster.namespace, "a", configmap("a"))


async def test_a_replace_under_another_name_is_a_bad_request(cluster: Subject) -> None:
    await cluster.create(CONFIGMAPS, configmap("a"))
    with pytest.raises(errors.Invalid) as refused:
        await cluster.api.replace(CONFIGMAPS, cluster.namespace, "a", configmap("b"))
    assert refused.value.status == 400


async def test_a_version_in_a_merge_patch_is_a_precondition(cluster: Subject) -> None:
    first = await cluster.create(WIDGETS, widget("a"))
    version = first["metadata"]["resourceVersion"]
    fresh = {"metadata": {"resourceVersion": version}, "spec": {"size": 2}}
    assert (await cluster.merge(WIDGETS, "a", fresh))["spec"]["size"] == 2
    with pytest.raises(errors.Conflict):
        await cluster.merge(WIDGETS, "a", fresh)


OTHER_UID = "00000000-0000-0000-0000-000000000000"


async def test_another_uid_in_a_replace_is_a_conflict(cluster: Subject) -> None:
    body = await cluster.create(WIDGETS, widget("a"))
    body["metadata"]["uid"] = OTHER_UID
    with pytest.raises(errors.Conflict) as refused:
        await cluster.api.replace(WIDGETS, cluster.namespace, "a", body)
    assert "UID in precondition" in refused.value.message


async def test_another_uid_in_a_merge_patch_is_invalid(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    with pytest.raises(errors.Invalid) as refused:
        await cluster.merge(WIDGETS, "a", {"metadata": {"uid": OTHER_UID}, "spec": {"size": 2}})
    assert refused.value.body["details"]["causes"][0]["field"] == "metadata.uid"


async def test_another_name_in_a_merge_patch_is_a_bad_request(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    with pytest.raises(errors.Invalid) as refused:
        await cluster.merge(WIDGETS, "a", {"metadata": {"name": "b"}})
    assert refused.value.status == 400


async def test_a_patch_of_nothing_is_not_found(cluster: Subject) -> None:
    with pytest.raises(errors.NotFound):
        await cluster.merge(WIDGETS, "none", {"spec": {"size": 1}})


async def test_a_dry_run_patch_answers_and_changes_nothing(cluster: Subject) -> None:
    before = await cluster.create(WIDGETS, widget("a"))
    answer = await cluster.merge(WIDGETS, "a", {"spec": {"size": 8}}, dry_run=True)
    assert answer["spec"]["size"] == 8
    assert await cluster.get(WIDGETS, "a") == before


async def test_creation_time_and_generation_are_not_the_writers(cluster: Subject) -> None:
    before = await cluster.create(WIDGETS, widget("a"))
    patch = {"metadata": {"generation": 40, "creationTimestamp": "2001-01-01T00:00:00Z"}}
    after = await cluster.merge(WIDGETS, "a", patch)
    assert after["metadata"]["generation"] == 1
    assert after["metadata"]["creationTimestamp"] == before["metadata"]["creationTimestamp"]


async def test_a_strategic_patch_merges_containers_by_name(cluster: Subject) -> None:
    await cluster.create(DEPLOYMENTS, deployment("d"))
    image = {"name": "b", "image": "registry.example.com/b:2"}
    patch = {"spec": {"template": {"spec": {"containers": [image]}}}}
    answer = await cluster.merge(DEPLOYMENTS, "d", patch, kind=PatchKind.STRATEGIC)
    images = [c["image"] for c in answer["spec"]["template"]["spec"]["containers"]]
    assert sorted(images) == ["registry.example.com/a:1", "registry.example.com/b:2"]


async def test_a_strategic_patch_deletes_an_item_on_request(cluster: Subject) -> None:
    await cluster.create(DEPLOYMENTS, deployment("d"))
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "b", "$patch": "delete"}]}}}}
    answer = await cluster.merge(DEPLOYMENTS, "d", patch, kind=PatchKind.STRATEGIC)
    assert [c["name"] for c in answer["spec"]["template"]["spec"]["containers"]] == ["a"]


async def test_a_strategic_patch_of_finalizers_adds(cluster: Subject) -> None:
    await cluster.create(CONFIGMAPS, configmap("a", finalizers=["example.com/one"]))
    patch = {"metadata": {"finalizers": ["example.com/two"]}}
    answer = await cluster.merge(CONFIGMAPS, "a", patch, kind=PatchKind.STRATEGIC)
    assert sorted(answer["metadata"]["finalizers"]) == ["example.com/one", "example.com/two"]
    await cluster.merge(CONFIGMAPS, "a", {"metadata": {"finalizers": None}})


async def test_a_strategic_patch_of_a_custom_resource_is_an_unsupported_type(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    with pytest.raises(errors.Refused) as refused:
        await cluster.merge(WIDGETS, "a", {"spec": {"size": 2}}, kind=PatchKind.STRATEGIC)
    assert refused.value.status == 415


async def test_a_merge_patch_replaces_lists_whole(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", {"size": 1, "plain": ["x", "y"]}))
    answer = await cluster.merge(WIDGETS, "a", {"spec": {"plain": ["z"]}})
    assert answer["spec"]["plain"] == ["z"]


async def test_updates_record_their_manager(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"), field_manager="maker")
    answer = await cluster.merge(WIDGETS, "a", {"spec": {"code": "abc"}}, field_manager="editor")
    owned = {entry["manager"]: entry["fieldsV1"] for entry in answer["metadata"]["managedFields"]}
    assert "f:size" in owned["maker"]["f:spec"]
    assert owned["editor"] == {"f:spec": {"f:code": {}}}


async def test_an_update_takes_the_field_from_its_former_manager(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", {"size": 1, "code": "abc"}), field_manager="maker")
    answer = await cluster.merge(WIDGETS, "a", {"spec": {"code": "xyz"}}, field_manager="editor")
    owned = {entry["manager"]: entry["fieldsV1"] for entry in answer["metadata"]["managedFields"]}
    assert "f:code" not in owned["maker"]["f:spec"]
    assert "f:code" in owned["editor"]["f:spec"]
