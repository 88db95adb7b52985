"""Status, scale, eviction and binding."""

from __future__ import annotations

import pytest

from rollouts.kube import errors
from rollouts.kube.objects import DEPLOYMENTS, NODES, PODS, Resource
from tests.contract.definitions import GADGETS, WIDGETS, deployment, gadget, pod, widget
from tests.contract.implementations import Subject, Wire

BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")


async def test_create_ignores_status_where_it_is_a_subresource(cluster: Subject) -> None:
    answer = await cluster.create(WIDGETS, {**widget("a"), "status": {"phase": "Ready"}})
    assert "status" not in answer


async def test_a_status_write_leaves_spec_and_generation(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    patch = {"status": {"phase": "Ready"}, "spec": {"size": 77}, "metadata": {"labels": {"x": "y"}}}
    answer = await cluster.merge(WIDGETS, "a", patch, subresource="status")
    assert answer["status"] == {"phase": "Ready"}
    assert answer["spec"]["size"] == 1
    assert answer["metadata"]["generation"] == 1
    assert "labels" not in answer["metadata"]


async def test_a_main_write_leaves_status(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    await cluster.merge(WIDGETS, "a", {"status": {"phase": "Ready"}}, subresource="status")
    answer = await cluster.merge(WIDGETS, "a", {"status": {"phase": "Other"}, "spec": {"size": 2}})
    assert answer["status"] == {"phase": "Ready"}
    assert answer["spec"]["size"] == 2


async def test_a_status_replace_with_a_stale_version_is_a_conflict(cluster: Subject) -> None:
    stale = await cluster.create(WIDGETS, widget("a"))
    await cluster.merge(WIDGETS, "a", {"spec": {"size": 2}})
    with pytest.raises(errors.Conflict):
        await cluster.api.replace(
            WIDGETS, cluster.namespace, "a", {**stale, "status": {"phase": "x"}}, subresource="status"
        )


async def test_a_version_in_a_status_patch_is_a_precondition(cluster: Subject) -> None:
    created = await cluster.create(WIDGETS, widget("a"))
    version = created["metadata"]["resourceVersion"]
    await cluster.merge(WIDGETS, "a", {"spec": {"size": 2}})
    patch = {"metadata": {"resourceVersion": version}, "status": {"phase": "x"}}
    with pytest.raises(errors.Conflict):
        await cluster.merge(WIDGETS, "a", patch, subresource="status")


async def test_without_a_status_subresource_status_is_an_ordinary_field(cluster: Subject) -> None:
    created = await cluster.create(GADGETS, gadget("a", spec={"size": 1}, status={"phase": "New"}))
    assert created["status"] == {"phase": "New"}
    answer = await cluster.merge(GADGETS, "a", {"status": {"phase": "Old"}})
    assert answer["metadata"]["generation"] == 2
    with pytest.raises(errors.NotFound):
        await cluster.merge(GADGETS, "a", {"status": {"phase": "x"}}, subresource="status")


async def test_the_scale_of_a_custom_resource_maps_its_paths(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a", {"size": 1, "replicas": 3}))
    status = {"status": {"replicas": 2, "selector": "app=a"}}
    await cluster.merge(WIDGETS, "a", status, subresource="status")
    scale = await cluster.merge(WIDGETS, "a", {"spec": {"replicas": 5}}, subresource="scale")
    assert scale["kind"] == "Scale"
    assert scale["apiVersion"] == "autoscaling/v1"
    assert scale["spec"] == {"replicas": 5}
    assert scale["status"] == {"replicas": 2, "selector": "app=a"}
    after = await cluster.get(WIDGETS, "a")
    assert after["spec"]["replicas"] == 5
    assert after["metadata"]["generation"] == 2


async def test_a_scale_can_be_replaced(cluster: Subject) -> None:
    await cluster.create(DEPLOYMENTS, deployment("d"))
    scale = await cluster.merge(DEPLOYMENTS, "d", {"spec": {"replicas": 0}}, subresource="scale")
    assert scale["status"]["selector"] == "app=d"
    paused = {"spec": {"paused": True}}
    await cluster.merge(DEPLOYMENTS, "d", paused)
    scale["metadata"].pop("resourceVersion")
    scale["spec"]["replicas"] = 2
    answer = await cluster.api.replace(DEPLOYMENTS, cluster.namespace, "d", scale, subresource="scale")
    assert answer["spec"]["replicas"] == 2


async def test_a_negative_scale_is_invalid(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    with pytest.raises(errors.Invalid):
        await cluster.merge(WIDGETS, "a", {"spec": {"replicas": -1}}, subresource="scale")


async def test_the_scale_of_a_resource_without_one_is_not_found(cluster: Subject) -> None:
    await cluster.create(GADGETS, gadget("a"))
    with pytest.raises(errors.NotFound):
        await cluster.merge(GADGETS, "a", {"spec": {"replicas": 1}}, subresource="scale")


async def _bound(cluster: Subject, name: str) -> None:
    node = f"{cluster.namespace}-node"
    await cluster.api.create(NODES, None, {"metadata": {"name": node}})
    await cluster.create(PODS, pod(name))
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }
    await cluster.create(PODS, binding, name=name, subresource="binding")


async def test_a_binding_puts_a_pod_on_a_node_once(cluster: Subject) -> None:
    await _bound(cluster, "p")
    found = await cluster.get(PODS, "p")
    assert found["spec"]["nodeName"] == f"{cluster.namespace}-node"
    scheduled = [c["status"] for c in found["status"]["conditions"] if c["type"] == "PodScheduled"]
    assert scheduled == ["True"]
    target = {"apiVersion": "v1", "kind": "Node", "name": "other"}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": target}
    with pytest.raises(errors.Conflict):
        await cluster.create(PODS, binding, name="p", subresource="binding")


def _eviction(name: str) -> dict:
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}


async def test_an_eviction_without_a_budget_deletes(cluster: Subject) -> None:
    await cluster.create(PODS, pod("p"))
    await cluster.create(PODS, _eviction("p"), name="p", subresource="eviction")
    await cluster.gone(PODS, "p")


async def test_an_eviction_that_a_budget_forbids_is_refused_for_now(wire: Wire) -> None:
    cluster = wire
    await _bound(cluster, "p")
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await cluster.merge(PODS, "p", {"status": status}, subresource="status")
    spec = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "p"}}}
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b"},
        "spec": spec,
    }
    await cluster.create(BUDGETS, budget)

    answer = await wire.raw("POST", PODS.path(wire.namespace, "p", "eviction"), _eviction("p"))
    assert answer.status == 429
    assert answer.body["reason"] == "TooManyRequests"
    assert answer.body["details"]["causes"][0]["reason"] == "DisruptionBudget"
    assert "deletionTimestamp" not in (await cluster.get(PODS, "p"))["metadata"]
    await cluster.delete(PODS, "p", grace_period_seconds=0)
