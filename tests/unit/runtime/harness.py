"""A manager over the API server in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from rollouts.kube.lease import AlwaysLeader, Leadership
from rollouts.kube.objects import PODS, ROLLOUTS
from rollouts.runtime.manager import Manager
from rollouts.runtime.metrics import new_registry
from rollouts.runtime.reconciler import Request, Result
from rollouts.runtime.worker import Controller, Watch, owned_by
from rollouts.settings import Settings
from tests.unit.kube.world import Dice, LoopClock, MemoryApi

Body = Callable[[Manager, Request], Awaitable[Result | None]]


class Scripted:
    """A reconciler made of a function; notes when each key was reconciled."""

    def __init__(self, manager: Manager, body: Body) -> None:
        self.manager = manager
        self.body = body
        self.requests: list[Request] = []
        self.began_at: list[float] = []

    async def reconcile(self, request: Request) -> Result:
        self.requests.append(request)
        self.began_at.append(self.manager.clock.monotonic())
        return await self.body(self.manager, request) or Result()


def managed(
    api: MemoryApi, body: Body, leadership: Leadership | None = None, **options: Any
) -> tuple[Manager, Scripted]:
    """Return a manager with one controller of Rollouts that also watches their pods."""
    manager = Manager(api, LoopClock(), Dice(), Settings(), new_registry(), leadership or AlwaysLeader())
    scripted = Scripted(manager, body)
    manager.cache.start(ROLLOUTS)
    manager.cache.start(PODS)
    manager.add(
        Controller("rollout", ROLLOUTS, scripted, watches=(Watch(PODS, owned_by(ROLLOUTS)),), **options)
    )
    return manager, scripted


@asynccontextmanager
async def running(manager: Manager) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.ensure_future(manager.run(stop))
    await asyncio.sleep(0.001)
    try:
        yield stop
    finally:
        stop.set()
        await task
