"""Virtual time: it jumps, it never waits, and a program that would hang is found out."""

import asyncio
import time

import pytest

from rollouts.simulation.loop import START, Deadlock, LoopClock, run_virtual


def test_hours_pass_in_no_time() -> None:
    async def nap() -> float:
        clock = LoopClock()
        await clock.sleep(36_000)
        assert (clock.now() - START).total_seconds() == 36_000
        return clock.monotonic()

    began = time.perf_counter()
    assert run_virtual(nap()) == 36_000
    assert time.perf_counter() - began < 5


def test_timers_run_in_the_order_of_their_moments() -> None:
    async def race() -> list[str]:
        clock, seen = LoopClock(), []

        async def runner(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            seen.append(name)

        async with asyncio.TaskGroup() as group:
            for name, seconds in (("last", 3.0), ("first", 1.0), ("second", 2.0)):
                group.create_task(runner(name, seconds))
        return seen

    assert run_virtual(race()) == ["first", "second", "last"]


def test_a_program_that_would_hang_for_ever_is_reported() -> None:
    async def stuck() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="nothing is scheduled"):
        run_virtual(stuck())
