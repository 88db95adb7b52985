"""Constant load: some users keep their connections, others open a new one for every request."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from tests.dataplane.connections import Connection, HttpConnection, Unanswered

Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str, str], Connection]
"""What makes a connection of a protocol out of a socket, for a path of a host."""


class Users:
    """Users of one path of a host; rates are requests per second over kept and over new connections.

    ``answers`` counts status codes, 0 for a request without an answer.
    """

    def __init__(
        self,
        port: int,
        host: str,
        path: str = "/",
        *,
        speak: Speak = HttpConnection,
        kept: float = 120.0,
        fresh: float = 100.0,
    ) -> None:
        self.answers: Counter[int] = Counter()
        self.failures: list[str] = []
        self.leave: Callable[[], None] = lambda: None
        self._speak = speak
        self._place = (port, host, path)
        self._kept = kept
        self._fresh = fresh

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set; requests under way are finished."""
        async with asyncio.TaskGroup() as group:
            for _ in range(4 if self._kept else 0):
                group.create_task(self._keep(stop, 4 / self._kept))
            pending: set[asyncio.Task[None]] = set()
            due = time.monotonic()
            while not stop.is_set():
                task = group.create_task(self.ask_once())
                pending.add(task)
                task.add_done_callback(pending.discard)
                due += 1 / self._fresh
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def ask_once(self) -> None:
        """Send one request over a connection of its own."""
        connection = await self._open()
        if connection is not None:
            await self._ask(connection, last=True)
            connection.close()

    async def _keep(self, stop: asyncio.Event, interval: float) -> None:
        due = time.monotonic()
        while not stop.is_set():
            connection = await self._open()
            if connection is None:
                await asyncio.sleep(interval)
                continue
            healthy = True
            while healthy and not stop.is_set():
                healthy = await self._ask(connection, last=False)
                due += interval
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            connection.close()

    async def _open(self) -> Connection | None:
        port, host, path = self._place
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            self._note(0, repr(error))
            return None
        return self._speak(reader, writer, host, path)

    async def _ask(self, connection: Connection, *, last: bool) -> bool:
        try:
            code, text = await connection.ask(last=last)
        except (OSError, EOFError, TimeoutError, Unanswered) as error:
            self._note(0, repr(error))
            return False
        self._note(code, text)
        return True

    def _note(self, code: int, text: str) -> None:
        self.answers[code] += 1
        if code != 200:
            self.failures.append(f"{time.monotonic():.3f} {text}")


async def answered(port: int, host: str, path: str, speak: Speak = HttpConnection) -> bool:
    """Return whether one request is answered well."""
    users = Users(port, host, path, speak=speak)
    await users.ask_once()
    return set(users.answers) == {200}
