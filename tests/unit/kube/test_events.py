"""The event recorder, on virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rollouts.kube import errors
from rollouts.kube.events import Recorder
from rollouts.kube.objects import EVENTS, Manifest, Resource
from tests.unit.kube.world import Dice, LoopClock, MemoryApi, manifest, virtual


def rollout(name: str = "r") -> Manifest:
    meta = {"uid": f"uid-{name}", "resourceVersion": "7"}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", **manifest(name, metadata=meta)}


@asynccontextmanager
async def recording(api: MemoryApi, **options: Any) -> AsyncIterator[Recorder]:
    recorder = Recorder(api, LoopClock(), Dice(), **options)
    task = asyncio.ensure_future(recorder.run())
    try:
        yield recorder
    finally:
        task.cancel()
        await asyncio.wait([task])


def written(api: MemoryApi) -> list[Manifest]:
    return [obj for (resource, _, _), obj in api.objects.items() if resource == EVENTS]


@virtual
async def test_an_event_has_the_fields_that_kubectl_shows():
    api = MemoryApi()
    async with recording(api) as recorder:
        recorder.event(rollout(), "Warning", "RolloutAborted", "analysis failed")
        assert await recorder.flush(1)
    (event,) = written(api)
    assert event["involvedObject"] == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "namespace": "ns",
        "name": "r",
        "uid": "uid-r",
        "resourceVersion": "7",
    }
    assert (event["type"], event["reason"], event["message"]) == (
        "Warning",
        "RolloutAborted",
        "analysis failed",
    )
    assert event["source"] == {"component": "rollouts-controller"}
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T00:00:00Z"
    assert event["count"] == 1
    assert event["metadata"]["namespace"] == "ns"


@virtual
async def test_the_same_again_becomes_a_higher_count_and_anything_distinct_its_own_event():
    api = MemoryApi()
    async with recording(api) as recorder:
        for message in ("one", "two", "one", "one"):
            recorder.event(rollout(), "Normal", "Step", message)
            await recorder.flush(1)
            await asyncio.sleep(10)
        recorder.event(rollout("other"), "Normal", "Step", "one")
        recorder.event(rollout(), "Normal", "Other", "one")
        await recorder.flush(1)
    rows = [(e["involvedObject"]["name"], e["reason"], e["message"], e["count"]) for e in written(api)]
    assert sorted(rows) == [
        ("other", "Step", "one", 1),
        ("r", "Other", "one", 1),
        ("r", "Step", "one", 3),
        ("r", "Step", "two", 1),
    ]
    one = next(e for e in written(api) if e["count"] == 3)
    assert (one["firstTimestamp"], one["lastTimestamp"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:00:30Z")


@virtual
async def test_repeats_that_still_wait_become_one_write():
    api = MemoryApi()
    async with recording(api) as recorder:
        for _ in range(50):
            recorder.event(rollout(), "Normal", "Same", "same")
        await recorder.flush(1)
    assert api.count("create") == 1
    assert api.count("patch") == 0
    assert written(api)[0]["count"] == 50


@virtual
async def test_events_of_one_object_keep_their_order_and_objects_do_not_wait_for_each_other():
    api = MemoryApi()
    api.latency = 1.0
    async with recording(api) as recorder:
        for number in range(5):
            for name in ("a", "b", "c"):
                recorder.event(rollout(name), "Normal", "Step", f"{number}")
        began = asyncio.get_running_loop().time()
        await recorder.flush(60)
        took = asyncio.get_running_loop().time() - began
    for name in ("a", "b", "c"):
        order = [e["message"] for e in written(api) if e["involvedObject"]["name"] == name]
        assert order == ["0", "1", "2", "3", "4"]
    assert took == 5.0


@virtual
async def test_under_pressure_repeats_are_dropped_before_anything_distinct():
    api = MemoryApi()
    async with recording(api, limit=4) as recorder:
        for number in range(4):
            recorder.event(rollout(f"old{number}"), "Normal", "Known", "known")
        await recorder.flush(1)
        for number in range(4):
            recorder.event(rollout(f"old{number}"), "Normal", "Known", "known")
        for number in range(4):
            recorder.event(rollout("new"), "Normal", "Distinct", f"{number}")
        assert recorder.dropped == 4
        recorder.event(rollout("old0"), "Normal", "Known", "known")
        assert recorder.dropped == 5, "a repeat does not displace anything"
        await recorder.flush(1)
    assert [e["message"] for e in written(api) if e["reason"] == "Distinct"] == ["0", "1", "2", "3"]
    assert all(e["count"] == 1 for e in written(api))


@virtual
async def test_an_event_that_expired_on_the_server_is_written_anew():
    api = MemoryApi()
    async with recording(api) as recorder:
        recorder.event(rollout(), "Normal", "Step", "one")
        await recorder.flush(1)
        api.drop(EVENTS, "ns", written(api)[0]["metadata"]["name"])
        recorder.event(rollout(), "Normal", "Step", "one")
        await recorder.flush(1)
    assert [e["count"] for e in written(api)] == [1]
    assert recorder.failed == 0


@virtual
async def test_a_failure_is_counted_and_the_next_event_is_written():
    api = MemoryApi()
    answers: list[errors.KubeError] = [
        errors.Unreachable("away"),
        errors.Unreachable("away"),
        errors.Forbidden("events is forbidden", status=403),
    ]

    def fail(verb: str, resource: Resource, name: str) -> None:
        if answers:
            raise answers.pop(0)

    api.before = fail
    async with recording(api) as recorder:
        recorder.event(rollout(), "Normal", "Step", "lost")
        recorder.event(rollout(), "Normal", "Step", "kept")
        assert await recorder.flush(10)
    assert recorder.failed == 1
    assert [e["message"] for e in written(api)] == ["kept"]


@virtual
async def test_recording_never_waits_and_flushing_has_an_end():
    api = MemoryApi()
    api.latency = 100.0
    async with recording(api) as recorder:
        recorder.event(rollout(), "Normal", "Step", "slow")
        assert asyncio.get_running_loop().time() == 0.0
        assert not await recorder.flush(5)


@virtual
async def test_messages_are_redacted_and_bounded():
    api = MemoryApi()
    async with recording(api, redact=lambda text: text.replace("hunter2", "***")) as recorder:
        recorder.event(rollout(), "Normal", "Step", "password hunter2 " + "x" * 5000)
        await recorder.flush(1)
    message = written(api)[0]["message"]
    assert message.startswith("password *** ")
    assert len(message) == 1024
