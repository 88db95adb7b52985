"""Deletion: finalizers, owners, namespaces, grace."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.kube import errors
from rollouts.kube.objects import CONFIGMAPS, NAMESPACES, NODES, PODS, owner_reference
from tests.contract.definitions import WIDGETS, configmap, pod, widget
from tests.contract.implementations import Subject, Wire, eventually

FINALIZER = "example.com/hold"


async def _owner(cluster: Subject, name: str = "owner", **meta: Any) -> dict[str, Any]:
    return await cluster.create(WIDGETS, widget(name, **meta))


async def _child(
    cluster: Subject, *owners: dict[str, Any], name: str = "child", blocks: bool = True, **meta: Any
) -> None:
    references = [{**owner_reference(owner, WIDGETS), "blockOwnerDeletion": blocks} for owner in owners]
    for reference in references[1:]:
        reference["controller"] = False
    await cluster.create(CONFIGMAPS, configmap(name, ownerReferences=references, **meta))


async def _deleting(cluster: Subject, name: str) -> bool:
    return "deletionTimestamp" in (await cluster.get(WIDGETS, name))["metadata"]


async def test_a_deleted_object_is_gone(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    await cluster.delete(WIDGETS, "a")
    with pytest.raises(errors.NotFound):
        await cluster.get(WIDGETS, "a")
    with pytest.raises(errors.NotFound):
        await cluster.delete(WIDGETS, "a")


async def test_a_finalizer_holds_the_object_until_it_is_removed(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", finalizers=[FINALIZER]))
    await cluster.delete(WIDGETS, "a")
    held = await cluster.get(WIDGETS, "a")
    assert held["metadata"]["deletionTimestamp"]
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    assert held["metadata"]["generation"] == 2
    await cluster.merge(WIDGETS, "a", {"metadata": {"finalizers": None}})
    with pytest.raises(errors.NotFound):
        await cluster.get(WIDGETS, "a")


async def test_a_second_delete_of_a_held_object_changes_nothing(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", finalizers=[FINALIZER]))
    await cluster.delete(WIDGETS, "a")
    before = await cluster.get(WIDGETS, "a")
    await cluster.delete(WIDGETS, "a")
    assert await cluster.get(WIDGETS, "a") == before
    await cluster.merge(WIDGETS, "a", {"metadata": {"finalizers": None}})


async def test_an_object_being_deleted_gets_no_new_finalizer(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", finalizers=[FINALIZER]))
    await cluster.delete(WIDGETS, "a")
    with pytest.raises(errors.Invalid) as refused:
        await cluster.merge(WIDGETS, "a", {"metadata": {"finalizers": [FINALIZER, "example.com/late"]}})
    assert "no new finalizers can be added" in refused.value.message
    await cluster.merge(WIDGETS, "a", {"metadata": {"finalizers": None}})


async def test_a_deletion_cannot_be_taken_back(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", finalizers=[FINALIZER]))
    await cluster.delete(WIDGETS, "a")
    await cluster.merge(WIDGETS, "a", {"metadata": {"deletionTimestamp": None}})
    assert await _deleting(cluster, "a")
    await cluster.merge(WIDGETS, "a", {"metadata": {"finalizers": None}})


async def test_a_finalizer_that_is_no_qualified_name_is_invalid(cluster: Subject) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await cluster.create(WIDGETS, widget("a", finalizers=["not a name"]))
    assert refused.value.body["details"]["causes"][0]["field"] == "metadata.finalizers"


@pytest.mark.parametrize(
    "precondition", [{"uid": "00000000-0000-0000-0000-000000000000"}, {"resource_version": "1"}]
)
async def test_a_precondition_that_does_not_hold_is_a_conflict(
    cluster: Subject, precondition: dict[str, str]
) -> None:
    await cluster.create(WIDGETS, widget("a"))
    with pytest.raises(errors.Conflict):
        await cluster.delete(WIDGETS, "a", **precondition)
    assert await cluster.get(WIDGETS, "a")


async def test_preconditions_that_hold_delete(cluster: Subject) -> None:
    meta = (await cluster.create(WIDGETS, widget("a")))["metadata"]
    await cluster.delete(WIDGETS, "a", uid=meta["uid"], resource_version=meta["resourceVersion"])
    with pytest.raises(errors.NotFound):
        await cluster.get(WIDGETS, "a")


async def test_a_dry_run_delete_deletes_nothing(cluster: Subject) -> None:
    before = await cluster.create(WIDGETS, widget("a"))
    await cluster.delete(WIDGETS, "a", dry_run=True)
    assert await cluster.get(WIDGETS, "a") == before


async def test_dependents_go_after_their_owner(cluster: Subject) -> None:
    await _child(cluster, await _owner(cluster))
    await cluster.delete(WIDGETS, "owner")
    await cluster.gone(CONFIGMAPS, "child")


async def test_dependents_of_dependents_go_too(cluster: Subject) -> None:
    owner = await _owner(cluster)
    reference = owner_reference(owner, WIDGETS)
    middle = await cluster.create(WIDGETS, widget("middle", ownerReferences=[reference]))
    await _child(cluster, middle)
    await cluster.delete(WIDGETS, "owner")
    await cluster.gone(CONFIGMAPS, "child")
    await cluster.gone(WIDGETS, "middle")


async def test_a_dependent_with_another_living_owner_stays_and_loses_one_reference(cluster: Subject) -> None:
    first, second = await _owner(cluster, "first"), await _owner(cluster, "second")
    await _child(cluster, first, second)
    await cluster.delete(WIDGETS, "first")

    async def one_left() -> bool:
        meta = (await cluster.get(CONFIGMAPS, "child"))["metadata"]
        return [o["name"] for o in meta["ownerReferences"]] == ["second"]

    await eventually(one_left, "the reference to the lost owner is cut")


async def test_orphans_stay_without_the_reference(cluster: Subject) -> None:
    await _child(cluster, await _owner(cluster))
    await cluster.delete(WIDGETS, "owner", propagation="Orphan")
    await cluster.gone(WIDGETS, "owner")
    assert "ownerReferences" not in (await cluster.get(CONFIGMAPS, "child"))["metadata"]


async def test_foreground_deletion_waits_for_blocking_dependents(cluster: Subject) -> None:
    await _child(cluster, await _owner(cluster), finalizers=[FINALIZER])
    await cluster.delete(WIDGETS, "owner", propagation="Foreground")

    async def child_is_deleting() -> bool:
        return "deletionTimestamp" in (await cluster.get(CONFIGMAPS, "child"))["metadata"]

    await eventually(child_is_deleting, "the dependent is being deleted")
    owner = await cluster.get(WIDGETS, "owner")
    assert owner["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert owner["metadata"]["deletionTimestamp"]
    await cluster.merge(CONFIGMAPS, "child", {"metadata": {"finalizers": None}})
    await cluster.gone(WIDGETS, "owner")
    await cluster.gone(CONFIGMAPS, "child")


async def test_foreground_deletion_does_not_wait_for_others(cluster: Subject) -> None:
    await _child(cluster, await _owner(cluster), blocks=False, finalizers=[FINALIZER])
    await cluster.delete(WIDGETS, "owner", propagation="Foreground")
    await cluster.gone(WIDGETS, "owner")
    await cluster.merge(CONFIGMAPS, "child", {"metadata": {"finalizers": None}})
    await cluster.gone(CONFIGMAPS, "child")


async def test_a_dependent_of_an_owner_that_is_gone_goes(cluster: Subject) -> None:
    owner = await _owner(cluster)
    await cluster.delete(WIDGETS, "owner")
    await _child(cluster, owner)
    await cluster.gone(CONFIGMAPS, "child")


async def test_an_owner_of_the_same_name_but_another_uid_is_not_the_owner(cluster: Subject) -> None:
    owner = await _owner(cluster)
    await cluster.delete(WIDGETS, "owner")
    await _owner(cluster)
    await _child(cluster, owner)
    await cluster.gone(CONFIGMAPS, "child")
    assert await cluster.get(WIDGETS, "owner")


async def test_two_controllers_are_invalid(cluster: Subject) -> None:
    first, second = await _owner(cluster, "first"), await _owner(cluster, "second")
    references = [owner_reference(first, WIDGETS), owner_reference(second, WIDGETS)]
    with pytest.raises(errors.Invalid) as refused:
        await cluster.create(CONFIGMAPS, configmap("child", ownerReferences=references))
    assert "Only one reference can have Controller set to true" in refused.value.message


async def test_a_deleted_namespace_takes_its_content_along(cluster: Subject) -> None:
    await cluster.create(CONFIGMAPS, configmap("a"))
    await cluster.create(WIDGETS, widget("a"))
    await cluster.api.delete(NAMESPACES, None, cluster.namespace)

    async def absent() -> bool:
        try:
            await cluster.api.get(NAMESPACES, None, cluster.namespace)
        except errors.NotFound:
            return True
        return False

    await eventually(absent, "the namespace is gone")
    with pytest.raises(errors.NotFound):
        await cluster.get(WIDGETS, "a")


async def test_a_namespace_waits_for_finalizers_and_takes_nothing_new(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", finalizers=[FINALIZER]))
    await cluster.api.delete(NAMESPACES, None, cluster.namespace)

    async def marked() -> bool:
        return await _deleting(cluster, "a")

    await eventually(marked, "the content is being deleted")
    space = await cluster.api.get(NAMESPACES, None, cluster.namespace)
    assert space["status"]["phase"] == "Terminating"
    with pytest.raises(errors.Forbidden) as refused:
        await cluster.create(WIDGETS, widget("b"))
    assert "because it is being terminated" in refused.value.message
    await cluster.merge(WIDGETS, "a", {"metadata": {"finalizers": None}})


async def test_a_pod_without_a_node_goes_at_once(cluster: Subject) -> None:
    await cluster.create(PODS, pod("p"))
    await cluster.delete(PODS, "p")
    with pytest.raises(errors.NotFound):
        await cluster.get(PODS, "p")


async def test_a_pod_on_a_node_waits_for_its_kubelet(cluster: Subject) -> None:
    node = f"{cluster.namespace}-node"
    await cluster.api.create(NODES, None, {"metadata": {"name": node}})
    await cluster.create(PODS, pod("p", nodeName=node, terminationGracePeriodSeconds=20))
    await cluster.delete(PODS, "p")
    held = (await cluster.get(PODS, "p"))["metadata"]
    assert held["deletionTimestamp"]
    assert held["deletionGracePeriodSeconds"] == 20
    await cluster.delete(PODS, "p", grace_period_seconds=0)
    with pytest.raises(errors.NotFound):
        await cluster.get(PODS, "p")
    await cluster.api.delete(NODES, None, node)


async def test_a_collection_is_deleted_by_selector(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a", labels={"k": "1"}))
    await wire.create(WIDGETS, widget("b", labels={"k": "2"}))
    answer = await wire.raw("DELETE", f"{WIDGETS.path(wire.namespace)}?labelSelector=k%3D1")
    assert answer.status == 200
    assert answer.body["kind"] == "WidgetList"
    left = await wire.api.list(WIDGETS, wire.namespace)
    assert [item["metadata"]["name"] for item in left.items] == ["b"]


async def test_a_finished_delete_answers_success_with_the_uid(wire: Wire) -> None:
    uid = (await wire.create(WIDGETS, widget("a")))["metadata"]["uid"]
    answer = await wire.raw("DELETE", WIDGETS.path(wire.namespace, "a"))
    assert answer.status == 200
    assert answer.body["status"] == "Success"
    assert answer.body["details"]["uid"] == uid


async def test_a_pending_delete_answers_the_object(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a", finalizers=[FINALIZER]))
    answer = await wire.raw("DELETE", WIDGETS.path(wire.namespace, "a"))
    assert answer.status == 200
    assert answer.body["metadata"]["deletionTimestamp"]
    await wire.merge(WIDGETS, "a", {"metadata": {"finalizers": None}})


async def test_a_body_makes_the_query_of_a_delete_count_for_nothing(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a"))
    path = f"{WIDGETS.path(wire.namespace, 'a')}?dryRun=All"
    await wire.raw("DELETE", path)
    assert await wire.get(WIDGETS, "a")
    await wire.raw("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1"})
    with pytest.raises(errors.NotFound):
        await wire.get(WIDGETS, "a")


async def test_an_unknown_propagation_policy_is_invalid(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a"))
    path = WIDGETS.path(wire.namespace, "a")
    answer = await wire.raw("DELETE", path, {"propagationPolicy": "Sideways"})
    assert answer.status == 422
    assert answer.body["details"]["causes"][0]["field"] == "propagationPolicy"
