"""Leader election on a thread of its own, with its own event loop and connection.

A reconcile that hogs the main loop then delays neither a renewal nor the news that the lease is lost.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

from rollouts.clock import Clock, Randomness
from rollouts.kube.client import HttpKubeApi
from rollouts.kube.lease import Contender, Standing, Terms

RELEASE_TIMEOUT = 8.0
"""Seconds that the thread gets at the end to give the lease back."""

Connect = Callable[[], Awaitable[HttpKubeApi]]


class ThreadedElection(Standing):
    """``Leadership`` from a thread. ``connect`` is called there and makes its connection."""

    def __init__(self, connect: Connect, clock: Clock, randomness: Randomness, terms: Terms) -> None:
        super().__init__(clock)
        self._connect = connect
        self._monotonic = clock
        self._randomness = randomness
        self._terms = terms

    async def run(self) -> None:
        """See Leadership.run. An error in the thread is raised here."""
        main = asyncio.get_running_loop()
        ended: asyncio.Future[None] = main.create_future()
        stop = threading.Event()
        inner: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

        def tell(news: Callable[[], None]) -> None:
            main.call_soon_threadsafe(news)

        async def contend() -> None:
            api = await self._connect()
            try:
                await Contender(api, self._monotonic, self._randomness, self._terms, self, tell).run()
            finally:
                await api.close()

        async def supervised() -> None:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(contend())
                inner.append((asyncio.get_running_loop(), task))
                if stop.is_set():
                    task.cancel()

        def body() -> None:
            failure: BaseException | None = None
            try:
                asyncio.run(supervised())
            except BaseException as error:  # noqa: BLE001 - carried over to the main loop, raised there
                failure = error
            main.call_soon_threadsafe(_finish, ended, failure)

        threading.Thread(target=body, name="lease", daemon=True).start()
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            stop.set()
            for loop, task in inner:
                loop.call_soon_threadsafe(task.cancel)
            await asyncio.wait([ended], timeout=RELEASE_TIMEOUT)
            raise


def _finish(ended: asyncio.Future[None], failure: BaseException | None) -> None:
    if failure is None:
        ended.set_result(None)
    else:
        ended.set_exception(failure)
