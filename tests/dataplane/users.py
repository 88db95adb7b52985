"""Constant load: some users keep their connections, others open a new one for every request."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections import Counter
from collections.abc import Callable


class Users:
    """Users of one path of a host; rates are requests per second over kept and over new connections.

    ``answers`` counts status codes, 0 for a request without an answer.
    """

    def __init__(
        self, port: int, host: str, path: str = "/", *, kept: float = 120.0, fresh: float = 100.0
    ) -> None:
        self.answers: Counter[int] = Counter()
        self.failures: list[str] = []
        self.leave: Callable[[], None] = lambda: None
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n%s\r\n"
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
                task = group.create_task(self._once())
                pending.add(task)
                task.add_done_callback(pending.discard)
                due += 1 / self._fresh
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _keep(self, stop: asyncio.Event, interval: float) -> None:
        due = time.monotonic()
        while not stop.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError as error:
                self._note(0, repr(error))
                await asyncio.sleep(interval)
                continue
            healthy = True
            while healthy and not stop.is_set():
                healthy = await self._ask(reader, writer, self._request % "")
                due += interval
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            writer.close()

    async def _once(self) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError as error:
            self._note(0, repr(error))
            return
        await self._ask(reader, writer, self._request % "Connection: close\r\n")
        writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: str) -> bool:
        try:
            async with asyncio.timeout(10):
                writer.write(request.encode())
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(_length(head))
        except (OSError, EOFError, TimeoutError) as error:
            self._note(0, repr(error))
            return False
        self._note(int(head.split(b" ", 2)[1]), head.decode(errors="replace"))
        return True

    def _note(self, code: int, text: str) -> None:
        self.answers[code] += 1
        if code != 200:
            self.failures.append(f"{time.monotonic():.3f} {text}")


def answered(port: int, host: str, path: str) -> bool:
    """Return whether one request is answered well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
