"""Informers against the API server in memory, on virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rollouts.kube import errors, projections
from rollouts.kube.api import Listing
from rollouts.kube.informer import InformerCache
from rollouts.kube.objects import NODES, PODS, REPLICASETS, Manifest, Resource, name_of
from tests.unit.kube.world import Dice, LoopClock, MemoryApi, manifest, virtual


@asynccontextmanager
async def running(api: Any, *resources: Resource, **options: Any) -> AsyncIterator[InformerCache]:
    cache = InformerCache(api, LoopClock(), Dice(), **options)
    for resource in resources:
        cache.start(resource)
    task = asyncio.ensure_future(cache.run())
    await cache.wait_synced()
    await asyncio.sleep(0.01)
    try:
        yield cache
    finally:
        task.cancel()
        await asyncio.wait([task])


def record(cache: InformerCache, resource: Resource = PODS) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []
    cache.on_change(resource, lambda change, old, new: seen.append((change, name_of(new or old or {}))))
    return seen


def named(items: Any) -> list[str]:
    return [name_of(item) for item in items]


@virtual
async def test_what_is_there_is_listed_and_what_changes_arrives_in_order():
    api = MemoryApi()
    api.put(PODS, manifest("b"))
    api.put(PODS, manifest("a"))
    async with running(api, PODS) as cache:
        assert named(cache.list(PODS)) == ["a", "b"]
        seen = record(cache)
        api.put(PODS, manifest("c"))
        api.put(PODS, manifest("a", status={"phase": "Running"}))
        api.drop(PODS, "ns", "b")
        await asyncio.sleep(0.01)
    assert seen == [("resync", "a"), ("resync", "b"), ("added", "c"), ("modified", "a"), ("deleted", "b")]
    assert named(cache.list(PODS)) == ["a", "c"]
    assert api.count("list") == 1


@virtual
async def test_items_get_kind_and_version_and_lose_managed_fields():
    api = MemoryApi()
    stored = api.put(PODS, manifest("a", metadata={"managedFields": [{"manager": "x"}]}))
    async with running(api, PODS) as cache:
        pod = cache.get(PODS, "ns", "a")
    assert pod is not None
    assert (pod["apiVersion"], pod["kind"]) == ("v1", "Pod")
    assert "managedFields" not in pod["metadata"]
    assert "managedFields" in stored["metadata"]


@virtual
async def test_after_410_the_new_list_goes_out_as_its_difference():
    api = MemoryApi()
    for name in ("kept", "changed", "gone"):
        api.put(PODS, manifest(name))
    api.endings = ["", "gone"]
    async with running(api, PODS) as cache:
        seen = record(cache)
        seen.clear()
        api.hold = True
        api.put(PODS, manifest("changed", status={}))
        api.put(PODS, manifest("new"))
        api.drop(PODS, "ns", "gone")
        api.close_watches()
        await asyncio.sleep(1)
        assert sorted(seen) == [("added", "new"), ("deleted", "gone"), ("modified", "changed")]
        api.release()
        await asyncio.sleep(1)
    assert len(seen) == 3, "events older than the list say nothing new"
    assert api.count("list") == 2


@virtual
async def test_a_server_that_ends_every_watch_at_once_is_not_asked_in_a_hot_loop():
    api = MemoryApi()
    api.endings = ["close"] * 10_000
    async with running(api, PODS):
        await asyncio.sleep(300)
    assert 5 < api.count("watch") < 30
    assert api.count("list") == 1


@virtual
async def test_a_watch_that_lived_is_taken_up_again_at_once():
    api = MemoryApi()
    async with running(api, PODS) as cache:
        for number in range(20):
            await asyncio.sleep(5)
            api.close_watches()
            await asyncio.sleep(0.1)
            api.put(PODS, manifest(f"p{number}"))
            await asyncio.sleep(0.01)
            assert cache.get(PODS, "ns", f"p{number}") is not None
    assert api.count("watch") == 21


@virtual
async def test_a_server_that_cannot_be_reached_is_asked_with_growing_pauses_and_the_cache_recovers():
    api = MemoryApi()
    down = True

    def refuse(verb: str, resource: Resource, name: str) -> None:
        if down:
            raise errors.Unreachable("no route")

    api.before = refuse
    cache = InformerCache(api, LoopClock(), Dice())
    cache.start(PODS)
    task = asyncio.ensure_future(cache.run())
    await asyncio.sleep(600)
    assert 10 < api.count("list") < 40
    down = False
    await cache.wait_synced()
    assert cache.synced(PODS)
    task.cancel()
    await asyncio.wait([task])


@virtual
async def test_a_resource_that_is_not_served_stops_nobody_and_is_found_later():
    api = MemoryApi()
    installed = False

    def unserved(verb: str, resource: Resource, name: str) -> None:
        if resource == REPLICASETS and not installed:
            raise errors.NotFound("the server could not find the requested resource", status=404)

    api.before = unserved
    async with running(api, PODS, REPLICASETS) as cache:
        assert cache.synced(PODS)
        assert not cache.synced(REPLICASETS)
        assert not cache.watched(REPLICASETS)
        assert isinstance(cache.refusal(REPLICASETS), errors.NotFound)
        await asyncio.sleep(600)
        assert sum(1 for call in api.calls if call[1] == "replicasets") < 20
        installed = True
        api.put(REPLICASETS, manifest("rs"))
        await asyncio.sleep(61)
        assert cache.watched(REPLICASETS)
        assert named(cache.list(REPLICASETS)) == ["rs"]


@virtual
async def test_objects_are_found_by_owner_and_by_added_indexes():
    api = MemoryApi()
    owner = {"ownerReferences": [{"controller": True, "uid": "u1"}]}
    api.put(PODS, manifest("mine", metadata=owner))
    api.put(PODS, manifest("other", metadata={"labels": {"app": "x"}}))
    async with running(api, PODS) as cache:
        assert named(cache.indexed(PODS, "owner", "u1")) == ["mine"]
        cache.add_index(PODS, "app", lambda o: [o["metadata"]["labels"]["app"]])
        assert named(cache.indexed(PODS, "app", "x")) == ["other"], (
            "one without labels does not stop the rest"
        )
        api.put(PODS, manifest("other", metadata={"labels": {"app": "y"}}))
        api.put(PODS, manifest("mine"))
        await asyncio.sleep(0.01)
        assert named(cache.indexed(PODS, "app", "x")) == []
        assert named(cache.indexed(PODS, "app", "y")) == ["other"]
        assert named(cache.indexed(PODS, "owner", "u1")) == []
        with pytest.raises(KeyError, match="no index named 'nope'"):
            cache.indexed(PODS, "nope", "x")


@virtual
async def test_one_namespace_sees_its_own_and_cluster_scoped_objects():
    api = MemoryApi()
    api.put(PODS, manifest("here", "ns"))
    api.put(PODS, manifest("there", "other"))
    api.put(NODES, {"metadata": {"name": "node"}})
    async with running(api, PODS, NODES, namespace="ns") as cache:
        assert named(cache.list(PODS)) == ["here"]
        assert named(cache.list(NODES)) == ["node"]


@virtual
async def test_resources_start_and_stop_while_the_cache_runs():
    api = MemoryApi()
    api.put(REPLICASETS, manifest("rs"))
    async with running(api, PODS) as cache:
        assert not cache.watched(REPLICASETS)
        cache.start(REPLICASETS)
        await cache.wait_synced(REPLICASETS)
        assert named(cache.list(REPLICASETS)) == ["rs"]
        await cache.stop(REPLICASETS)
        assert not cache.watched(REPLICASETS)
        assert list(cache.list(REPLICASETS)) == []
        cache.start(REPLICASETS)
        await cache.wait_synced(REPLICASETS)
        assert named(cache.list(REPLICASETS)) == ["rs"]


@virtual
async def test_two_callers_cannot_want_different_parts_of_one_resource():
    cache = InformerCache(MemoryApi(), LoopClock(), Dice())
    cache.start(PODS, project=projections.pod)
    cache.start(PODS)
    with pytest.raises(ValueError, match="pods is already watched with another selector or projection"):
        cache.start(PODS, label_selector="app=x")


@virtual
async def test_waiting_for_a_version_ends_when_the_watch_brings_it():
    api = MemoryApi()
    api.put(PODS, manifest("a"))
    async with running(api, PODS) as cache:
        api.hold = True
        version = api.put(PODS, manifest("a", status={}))["metadata"]["resourceVersion"]
        assert not cache.reached(PODS, "ns", "a", version)
        assert not await cache.wait_for(PODS, "ns", "a", version, timeout=1)
        asyncio.get_running_loop().call_later(0.5, api.release)
        assert await cache.wait_for(PODS, "ns", "a", version, timeout=1)
        assert cache.resource_version_of(PODS, "ns", "a") == version


@virtual
async def test_versions_are_compared_as_numbers():
    api = MemoryApi()
    api.version_number = 8
    api.put(PODS, manifest("a"))
    async with running(api, PODS) as cache:
        assert cache.resource_version_of(PODS, "ns", "a") == "9"
        assert not cache.reached(PODS, "ns", "a", "10")
        assert cache.reached(PODS, "ns", "a", "8")


@virtual
async def test_a_live_read_may_be_ahead_of_the_watch_and_is_not_undone_by_older_events():
    api = MemoryApi()
    api.put(PODS, manifest("a"))
    api.put(PODS, manifest("b"))
    async with running(api, PODS) as cache:
        seen = record(cache)
        seen.clear()
        api.hold = True
        api.put(PODS, manifest("a", status={"n": 1}))
        api.put(PODS, manifest("a", status={"n": 2}))
        api.drop(PODS, "ns", "b")
        await cache.refresh(PODS, "ns", "a")
        await cache.refresh(PODS, "ns", "b")
        assert seen == [("modified", "a"), ("deleted", "b")]
        api.release()
        await asyncio.sleep(0.01)
        assert len(seen) == 2
        assert (cache.get(PODS, "ns", "a") or {})["status"] == {"n": 2}


@virtual
async def test_relisting_brings_what_a_silent_watch_lost():
    api = MemoryApi()
    api.put(PODS, manifest("a"))
    async with running(api, PODS) as cache:
        api.drop(PODS, "ns", "a", quietly=True)
        await asyncio.sleep(0.1)
        assert named(cache.list(PODS)) == ["a"]
        await cache.relist()
        assert named(cache.list(PODS)) == []
        api.put(PODS, manifest("b"))
        await asyncio.sleep(0.01)
        assert named(cache.list(PODS)) == ["b"], "the watch goes on after it"


class Pages(MemoryApi):
    """Hands lists out one object at a time."""

    async def pages(
        self, resource: Resource, namespace: str | None = None, **_: Any
    ) -> AsyncIterator[Listing]:
        listing = await self.list(resource, namespace)
        for item in listing.items:
            yield Listing([item], listing.resource_version)


@virtual
async def test_pages_are_projected_one_by_one():
    api = Pages()
    for name in ("a", "b"):
        api.put(PODS, manifest(name, spec={"volumes": [1], "containers": [{"name": "c", "env": [1]}]}))
    cache = InformerCache(api, LoopClock(), Dice())
    cache.start(PODS, project=projections.pod)
    task = asyncio.ensure_future(cache.run())
    await cache.wait_synced()
    task.cancel()
    await asyncio.wait([task])
    specs: list[Manifest] = [pod["spec"] for pod in cache.list(PODS)]
    assert specs == [{"containers": [{"name": "c"}]}] * 2


@virtual
async def test_a_late_deletion_does_not_take_away_what_was_created_again_since():
    api = MemoryApi()
    api.put(PODS, manifest("a"))
    async with running(api, PODS) as cache:
        seen = record(cache)
        seen.clear()
        api.hold = True
        api.drop(PODS, "ns", "a")
        api.put(PODS, manifest("a", metadata={"uid": "again"}))
        await cache.refresh(PODS, "ns", "a")
        api.release()
        await asyncio.sleep(0.01)
        assert seen == [("modified", "a")]
        assert cache.get(PODS, "ns", "a") is not None


@virtual
async def test_a_live_read_that_found_nothing_does_not_take_away_what_the_watch_brought_meanwhile():
    api = MemoryApi()
    answer = asyncio.Event()

    async def slow(*_: Any) -> Manifest:
        await answer.wait()
        raise errors.NotFound("not found", status=404)

    api.get = slow  # type: ignore[method-assign]
    async with running(api, PODS) as cache:
        read = asyncio.ensure_future(cache.refresh(PODS, "ns", "a"))
        await asyncio.sleep(0.01)
        api.put(PODS, manifest("a"))
        await asyncio.sleep(0.01)
        answer.set()
        await read
        assert cache.get(PODS, "ns", "a") is not None
