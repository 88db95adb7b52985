"""The leader election, on virtual time, and on its thread."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rollouts.clock import SystemClock, SystemRandomness
from rollouts.kube import errors
from rollouts.kube.election_thread import ThreadedElection
from rollouts.kube.lease import AlwaysLeader, Election, Terms
from rollouts.kube.objects import LEASES, Manifest, Resource
from tests.unit.kube.world import Dice, LoopClock, MemoryApi, manifest, virtual

NAME = "argo-rollouts-controller-lock"


def contender(api: Any, identity: str) -> Election:
    return Election(api, LoopClock(), Dice(), Terms("system", identity))


@asynccontextmanager
async def running(*elections: Any) -> AsyncIterator[list[asyncio.Future[None]]]:
    tasks = []
    for election in elections:
        tasks.append(asyncio.ensure_future(election.run()))
        await asyncio.sleep(0.001)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def spec(api: MemoryApi) -> Manifest:
    found: Manifest = api.objects[LEASES, "system", NAME]["spec"]
    return found


def now() -> float:
    return asyncio.get_running_loop().time()


@virtual
async def test_a_new_lease_has_the_fields_that_other_clients_read():
    api = MemoryApi()
    election = contender(api, "one")
    async with running(election):
        await election.acquired()
        assert spec(api) == {
            "holderIdentity": "one",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-01T00:00:00.000000Z",
            "renewTime": "2026-01-01T00:00:00.000000Z",
            "leaseTransitions": 0,
        }
        await asyncio.sleep(2.5)
        assert spec(api)["renewTime"] == "2026-01-01T00:00:02.000000Z"
        assert spec(api)["acquireTime"] == "2026-01-01T00:00:00.000000Z"


@virtual
async def test_a_leader_renews_every_two_seconds_with_one_write_and_no_read():
    api = MemoryApi()
    async with running(contender(api, "one")):
        api.calls.clear()
        await asyncio.sleep(60)
    assert api.count("update") in (30, 31)
    assert api.count("get") == 0


@virtual
async def test_a_released_lease_is_taken_at_the_next_look():
    api = MemoryApi()
    one, two = contender(api, "one"), contender(api, "two")
    async with running(one, two) as (first, _):
        await asyncio.sleep(5)
        assert one.held()
        assert not two.held()
        first.cancel()
        await asyncio.sleep(0.001)
        assert spec(api)["holderIdentity"] == ""
        assert not one.held()
        await asyncio.wait_for(two.acquired(), 2.5)
        assert spec(api)["holderIdentity"] == "two"
        assert spec(api)["leaseTransitions"] == 1


@virtual
async def test_after_a_crash_the_lease_is_taken_when_it_has_not_changed_for_its_duration():
    api = MemoryApi()
    api.put(LEASES, manifest(NAME, "system", spec={"holderIdentity": "dead", "leaseDurationSeconds": 15}))
    election = contender(api, "two")
    async with running(election):
        await election.acquired()
        assert 15 <= now() <= 18
        assert spec(api)["leaseTransitions"] == 1


@virtual
async def test_a_holder_that_renews_by_a_wrong_clock_is_still_the_holder():
    api = MemoryApi()
    election = contender(api, "two")
    lease = manifest(NAME, "system", spec={"holderIdentity": "one", "leaseDurationSeconds": 15})
    async with running(election):
        for number in range(20):
            api.put(
                LEASES, {**lease, "spec": {**lease["spec"], "renewTime": f"1970-01-01T00:00:{number:02d}Z"}}
            )
            await asyncio.sleep(5)
            assert not election.held()


@virtual
async def test_a_leader_cut_off_steps_down_before_another_may_take_over():
    api = MemoryApi()
    cut = False

    class OneSide(MemoryApi):
        """The same server, behind a line that can be cut."""

        def __getattribute__(self, name: str) -> Any:
            if name in ("replace", "get", "create") and cut:
                return unreachable
            return getattr(api, name)

    async def unreachable(*_: Any, **__: Any) -> Manifest:
        raise errors.Unreachable("partition")

    one, two = contender(OneSide(), "one"), contender(api, "two")
    async with running(one, two):
        await asyncio.sleep(5)
        cut = True
        began = now()
        await one.lost()
        assert now() - began <= 11
        with pytest.raises(errors.Fenced, match="is not held"):
            one.check(0.1)
        assert not two.held()
        await two.acquired()
        assert now() - began > 11


@virtual
async def test_the_fence_closes_when_the_lease_left_is_shorter_than_the_write():
    api = MemoryApi()
    election = contender(api, "one")
    async with running(election):
        await election.acquired()
        election.check(10)
        election.check(14.9)
        with pytest.raises(errors.Fenced, match="may take 16"):
            election.check(16)
        assert election.deadline() == pytest.approx(15.0)


@virtual
async def test_a_fence_that_was_never_open_refuses():
    with pytest.raises(errors.Fenced, match="is not held"):
        contender(MemoryApi(), "one").check(0)
    AlwaysLeader().check(1e9)


@virtual
async def test_a_renewal_whose_answer_was_lost_is_found_out_and_the_lease_kept():
    api = MemoryApi()
    election = contender(api, "one")
    lose = False

    def after(verb: str, resource: Resource, name: str) -> None:
        nonlocal lose
        if lose:
            lose = False
            raise errors.OutcomeUnknown("lost")

    api.after = after
    async with running(election):
        await asyncio.sleep(1)
        lose = True
        await asyncio.sleep(5)
        assert election.held()
        assert api.count("get") == 2, "one to take it, one to find out"
        assert spec(api)["leaseTransitions"] == 0


@virtual
async def test_when_somebody_else_wrote_the_leader_is_none_at_once():
    api = MemoryApi()
    election = contender(api, "one")
    async with running(election):
        await asyncio.sleep(1)
        other = {**spec(api), "holderIdentity": "two"}
        api.put(LEASES, {**api.objects[LEASES, "system", NAME], "spec": other})
        await asyncio.wait_for(election.lost(), 2)
        with pytest.raises(errors.Fenced):
            election.check(0.1)


def test_what_keeps_the_lease_from_being_taken_is_said_once(caplog: pytest.LogCaptureFixture):
    @virtual
    async def check() -> None:
        api = MemoryApi()

        def refuse(verb: str, resource: Resource, name: str) -> None:
            if verb == "create":
                raise errors.NotFound('namespaces "system" not found', status=404)

        api.before = refuse
        async with running(contender(api, "one")):
            await asyncio.sleep(60)

    check()
    (record,) = [r for r in caplog.records if r.levelname == "WARNING"]
    assert record.getMessage().startswith(
        'lease system/argo-rollouts-controller-lock cannot be taken, trying on: namespaces "system" not found'
    )


def test_times_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="duration > renew deadline"):
        Terms("system", "one", duration=10, renew_deadline=10)


class Closable(MemoryApi):
    closed = False

    async def close(self) -> None:
        self.closed = True


async def test_on_a_thread_the_lease_is_taken_and_given_back_while_the_main_loop_is_told():
    api = Closable()

    async def connect() -> Any:
        return api

    election = ThreadedElection(connect, SystemClock(), SystemRandomness(), Terms("system", "one"))
    task = asyncio.ensure_future(election.run())
    async with asyncio.timeout(30):
        await election.acquired()
        election.check(10)
        task.cancel()
        await asyncio.wait([task])
        await election.lost()
    assert task.cancelled()
    assert spec(api)["holderIdentity"] == ""
    assert api.closed


async def test_an_error_on_the_thread_is_raised_in_the_main_loop():
    async def connect() -> Any:
        raise errors.Misconfigured("no kubeconfig")

    election = ThreadedElection(connect, SystemClock(), SystemRandomness(), Terms("system", "one"))
    with pytest.raises(ExceptionGroup) as caught:
        await election.run()
    assert caught.group_contains(errors.Misconfigured, match="no kubeconfig")
