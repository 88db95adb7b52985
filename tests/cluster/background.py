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

    def stop(self) -> None:
        """Ask all work to end, wait for it and close the loop. Raises what failed."""

        async def end() -> None:
            self._stop.set()
            await asyncio.gather(*self._tasks)

        try:
            self.call(end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()


async def _awaited(work: Awaitable[None]) -> None:
    await work
