"""An event loop in a thread: simulated kubelet, pods, gateway and load run there while tests look."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
Work = Callable[[asyncio.Event], Awaitable[None]]


class Background:
    """Runs coroutines until ``stop``. An error in one of them is raised by ``check`` and by ``stop``."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def call(self, work: Coroutine[Any, Any, T], *, seconds: float = 30.0) -> T:
        """Run a coroutine there and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def start(self, work: Work) -> None:
        """Start ``work(stop)``, which is to end when ``stop`` is set."""

        async def begin() -> None:
            self.adopt(work)

        self.call(begin())

    def adopt(self, work: Work) -> None:
        """Start ``work(stop)`` from within the loop."""
        self._tasks.append(asyncio.ensure_future(_awaited(work(self._stop))))

    def check(self) -> None:
        """Raise the error of work that failed."""
        for task in self._tasks:
            if task.done():
                task.result()

    def start_stoppable(self, work: Work) -> Callable[[], None]:
        """Start ``work(stop)`` and return what ends it before all the rest."""
        own = asyncio.Event()

        async def until_either(stop: asyncio.Event) -> None:
            first = [asyncio.ensure_future(event.wait()) for event in (stop, own)]
            running = asyncio.ensure_future(_awaited(work(own)))
            await asyncio.wait([*first, running], return_when=asyncio.FIRST_COMPLETED)
            own.set()
            for waiting in first:
                waiting.cancel()
            await running

        self.start(until_either)

        def end() -> None:
            self._loop.call_soon_threadsafe(own.set)

        return end

    def stop(self) -> None:
        """Ask all work to end, wait for it and close the loop. Raises what failed."""

        async def end() -> None:
            self._stop.set()
            results = await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._connections_ended()
            failures = [result for result in results if isinstance(result, Exception)]
            if failures:
                raise ExceptionGroup("work in the background failed", failures)

        try:
            self.call(end(), seconds=60)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    async def _connections_ended(self, seconds: float = 10.0) -> None:
        """Wait until no socket is watched but the loop's own: closed connections say good-bye in later turns.

        Without this their transports outlive the loop and complain in the middle of some other test.
        """
        watched = self._loop._selector.get_map()  # type: ignore[attr-defined]
        for _ in range(int(seconds / 0.05)):
            if len(watched) <= 1:
                return
            await asyncio.sleep(0.05)


async def _awaited(work: Awaitable[None]) -> None:
    await work
