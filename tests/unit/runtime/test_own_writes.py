"""A key never decides on a state from before its own last write."""

import asyncio
from typing import Any

import pytest

from rollouts.kube import errors
from rollouts.kube.objects import PODS, ROLLOUTS, SECRETS, Resource, name_of
from rollouts.runtime.manager import Manager
from rollouts.runtime.reconciler import Request, Result
from tests.unit.kube.world import MemoryApi, manifest, virtual
from tests.unit.runtime.harness import managed, running

OWNER = {
    "ownerReferences": [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "name": "r",
            "uid": "uid-r",
            "controller": True,
        }
    ]
}


def pod(name: str = "p") -> dict[str, Any]:
    return manifest(name, metadata=OWNER)


@virtual
async def test_while_the_cache_is_stale_the_key_waits():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    seen: list[list[str]] = []

    async def body(manager: Manager, request: Request) -> Result | None:
        seen.append([name_of(p) for p in manager.cache.list(PODS)])
        if not seen[-1]:
            api.hold = True
            await request.api.create(PODS, "ns", pod())
        return None

    manager, scripted = managed(api, body)
    async with running(manager):
        manager.enqueue("rollout", scripted.requests[0].key)
        await asyncio.sleep(1)
        assert seen == [[]], "the pod is not in the cache, so the key waits"
        api.release()
        await asyncio.sleep(0.1)
        assert seen[1] == ["p"]
    assert api.count("create") == 1
    assert api.count("get") == 0


@virtual
async def test_when_the_watch_stays_silent_the_object_is_read_live():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    seen: list[list[str]] = []

    async def body(manager: Manager, request: Request) -> Result | None:
        seen.append([name_of(p) for p in manager.cache.list(PODS)])
        if not seen[-1]:
            api.hold = True
            await request.api.create(PODS, "ns", pod())
        return None

    manager, scripted = managed(api, body)
    async with running(manager):
        manager.enqueue("rollout", scripted.requests[0].key)
        await asyncio.sleep(3)
        assert seen[:2] == [[], ["p"]]
        assert scripted.began_at[1] - scripted.began_at[0] == pytest.approx(2.0, abs=0.1)
    assert api.calls.count(("get", "pods", "p")) == 1


@pytest.mark.parametrize("took_effect", [True, False], ids=["took effect", "did not"])
@pytest.mark.parametrize("error", [errors.OutcomeUnknown, errors.ServerFailure], ids=["lost answer", "5xx"])
def test_after_an_unknown_outcome_the_object_is_read_live_before_the_next_decision(
    took_effect: bool, error: type[errors.KubeError]
):
    @virtual
    async def check() -> None:
        api = MemoryApi()
        api.put(ROLLOUTS, manifest("r"))
        failing = True

        def lose(verb: str, resource: Resource, name: str) -> None:
            nonlocal failing
            if failing and verb == "create" and resource == PODS:
                failing = False
                raise error("the answer was lost")

        if took_effect:
            api.after = lose
        else:
            api.before = lose
        api.hold = True
        seen: list[list[str]] = []

        async def body(manager: Manager, request: Request) -> Result | None:
            seen.append([name_of(p) for p in manager.cache.list(PODS)])
            if not seen[-1]:
                await request.api.create(PODS, "ns", pod())
            return None

        manager, _ = managed(api, body)
        async with running(manager):
            await asyncio.sleep(1)
            assert seen[:2] == ([[], ["p"]] if took_effect else [[], []])
        assert api.calls.count(("get", "pods", "p")) == 1
        assert api.count("create") == (1 if took_effect else 2)

    check()


@virtual
async def test_a_write_that_changed_nothing_asks_for_nothing():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r", status={"phase": "Healthy"}))

    async def body(manager: Manager, request: Request) -> Result | None:
        await request.api.patch(ROLLOUTS, "ns", "r", {"status": {"phase": "Healthy"}}, subresource="status")
        return None

    manager, scripted = managed(api, body)
    async with running(manager):
        api.hold = True
        manager.enqueue("rollout", scripted.requests[0].key)
        await asyncio.sleep(0.01)
    assert len(scripted.requests) == 2
    assert scripted.began_at[1] - scripted.began_at[0] < 0.01


@virtual
async def test_a_deletion_is_awaited_too():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    api.put(PODS, pod())
    seen: list[int] = []

    async def body(manager: Manager, request: Request) -> Result | None:
        seen.append(len(manager.cache.list(PODS)))
        if seen[-1]:
            api.hold = True
            await request.api.delete(PODS, "ns", "p")
        return None

    manager, scripted = managed(api, body)
    async with running(manager):
        manager.enqueue("rollout", scripted.requests[0].key)
        await asyncio.sleep(0.5)
        assert seen == [1]
        api.release()
        await asyncio.sleep(0.1)
    assert seen[1] == 0


@virtual
async def test_after_a_conflict_the_key_waits_for_the_change_that_caused_it():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    api.hold = True

    async def body(manager: Manager, request: Request) -> Result | None:
        held = manager.cache.get(ROLLOUTS, "ns", "r")
        assert held is not None
        if len(scripted.requests) == 1:
            api.put(ROLLOUTS, {**held, "spec": {"by": "another"}})
        version = held["metadata"]["resourceVersion"]
        await request.api.patch(
            ROLLOUTS, "ns", "r", {"metadata": {"resourceVersion": version}, "status": {"n": 1}}
        )
        return None

    manager, scripted = managed(api, body)
    async with running(manager):
        await asyncio.sleep(1)
        assert api.count("patch") == 1
        api.release()
        await asyncio.sleep(0.5)
    assert api.objects[ROLLOUTS, "ns", "r"]["status"] == {"n": 1}
    assert api.count("get") == 0


@virtual
async def test_a_write_to_what_is_not_watched_holds_nobody_up():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))

    async def body(manager: Manager, request: Request) -> Result | None:
        if len(scripted.requests) == 1:
            await request.api.create(SECRETS, "ns", manifest("s"))
        return None

    manager, scripted = managed(api, body)
    async with running(manager):
        manager.enqueue("rollout", scripted.requests[0].key)
        await asyncio.sleep(0.01)
    assert len(scripted.requests) == 2
    assert api.count("get") == 0


@virtual
async def test_after_already_exists_the_object_is_read_live_and_seen():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    api.hold = True
    seen: list[list[str]] = []

    async def body(manager: Manager, request: Request) -> Result | None:
        seen.append([name_of(p) for p in manager.cache.list(PODS)])
        if not seen[-1]:
            if not api.count("create"):
                api.put(PODS, pod())
            try:
                await request.api.create(PODS, "ns", pod())
            except errors.AlreadyExists:
                return Result(request.now)
        return None

    manager, _ = managed(api, body)
    async with running(manager):
        await asyncio.sleep(0.1)
    assert seen[:2] == [[], ["p"]]
    assert api.count("create") == 1


@virtual
async def test_after_not_found_the_key_waits_until_the_object_is_gone_from_the_cache_too():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    api.put(PODS, pod())
    seen: list[int] = []

    async def body(manager: Manager, request: Request) -> Result | None:
        seen.append(len(manager.cache.list(PODS)))
        if seen[-1]:
            api.hold = True
            if api.count("patch") == 0:
                api.drop(PODS, "ns", "p")
            try:
                await request.api.patch(PODS, "ns", "p", {"spec": {}})
            except errors.NotFound:
                return Result(request.now)
        return None

    manager, _ = managed(api, body)
    async with running(manager):
        await asyncio.sleep(0.5)
        assert seen == [1]
        api.release()
        await asyncio.sleep(0.5)
    assert seen[1] == 0
    assert api.count("patch") == 1
