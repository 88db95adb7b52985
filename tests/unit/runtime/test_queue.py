"""The work queue and the back-off."""

import asyncio

import pytest

from rollouts.kube import errors
from rollouts.runtime.backoff import Backoff
from rollouts.runtime.queue import URGENT_IN_A_ROW, WorkQueue
from tests.unit.kube.world import Dice, virtual


@virtual
async def test_keys_come_out_in_order_and_once():
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "a", "c", "b"):
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]
    assert len(queue) == 0


@virtual
async def test_a_key_added_in_mid_work_comes_again_only_after_it_is_done():
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    queue.add("b")
    assert await queue.get() == "b"
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


@virtual
async def test_urgent_keys_come_first_but_never_keep_the_others_out():
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "c"):
        queue.add(key)
    queue.add("c", urgent=True)
    for number in range(URGENT_IN_A_ROW + 1):
        queue.add(f"urgent {number}", urgent=True)
    queue.add("a")
    assert len(queue) == URGENT_IN_A_ROW + 4
    order = [await queue.get() for _ in range(len(queue))]
    urgent = ["c", *(f"urgent {number}" for number in range(URGENT_IN_A_ROW + 1))]
    assert order == [*urgent[:URGENT_IN_A_ROW], "a", *urgent[URGENT_IN_A_ROW:], "b"]


@virtual
async def test_a_key_can_become_urgent_while_it_is_processed():
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a", urgent=True)
    queue.add("b")
    queue.done("a")
    assert [await queue.get(), await queue.get()] == ["a", "b"]


@virtual
async def test_many_workers_never_share_a_key():
    queue: WorkQueue[int] = WorkQueue()
    inside: set[int] = set()
    runs: list[int] = []

    async def worker() -> None:
        while (key := await queue.get()) is not None:
            assert key not in inside
            inside.add(key)
            await asyncio.sleep(0.01)
            inside.discard(key)
            runs.append(key)
            queue.done(key)

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(worker())
        for _ in range(50):
            for key in range(5):
                queue.add(key)
            await asyncio.sleep(0.003)
        await asyncio.sleep(1)
        queue.close()
    assert sorted(set(runs)) == [0, 1, 2, 3, 4]
    assert len(runs) > 10


@virtual
async def test_of_several_moments_the_earliest_counts_and_adding_at_once_voids_it():
    queue: WorkQueue[str] = WorkQueue()
    loop = asyncio.get_running_loop()
    queue.add_after("a", 10)
    queue.add_after("a", 3)
    queue.add_after("a", 7)
    began = loop.time()
    assert await queue.get() == "a"
    assert loop.time() - began == pytest.approx(3)
    queue.done("a")
    queue.add_after("a", 5)
    queue.add("a")
    assert queue.due_in("a") is None
    assert await queue.get() == "a"
    queue.done("a")
    await asyncio.sleep(20)
    assert len(queue) == 0


@virtual
async def test_a_moment_that_has_passed_is_now():
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", -1)
    assert await queue.get() == "a"


@virtual
async def test_a_closed_queue_hands_out_nothing_more():
    queue: WorkQueue[str] = WorkQueue()
    takers = [asyncio.ensure_future(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.add_after("late", 1)
    queue.close()
    queue.add("a")
    assert await asyncio.gather(*takers) == [None, None, None]
    assert await queue.get() is None


@virtual
async def test_a_taker_that_was_cancelled_does_not_swallow_a_key():
    queue: WorkQueue[str] = WorkQueue()
    first, second = (asyncio.ensure_future(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    queue.add("a")
    assert await second == "a"


def test_pauses_grow_per_key_up_to_a_minute_and_begin_anew_after_success():
    backoff: Backoff[str] = Backoff(Dice())
    pauses = [backoff.failed("a") for _ in range(20)]
    assert pauses[:4] == [0.01, 0.02, 0.04, 0.08]
    assert pauses[-1] == 60.0
    assert backoff.failed("b") == 0.01
    assert backoff.attempts("a") == 20
    backoff.succeeded("a")
    assert backoff.attempts("a") == 0
    assert backoff.failed("a") == 0.01


def test_a_pause_is_never_shorter_than_a_429_asked_for():
    error = errors.TooManyRequests("slow down", status=429)
    error.retry_after = 7.0
    backoff: Backoff[str] = Backoff(Dice())
    assert backoff.failed("a", error) == 7.0


@pytest.mark.parametrize("kind", [errors.Invalid, errors.Forbidden])
def test_a_request_that_the_server_finds_wrong_is_not_hurried(kind):
    backoff: Backoff[str] = Backoff(Dice())
    pauses = [backoff.failed("a", kind("wrong")) for _ in range(20)]
    assert (pauses[0], pauses[-1]) == (5.0, 60.0)
