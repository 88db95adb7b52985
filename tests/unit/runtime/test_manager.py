"""Workers, leadership and the order of the end."""

import asyncio
import logging
from datetime import timedelta

import pytest
from prometheus_client import generate_latest

from rollouts.kube import errors
from rollouts.kube.lease import Election, Terms
from rollouts.kube.objects import EVENTS, LEASES, PODS, ROLLOUTS, Key, Resource
from rollouts.runtime.manager import Manager
from rollouts.runtime.reconciler import Request, Result, TerminalError
from rollouts.runtime.worker import Controller
from tests.unit.kube.world import START, Dice, LoopClock, MemoryApi, manifest, virtual
from tests.unit.runtime.harness import managed, running

KEY = Key("ns", "r")


async def nothing(manager: Manager, request: Request) -> Result | None:
    return None


@virtual
async def test_present_objects_are_reconciled_and_a_childs_change_wakes_its_owner():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    manager, scripted = managed(api, nothing)
    async with running(manager):
        assert [r.key for r in scripted.requests] == [KEY]
        owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "r", "controller": True}
        api.put(PODS, manifest("p", metadata={"ownerReferences": [owner]}))
        api.put(PODS, manifest("stranger"))
        await asyncio.sleep(0.01)
    assert [r.key for r in scripted.requests] == [KEY, KEY]


@virtual
async def test_a_result_names_the_moment_of_the_next_look():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))

    async def body(manager: Manager, request: Request) -> Result | None:
        return Result(START + timedelta(seconds=60)) if len(scripted.requests) == 1 else None

    manager, scripted = managed(api, body)
    async with running(manager):
        await asyncio.sleep(1000)
    assert scripted.began_at[1:] == [pytest.approx(60.0)]


@virtual
async def test_a_failure_is_retried_with_growing_pauses_and_counted_as_attempts():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    api.put(ROLLOUTS, manifest("other"))

    async def body(manager: Manager, request: Request) -> Result | None:
        if request.key == KEY and request.attempt < 4:
            raise RuntimeError("a bug")
        return None

    manager, scripted = managed(api, body)
    async with running(manager):
        await asyncio.sleep(1)
    mine = [r for r in scripted.requests if r.key == KEY]
    assert [r.attempt for r in mine] == [0, 1, 2, 3, 4]
    assert len(scripted.requests) == 6, "the other key went on"
    text = metrics(manager)
    assert 'rollout_reconcile_error{namespace="ns"} 4.0' in text
    assert 'rollout_reconcile_count{namespace="ns"} 6.0' in text
    assert 'workqueue_retries_total{name="rollout"} 4.0' in text


def metrics(manager: Manager) -> str:
    return generate_latest(manager.registry).decode()


def test_a_terminal_error_is_said_once_and_waits_for_a_change(caplog: pytest.LogCaptureFixture):
    @virtual
    async def check() -> None:
        api = MemoryApi()
        api.put(ROLLOUTS, manifest("r"))

        async def body(manager: Manager, request: Request) -> Result | None:
            raise TerminalError("spec.strategy: must be set")

        manager, scripted = managed(api, body)
        async with running(manager):
            await asyncio.sleep(1000)
            assert len(scripted.requests) == 1
            api.put(ROLLOUTS, manifest("r", spec={"x": 1}))
            await asyncio.sleep(1)
            assert len(scripted.requests) == 2

    with caplog.at_level(logging.WARNING):
        check()
    assert [r.getMessage() for r in caplog.records] == ["waiting for a change: spec.strategy: must be set"]


def test_a_bug_is_logged_with_its_traceback_and_passing_trouble_is_not(caplog: pytest.LogCaptureFixture):
    @virtual
    async def check() -> None:
        api = MemoryApi()
        api.put(ROLLOUTS, manifest("r"))

        async def body(manager: Manager, request: Request) -> Result | None:
            if request.attempt == 0:
                raise errors.Conflict("changed")
            if request.attempt == 1:
                raise ZeroDivisionError
            return None

        manager, _ = managed(api, body)
        async with running(manager):
            await asyncio.sleep(1)

    with caplog.at_level(logging.INFO, logger="rollouts.runtime.worker"):
        check()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


@virtual
async def test_an_error_of_a_part_brings_the_process_down():
    api = MemoryApi()
    manager, _ = managed(api, nothing)

    def broken(change: object, old: object, new: object) -> None:
        raise AssertionError("a bug in a handler")

    manager.cache.on_change(ROLLOUTS, broken)
    task = asyncio.ensure_future(manager.run(asyncio.Event()))
    await asyncio.sleep(0.01)
    api.put(ROLLOUTS, manifest("r"))
    with pytest.raises(ExceptionGroup):
        await task


@virtual
async def test_two_controllers_need_two_names():
    manager, scripted = managed(MemoryApi(), nothing)
    with pytest.raises(ValueError, match="'rollout' is registered already"):
        manager.add(Controller("rollout", ROLLOUTS, scripted))


# --- leadership


def electing(api: MemoryApi, name: str) -> Election:
    return Election(api, LoopClock(), Dice(), Terms("system", name))


@virtual
async def test_a_standby_watches_but_reconciles_only_once_it_leads():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    first, first_work = managed(api, nothing, electing(api, "one"))
    second, second_work = managed(api, nothing, electing(api, "two"))
    async with running(second) as stop_second:
        await asyncio.sleep(0.1)
        async with running(first) as stop_first:
            await asyncio.sleep(30)
            assert len(second_work.requests) == 1
            assert first_work.requests == []
            assert first.standby_ready.is_set()
            assert first.cache.get(ROLLOUTS, "ns", "r") is not None
            lists = api.count("list")
            stop_second.set()
            released = asyncio.get_running_loop().time()
            await asyncio.sleep(4)
            assert len(first_work.requests) == 1
            assert first_work.began_at[0] - released < 3, "the lease was given back, not waited for"
            assert api.count("list") == lists + 2, "a new leader starts with consistent lists"
            stop_first.set()


@virtual
async def test_a_leader_that_loses_the_lease_stops_and_leads_again_later():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    manager, scripted = managed(api, nothing, electing(api, "one"))
    async with running(manager):
        assert len(scripted.requests) == 1
        lease = api.objects[LEASES, "system", "argo-rollouts-controller-lock"]
        taken = {**lease["spec"], "holderIdentity": "two", "renewTime": "now"}
        api.put(LEASES, {**lease, "spec": taken})
        await asyncio.sleep(3)
        api.put(ROLLOUTS, manifest("r", spec={"x": 1}))
        await asyncio.sleep(5)
        assert len(scripted.requests) == 1, "standby: nothing is reconciled"
        await asyncio.sleep(15)
        assert len(scripted.requests) == 2, "the other one never renewed"


@virtual
async def test_a_write_that_the_lease_does_not_cover_is_not_sent():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    cut_off = False

    def unreachable(verb: str, resource: Resource, name: str) -> None:
        if cut_off and resource == LEASES:
            raise errors.Unreachable("partition")

    api.before = unreachable
    refused: list[str] = []

    async def body(manager: Manager, request: Request) -> Result | None:
        nonlocal cut_off
        cut_off = True
        await asyncio.sleep(6)  # renewals fail: 9 of the lease's 15 seconds are left, a write may take 10
        try:
            await request.api.patch(ROLLOUTS, "ns", "r", {"status": {}})
        except errors.Fenced as error:
            refused.append(error.message)
            raise
        return None

    manager, _ = managed(api, body, electing(api, "one"))
    async with running(manager):
        await asyncio.sleep(7)
    assert api.count("patch") == 0
    assert "the leader lease has" in refused[0]


@virtual
async def test_the_end_comes_in_order():
    api = MemoryApi()
    api.put(ROLLOUTS, manifest("r"))
    api.latency = 0.01
    order: list[str] = []

    def note(verb: str, resource: Resource, name: str) -> None:
        if resource == EVENTS:
            order.append("event written")
        elif resource == LEASES and order:
            lease = api.objects[LEASES, "system", "argo-rollouts-controller-lock"]
            if lease["spec"]["holderIdentity"] == "":
                order.append("lease released")

    api.after = note

    async def body(manager: Manager, request: Request) -> Result | None:
        order.append("began")
        await asyncio.sleep(1.5)
        manager.recorder.event(manifest("r"), "Normal", "Done", "it is done")
        order.append("finished")
        return None

    manager, scripted = managed(api, body, electing(api, "one"))
    async with running(manager) as stop:
        await asyncio.sleep(0.5)
        assert order == ["began"]
        stop.set()
        await asyncio.sleep(0.1)
        api.put(ROLLOUTS, manifest("late"))
    assert order == ["began", "finished", "event written", "lease released"]
    assert len(scripted.requests) == 1, "no key is taken after the stop"


@virtual
async def test_a_persons_word_comes_before_what_waits_but_a_new_spec_and_an_own_write_do_not():
    api = MemoryApi()
    for number in range(8):
        api.put(ROLLOUTS, manifest(f"r{number}", metadata={"generation": 1}))

    async def slow(manager: Manager, request: Request) -> None:
        if request.key.name == "r0" and len(scripted.requests) == 1:
            await request.api.patch(ROLLOUTS, "ns", "r0", {"status": {"step": 1}})
        await asyncio.sleep(0.1)

    manager, scripted = managed(api, slow, workers=1)
    async with running(manager):
        await asyncio.sleep(0.05)
        await api.patch(ROLLOUTS, "ns", "r5", {"metadata": {"generation": 2}, "spec": {"paused": True}})
        await api.patch(ROLLOUTS, "ns", "r6", {"status": {"abort": True}})
        await asyncio.sleep(1.5)
    assert [request.key.name for request in scripted.requests] == [
        *("r0", "r6", "r1", "r2", "r3", "r4", "r5", "r7"),
        "r0",
    ]
