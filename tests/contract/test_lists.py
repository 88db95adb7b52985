"""Lists: selectors, order, pages."""

from __future__ import annotations

import pytest

from rollouts.kube import errors
from rollouts.kube.objects import CONFIGMAPS, EVENTS, PODS, Resource
from tests.contract.definitions import WIDGETS, configmap, pod, widget
from tests.contract.implementations import Subject, Wire


async def _names(cluster: Subject, **options: str) -> list[str]:
    listing = await cluster.api.list(WIDGETS, cluster.namespace, **options)
    return [item["metadata"]["name"] for item in listing.items]


async def test_a_list_is_ordered_by_name_and_names_its_version(cluster: Subject) -> None:
    for name in ("c", "a", "b"):
        last = await cluster.create(WIDGETS, widget(name))
    listing = await cluster.api.list(WIDGETS, cluster.namespace)
    assert [item["metadata"]["name"] for item in listing.items] == ["a", "b", "c"]
    assert int(listing.resource_version) >= int(last["metadata"]["resourceVersion"])


async def test_a_list_over_all_namespaces_holds_every_namespace(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    listing = await cluster.api.list(WIDGETS)
    assert cluster.namespace in {item["metadata"]["namespace"] for item in listing.items}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=x", ["a", "b"]),
        ("app==x", ["a", "b"]),
        ("app!=x", ["c", "d"]),
        ("app in (x,y)", ["a", "b", "c"]),
        ("app notin (x)", ["c", "d"]),
        ("tier", ["b"]),
        ("!tier", ["a", "c", "d"]),
        ("app=x,!tier", ["a"]),
        ("app=x,tier in (front)", ["b"]),
    ],
)
async def test_label_selectors(cluster: Subject, selector: str, expected: list[str]) -> None:
    await cluster.create(WIDGETS, widget("a", labels={"app": "x"}))
    await cluster.create(WIDGETS, widget("b", labels={"app": "x", "tier": "front"}))
    await cluster.create(WIDGETS, widget("c", labels={"app": "y"}))
    await cluster.create(WIDGETS, widget("d"))
    assert await _names(cluster, label_selector=selector) == expected


async def test_a_malformed_label_selector_is_a_bad_request(cluster: Subject) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await _names(cluster, label_selector="a=b=c")
    assert refused.value.status == 400


async def test_field_selectors_by_name(cluster: Subject) -> None:
    for name in ("a", "b"):
        await cluster.create(WIDGETS, widget(name))
    assert await _names(cluster, field_selector="metadata.name=b") == ["b"]
    assert await _names(cluster, field_selector="metadata.name!=b") == ["a"]
    assert await _names(cluster, field_selector=f"metadata.namespace={cluster.namespace}") == ["a", "b"]


async def test_pods_by_phase_and_node(cluster: Subject) -> None:
    for name in ("p", "q"):
        await cluster.create(PODS, pod(name))
    await cluster.merge(PODS, "q", {"status": {"phase": "Running"}}, subresource="status")
    listing = await cluster.api.list(PODS, cluster.namespace, field_selector="status.phase=Running")
    assert [item["metadata"]["name"] for item in listing.items] == ["q"]
    nowhere = await cluster.api.list(PODS, cluster.namespace, field_selector="spec.nodeName=")
    assert len(nowhere.items) == 2


async def test_events_by_involved_object(cluster: Subject) -> None:
    for name in ("one", "two"):
        involved = {"kind": "Widget", "name": name, "namespace": cluster.namespace, "uid": f"uid-{name}"}
        body = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": f"event-{name}"}}
        await cluster.create(EVENTS, {**body, "involvedObject": involved, "reason": "R", "type": "Normal"})
    selector = "involvedObject.kind=Widget,involvedObject.name=two"
    listing = await cluster.api.list(EVENTS, cluster.namespace, field_selector=selector)
    assert [item["metadata"]["name"] for item in listing.items] == ["event-two"]


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        pytest.param(WIDGETS, "field label not supported: spec.size", id="custom"),
        pytest.param(PODS, "field label not supported: spec.size", id="pods"),
        pytest.param(CONFIGMAPS, '"spec.size" is not a known field selector', id="plain"),
    ],
)
async def test_a_field_that_is_not_indexed_is_a_bad_request(
    cluster: Subject, resource: Resource, words: str
) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await cluster.api.list(resource, cluster.namespace, field_selector="spec.size=1")
    assert refused.value.status == 400
    assert words in refused.value.message


async def test_pages_are_one_consistent_list(wire: Wire) -> None:
    for name in ("a", "b", "c", "d", "e"):
        await wire.create(WIDGETS, widget(name))
    path = WIDGETS.path(wire.namespace)
    first = (await wire.raw("GET", f"{path}?limit=2")).body
    assert first["metadata"]["remainingItemCount"] == 3
    await wire.create(WIDGETS, widget("bb"))
    await wire.delete(WIDGETS, "d")
    await wire.merge(WIDGETS, "e", {"spec": {"size": 9}})
    seen = first["items"]
    token = first["metadata"]["continue"]
    while token:
        page = (await wire.raw("GET", f"{path}?limit=2&continue={token}")).body
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        seen += page["items"]
        token = page["metadata"].get("continue", "")
    assert [item["metadata"]["name"] for item in seen] == ["a", "b", "c", "d", "e"]
    assert seen[-1]["spec"]["size"] == 1


async def test_a_malformed_continue_token_is_a_bad_request(wire: Wire) -> None:
    answer = await wire.raw("GET", f"{WIDGETS.path(wire.namespace)}?limit=2&continue=nonsense")
    assert answer.status == 400


async def test_list_bodies_name_their_kind(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a"))
    await wire.create(CONFIGMAPS, configmap("a"))
    widgets = (await wire.raw("GET", WIDGETS.path(wire.namespace))).body
    assert (widgets["kind"], widgets["apiVersion"]) == ("WidgetList", WIDGETS.api_version)
    assert widgets["items"][0]["kind"] == "Widget"
    maps = (await wire.raw("GET", CONFIGMAPS.path(wire.namespace))).body
    assert maps["kind"] == "ConfigMapList"


async def test_items_of_built_in_lists_carry_no_kind(cluster: Subject) -> None:
    await cluster.create(CONFIGMAPS, configmap("a"))
    listing = await cluster.api.list(CONFIGMAPS, cluster.namespace, field_selector="metadata.name=a")
    assert "kind" not in listing.items[0]
