"""Runs one controller: its queue, its workers, and what happens after each reconcile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from rollouts import logs
from rollouts.clock import Clock, Randomness
from rollouts.kube import errors
from rollouts.kube.cache import Cache, Change
from rollouts.kube.objects import (
    Key,
    Manifest,
    Resource,
    controller_owner,
    generation,
    key_of,
    namespace_of,
)
from rollouts.runtime.backoff import Backoff
from rollouts.runtime.metrics import RuntimeMetrics
from rollouts.runtime.queue import WorkQueue
from rollouts.runtime.reconciler import Reconciler, Request, Result, TerminalError
from rollouts.runtime.writes import OwnWrites

_log = logging.getLogger(__name__)

KeysOf = Callable[[Manifest], Iterable[Key]]

SETTLE_SECONDS = 2.0
"""How long a key waits for the watch to bring its own writes, before it reads them live."""
FENCED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Another resource whose changes concern a controller, and the keys that an object of it concerns.

    ``urgent`` ones are looked at before others.
    """

    resource: Resource
    keys: KeysOf
    urgent: bool = False


def owned_by(owner: Resource) -> KeysOf:
    """Return a mapping from an object to the key of its controlling owner of the given kind."""

    def keys(obj: Manifest) -> Iterable[Key]:
        reference = controller_owner(obj)
        if reference is None or reference.get("kind") != owner.kind:
            return ()
        if str(reference.get("apiVersion", "")).partition("/")[0] != owner.api_version.partition("/")[0]:
            return ()
        return (Key(namespace_of(obj) if owner.namespaced else "", str(reference.get("name", ""))),)

    return keys


@dataclass(frozen=True, slots=True)
class Controller:
    """A reconciler and what wakes it: changes of its own resource and of the watched ones.

    ``metric`` is the prefix of its metrics' names (``rollout`` gives ``rollout_reconcile``); it defaults to
    the name. All resources named here must be started in the manager's cache. ``background`` runs beside the
    workers while this process leads, and is cancelled after the last of them has ended.
    """

    name: str
    resource: Resource
    reconciler: Reconciler
    watches: tuple[Watch, ...] = ()
    workers: int = 10
    metric: str = ""
    background: Callable[[], Awaitable[None]] | None = None


class ControllerLoop:
    """One controller at work. It takes keys only between ``run`` and the end of it."""

    def __init__(
        self,
        controller: Controller,
        cache: Cache,
        writes: OwnWrites,
        clock: Clock,
        randomness: Randomness,
        metrics: RuntimeMetrics,
    ) -> None:
        self.controller = controller
        self._cache = cache
        self._writes = writes
        self._clock = clock
        self._metrics = metrics
        self._prefix = controller.metric or controller.name
        self._queue_metrics = metrics.queue(controller.name)
        self._backoff: Backoff[Key] = Backoff(randomness)
        self._queue: WorkQueue[Key] | None = None
        self._terminal: dict[Key, str] = {}
        cache.on_change(controller.resource, self._own_changed)
        for watch in controller.watches:
            cache.on_change(watch.resource, self._on_change(watch))

    async def run(self) -> None:
        """Reconcile every present key, then whatever changes, until ``stop``."""
        queue: WorkQueue[Key] = WorkQueue(self._queue_metrics)
        self._queue = queue
        for obj in self._cache.list(self.controller.resource):
            queue.add(key_of(obj))
        async with asyncio.TaskGroup() as beside:
            background = self.controller.background
            task = beside.create_task(_until_cancelled(background)) if background is not None else None
            async with asyncio.TaskGroup() as group:
                for number in range(self.controller.workers):
                    group.create_task(self._work(queue), name=f"{self.controller.name} {number}")
            if task is not None:
                task.cancel()

    def stop(self) -> None:
        """Take no more keys; ``run`` returns when those in work are done."""
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.close()

    def enqueue(self, key: Key) -> None:
        """Have a key reconciled soon (not at all while this process does not lead)."""
        if self._queue is not None:
            self._queue.add(key)

    def _own_changed(self, change: Change, old: Manifest | None, new: Manifest | None) -> None:
        """Add the key of an object.

        What somebody else wrote into its status or metadata is answered first: a person aborts, promotes or
        retries. A changed spec has its turn, since a hundred of them may come at once.
        """
        obj = new or old
        if self._queue is None or obj is None:
            return
        key = key_of(obj)
        same_spec = old is not None and new is not None and generation(old) == generation(new)
        theirs = same_spec and not self._writes.made(key, self.controller.resource, obj)
        self._queue.add(key, urgent=theirs and not self._queue.is_processed(key))

    def _on_change(self, watch: Watch) -> Callable[[Change, Manifest | None, Manifest | None], None]:
        def handler(change: Change, old: Manifest | None, new: Manifest | None) -> None:
            if self._queue is None:
                return
            for obj in (old, new):
                for key in watch.keys(obj) if obj is not None else ():
                    self._queue.add(key, urgent=watch.urgent)

        return handler

    async def _work(self, queue: WorkQueue[Key]) -> None:
        while (key := await queue.get()) is not None:
            began = self._clock.monotonic()
            try:
                with logs.bound(controller=self.controller.name, key=str(key)):
                    await self._process(queue, key)
            finally:
                queue.done(key)
                seconds = self._clock.monotonic() - began
                self._queue_metrics.worked(seconds)
                self._metrics.reconciled(self._prefix, key.namespace, seconds)

    async def _process(self, queue: WorkQueue[Key], key: Key) -> None:
        attempt = self._backoff.attempts(key)
        try:
            await self._writes.settle(key, SETTLE_SECONDS)
            request = Request(key=key, now=self._clock.now(), api=self._writes.scoped(key), attempt=attempt)
            result = await self.controller.reconciler.reconcile(request)
        except errors.Fenced as error:
            _log.info("%s", error.message)
            queue.add_after(key, FENCED_SECONDS)
        except TerminalError as error:
            self._give_up(key, error)
        except (errors.Transient, errors.OutcomeUnknown) as error:
            self._again(queue, key, error, logging.DEBUG if attempt < 5 else logging.WARNING)
        except errors.Refused as error:
            self._again(queue, key, error, logging.WARNING)
        except Exception as error:  # noqa: BLE001 - one key's failure must not stop the others
            self._again(queue, key, error, logging.ERROR)
        else:
            self._succeeded(queue, key, result)

    def _succeeded(self, queue: WorkQueue[Key], key: Key, result: Result) -> None:
        self._backoff.succeeded(key)
        self._terminal.pop(key, None)
        if result.requeue_at is not None:
            queue.add_after(key, (result.requeue_at - self._clock.now()).total_seconds())

    def _give_up(self, key: Key, error: TerminalError) -> None:
        """Wait for a change; say so once, until something else is wrong."""
        self._backoff.succeeded(key)
        self._metrics.failed(self._prefix, key.namespace)
        if self._terminal.get(key) != str(error):
            self._terminal[key] = str(error)
            _log.warning("waiting for a change: %s", error)

    def _again(self, queue: WorkQueue[Key], key: Key, error: Exception, level: int) -> None:
        pause = self._backoff.failed(key, error)
        self._metrics.failed(self._prefix, key.namespace)
        self._queue_metrics.retried()
        _log.log(
            level,
            "reconcile failed, again in %.2f s: %s",
            pause,
            error,
            extra={"attempt": self._backoff.attempts(key)},
            exc_info=error if level == logging.ERROR else None,
        )
        queue.add_after(key, pause)


async def _until_cancelled(background: Callable[[], Awaitable[None]]) -> None:
    await background()
