"""Sends requests at a constant rate and counts the answers."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from rollouts.clock import Clock
from rollouts.embedded.workloads.listeners import VERSION_HEADER


@dataclass(frozen=True, slots=True)
class Sent:
    """One answered request: when it was answered (monotonic seconds), how, by which version, how fast."""

    at: float
    code: int
    version: str
    seconds: float


class LoadGenerator:
    """Open-loop load: a request is sent at its time whether or not earlier ones are answered.

    ``code`` 0 stands for a request that got no answer. ``totals`` counts (version, code) since the start;
    version "" is an answer of the gateway itself.
    """

    def __init__(
        self, url: str, clock: Clock, *, rate: float, host: str = "", window_seconds: float = 5.0
    ) -> None:
        self.totals: Counter[tuple[str, int]] = Counter()
        self._url = url
        self._clock = clock
        self._interval = 1.0 / rate
        self._headers = {"Host": host} if host else {}
        self._window_seconds = window_seconds
        self._recent: deque[Sent] = deque()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set; requests in flight are cancelled then."""
        timeout = aiohttp.ClientTimeout(total=10.0)
        async with (
            aiohttp.ClientSession(
                timeout=timeout, connector=aiohttp.TCPConnector(limit=0), trust_env=False
            ) as session,
            asyncio.TaskGroup() as group,
        ):
            pace = group.create_task(self._pace(session, group))
            await stop.wait()
            pace.cancel()

    async def _pace(self, session: aiohttp.ClientSession, group: asyncio.TaskGroup) -> None:
        due = self._clock.monotonic()
        while True:
            group.create_task(self._send(session))
            due += self._interval
            await self._clock.sleep(due - self._clock.monotonic())

    async def _send(self, session: aiohttp.ClientSession) -> None:
        began = self._clock.monotonic()
        try:
            async with session.get(self._url, headers=self._headers) as response:
                await response.read()
                code, version = response.status, response.headers.get(VERSION_HEADER, "")
        except (aiohttp.ClientError, TimeoutError):
            code, version = 0, ""
        now = self._clock.monotonic()
        self.totals[(version, code)] += 1
        self._recent.append(Sent(now, code, version, now - began))
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0].at < now - self._window_seconds:
            self._recent.popleft()

    def recent(self) -> tuple[Sent, ...]:
        """Return the answers of the last ``window_seconds``."""
        self._forget(self._clock.monotonic())
        return tuple(self._recent)


def shares(sent: tuple[Sent, ...]) -> Mapping[str, float]:
    """Return the share of each version among the answers, 0 to 1."""
    count = Counter(one.version for one in sent)
    return {version: number / len(sent) for version, number in sorted(count.items())}
