"""Watches."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rollouts.kube import errors
from rollouts.kube.objects import CONFIGMAPS
from tests.contract.definitions import WIDGETS, configmap, widget
from tests.contract.implementations import Subject, Wire


async def _version(cluster: Subject) -> str:
    return (await cluster.api.list(WIDGETS, cluster.namespace)).resource_version


def _seen(events: list[Any]) -> list[tuple[str, str]]:
    return [(event.type, event.object["metadata"]["name"]) for event in events]


async def test_a_watch_replays_what_happened_after_its_version(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("before"))
    version = await _version(cluster)
    await cluster.create(WIDGETS, widget("a"))
    await cluster.merge(WIDGETS, "a", {"spec": {"size": 2}})
    await cluster.delete(WIDGETS, "a")
    events = await cluster.events(WIDGETS, 3, version)
    assert _seen(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    assert int(version) < versions[0]
    assert events[1].object["spec"]["size"] == 2


async def test_a_watch_follows_later_changes(cluster: Subject) -> None:
    version = await _version(cluster)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(cluster.events(WIDGETS, 2, version))
        await asyncio.sleep(0.05)
        await cluster.create(WIDGETS, widget("a"))
        await cluster.merge(WIDGETS, "a", {"status": {"phase": "x"}}, subresource="status")
    assert _seen(watching.result()) == [("ADDED", "a"), ("MODIFIED", "a")]


async def test_a_watch_without_a_version_starts_with_what_is_there(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    await cluster.create(WIDGETS, widget("b"))
    events = await cluster.events(WIDGETS, 2, "")
    assert sorted(_seen(events)) == [("ADDED", "a"), ("ADDED", "b")]


async def test_a_write_of_one_object_is_one_event_with_the_answers_version(cluster: Subject) -> None:
    version = await _version(cluster)
    answer = await cluster.create(WIDGETS, widget("a"))
    events = await cluster.events(WIDGETS, 1, version)
    assert events[0].object == answer


async def test_a_write_that_changes_nothing_is_no_event(cluster: Subject) -> None:
    await cluster.create(WIDGETS, widget("a"))
    version = await _version(cluster)
    await cluster.merge(WIDGETS, "a", {"spec": {"size": 1}})
    await cluster.create(WIDGETS, widget("b"))
    assert _seen(await cluster.events(WIDGETS, 1, version)) == [("ADDED", "b")]


async def test_the_deleted_event_carries_the_last_state_at_the_deletes_version(cluster: Subject) -> None:
    created = await cluster.create(WIDGETS, widget("a", {"size": 4}))
    version = await _version(cluster)
    await cluster.delete(WIDGETS, "a")
    event = (await cluster.events(WIDGETS, 1, version))[0]
    assert event.object["spec"]["size"] == 4
    last = int(event.object["metadata"]["resourceVersion"])
    assert last > int(created["metadata"]["resourceVersion"])


async def test_leaving_a_selector_is_deleted_and_entering_is_added(cluster: Subject) -> None:
    version = await _version(cluster)
    await cluster.create(WIDGETS, widget("a", labels={"k": "1"}))
    await cluster.create(WIDGETS, widget("other", labels={"k": "2"}))
    await cluster.merge(WIDGETS, "a", {"spec": {"size": 2}})
    await cluster.merge(WIDGETS, "a", {"metadata": {"labels": {"k": "2"}}})
    await cluster.merge(WIDGETS, "a", {"spec": {"size": 3}})
    await cluster.merge(WIDGETS, "a", {"metadata": {"labels": {"k": "1"}}})
    await cluster.delete(WIDGETS, "a")
    events = await cluster.events(WIDGETS, 5, version, label_selector="k=1")
    assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


async def test_a_watch_of_one_name(cluster: Subject) -> None:
    version = await _version(cluster)
    for name in ("a", "b"):
        await cluster.create(WIDGETS, widget(name))
    events = await cluster.events(WIDGETS, 1, version, field_selector="metadata.name=b")
    assert _seen(events) == [("ADDED", "b")]


async def test_a_watch_sees_its_namespace_only(cluster: Subject) -> None:
    version = (await cluster.api.list(CONFIGMAPS)).resource_version
    await cluster.api.create(CONFIGMAPS, "default", configmap(f"other-{cluster.namespace}"))
    await cluster.create(CONFIGMAPS, configmap("mine"))
    events = await cluster.events(CONFIGMAPS, 1, version, field_selector="metadata.name!=kube-root-ca.crt")
    assert _seen(events) == [("ADDED", "mine")]
    await cluster.api.delete(CONFIGMAPS, "default", f"other-{cluster.namespace}")


async def test_a_version_that_is_too_old_is_gone(cluster: Subject) -> None:
    with pytest.raises(errors.Gone):
        await cluster.events(WIDGETS, 1, "1")


async def test_too_old_is_an_error_event_in_the_stream(wire: Wire) -> None:
    path = f"{WIDGETS.path(wire.namespace)}?watch=true&resourceVersion=1&timeoutSeconds=5"
    answer = await wire.raw("GET", path)
    assert answer.status == 200
    assert answer.body["type"] == "ERROR"
    assert answer.body["object"]["code"] == 410
    assert answer.body["object"]["reason"] == "Expired"


async def test_a_watch_ends_after_its_time(cluster: Subject) -> None:
    version = await _version(cluster)
    events = []
    async with asyncio.timeout(30):
        watch = cluster.api.watch(WIDGETS, cluster.namespace, resource_version=version, timeout_seconds=1)
        async for event in watch:
            events.append(event.type)
    assert set(events) <= {"BOOKMARK"}


async def test_bookmarks_move_the_version_past_what_the_watch_does_not_show(cluster: Subject) -> None:
    version = await _version(cluster)
    elsewhere = widget(f"other-{cluster.namespace}")

    async def follow() -> list[Any]:
        watch = cluster.api.watch(WIDGETS, cluster.namespace, resource_version=version, timeout_seconds=6)
        return [event async for event in watch]

    async with asyncio.timeout(15), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(follow())
        await asyncio.sleep(0.5)
        hidden = await cluster.api.create(WIDGETS, "default", elsewhere)
    await cluster.api.delete(WIDGETS, "default", elsewhere["metadata"]["name"])
    found = watching.result()
    assert {event.type for event in found} == {"BOOKMARK"}
    last = found[-1].object
    assert int(last["metadata"]["resourceVersion"]) >= int(hidden["metadata"]["resourceVersion"])
    assert last["kind"] == "Widget"
