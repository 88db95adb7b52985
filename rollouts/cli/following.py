"""Watching objects for commands with ``--watch``: informers, no polling; a lost server is waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from rollouts.cli.outcome import EXIT_TIMEOUT
from rollouts.clock import SystemClock, SystemRandomness
from rollouts.kube import errors, projections
from rollouts.kube.api import KubeApi, Listing, WatchEvent
from rollouts.kube.informer import InformerCache
from rollouts.kube.objects import Resource

if TYPE_CHECKING:
    from rollouts.kube.client import HttpKubeApi

Look = Callable[[InformerCache, str], Awaitable[int | None]]
"""``look(cache, trouble)`` shows the present state; a number ends the watch and is the exit code.

``trouble`` says that the connection is lost, "" while it is well.
"""

GATHER_SECONDS = 0.05
"""Changes that come together are shown once."""


class _Connection:
    """The client of the informers; it takes note of a watch that breaks and of one that stands again."""

    def __init__(self, api: HttpKubeApi, changed: asyncio.Event) -> None:
        self._api = api
        self._changed = changed
        self.trouble = ""
        api.transport.observer = self._answered

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    async def pages(self, resource: Resource, *args: Any, **options: Any) -> AsyncIterator[Listing]:
        """See PagedApi.pages."""
        try:
            async with aclosing(self._api.pages(resource, *args, **options)) as pages:  # type: ignore[type-var]
                async for page in pages:
                    yield page
        except errors.Unreachable as error:
            self._lost(error)
            raise

    async def watch(self, resource: Resource, *args: Any, **options: Any) -> AsyncIterator[WatchEvent]:
        """See KubeApi.watch."""
        try:
            async with aclosing(self._api.watch(resource, *args, **options)) as events:  # type: ignore[type-var]
                async for event in events:
                    yield event
        except errors.Unreachable as error:
            self._lost(error)
            raise

    def _lost(self, error: errors.Unreachable) -> None:
        if not self.trouble:
            self.trouble = "no connection to the API server; trying again"
            self._changed.set()

    def _answered(self, verb: str, resource: Resource | None, status: int) -> None:
        if status and self.trouble:
            self.trouble = ""
            self._changed.set()


async def follow(
    api: HttpKubeApi,
    namespace: str | None,
    resources: Sequence[Resource],
    look: Look,
    *,
    every: float | None = None,
    timeout: float = 0.0,
    timeout_code: int = EXIT_TIMEOUT,
) -> int:
    """Call ``look`` now, after every change and ``every`` so many seconds, until it returns an exit code.

    ``timeout`` seconds (0 for none) end it with ``timeout_code``.
    """
    logging.getLogger("rollouts").addHandler(logging.NullHandler())
    changed = asyncio.Event()
    connection = _Connection(api, changed)
    clock = SystemClock()
    cache = InformerCache(_as_api(connection), clock, SystemRandomness(), namespace=namespace)
    for resource in resources:
        if resource.kind == "Pod":
            cache.start(resource, project=projections.pod)
        else:
            cache.start(resource)
        cache.on_change(resource, lambda *_: changed.set())
    try:
        async with asyncio.timeout(timeout or None), asyncio.TaskGroup() as group:
            watching = group.create_task(cache.run())
            await cache.wait_synced()
            while True:
                changed.clear()
                code = await look(cache, connection.trouble)
                if code is not None:
                    watching.cancel()
                    return code
                await clock.sleep(GATHER_SECONDS)
                await _wait(changed, every)
    except TimeoutError:
        return timeout_code


async def _wait(changed: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return


def _as_api(connection: Any) -> KubeApi:
    api: KubeApi = connection
    return api
