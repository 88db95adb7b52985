"""Events for people: recorded at once, written in the background.

Order is kept per object. The same thing said again becomes a higher count, not another event. The queue is
bounded: under pressure repeats are dropped before anything distinct is. A failure is counted, never raised,
and no reconcile waits for an event.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rollouts.clock import Clock, Randomness
from rollouts.kube import errors
from rollouts.kube.api import KubeApi
from rollouts.kube.objects import EVENTS, Manifest, ReadOnly, format_time, name_of, namespace_of, uid_of

_log = logging.getLogger(__name__)

EventKind = Literal["Normal", "Warning"]
COMPONENT = "rollouts-controller"
PENDING_LIMIT = 10_000
REMEMBERED = 8192
MESSAGE_LIMIT = 1024
WRITERS = 4
ATTEMPTS = 3

_Identity = tuple[str, str, str, str]
"""Object uid, type, reason, message: what makes two events the same."""


@dataclass(slots=True)
class _Pending:
    identity: _Identity
    regarding: Manifest
    first: datetime
    last: datetime
    count: int = 1


@dataclass(slots=True)
class _Written:
    namespace: str
    name: str
    count: int


class Recorder:
    """Writes core/v1 Events. Nothing leaves before ``run`` does; ``flush`` waits for what is pending.

    ``redact`` takes secrets out of messages. ``dropped`` and ``failed`` count what was not written;
    ``observe(type, reason)`` is called for every event that is recorded.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        randomness: Randomness,
        *,
        redact: Callable[[str], str] = str,
        observe: Callable[[str, str], None] = lambda type_, reason: None,
        limit: int = PENDING_LIMIT,
    ) -> None:
        self._api = api
        self._clock = clock
        self._randomness = randomness
        self._redact = redact
        self._observe = observe
        self._limit = limit
        self._pending: dict[str, deque[_Pending]] = {}
        self._ready: deque[str] = deque()
        self._size = 0
        self._written: OrderedDict[_Identity, _Written] = OrderedDict()
        self._busy: set[str] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._some = asyncio.Event()
        self.dropped = 0
        self.failed = 0

    def event(self, regarding: ReadOnly, type_: EventKind, reason: str, message: str) -> None:
        """Record that something happened to ``regarding``; at most 1024 characters of message are kept."""
        self._observe(type_, reason)
        text = self._redact(message)
        if len(text) > MESSAGE_LIMIT:
            text = text[: MESSAGE_LIMIT - 1] + "…"
        identity = (uid_of(regarding) or name_of(regarding), type_, reason, text)
        now = self._clock.now()
        waiting = self._pending.get(identity[0], ())
        same = next((p for p in waiting if p.identity == identity), None)
        if same is not None:
            same.count += 1
            same.last = now
        elif self._size < self._limit or self._make_room(identity):
            self._enqueue(_Pending(identity, _reference(regarding), now, now))
        else:
            self.dropped += 1

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(self._writer(), name=f"events {number}")

    async def flush(self, timeout: float) -> bool:
        """Wait until everything recorded so far is written; False when ``timeout`` seconds did not do."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def _enqueue(self, entry: _Pending) -> None:
        uid = entry.identity[0]
        queue = self._pending.setdefault(uid, deque())
        queue.append(entry)
        self._size += 1
        self._idle.clear()
        if len(queue) == 1 and uid not in self._busy:
            self._ready.append(uid)
        self._some.set()

    def _make_room(self, incoming: _Identity) -> bool:
        """Drop a pending repeat for something distinct; False when the incoming one is to be dropped."""
        if incoming in self._written:
            return False
        for uid, queue in self._pending.items():
            repeat = next((p for p in queue if p.identity in self._written), None)
            if repeat is not None:
                queue.remove(repeat)
                self._size -= 1
                self.dropped += repeat.count
                if not queue and uid not in self._busy:
                    del self._pending[uid]
                    self._ready.remove(uid)
                return True
        return False

    async def _writer(self) -> None:
        while True:
            while not self._ready:
                self._some.clear()
                await self._some.wait()
            uid = self._ready.popleft()
            entry = self._pending[uid].popleft()
            self._busy.add(uid)
            try:
                await self._write_bounded(entry)
            finally:
                self._settle(uid)

    def _settle(self, uid: str) -> None:
        self._busy.discard(uid)
        self._size -= 1
        if self._pending[uid]:
            self._ready.append(uid)
            self._some.set()
        else:
            del self._pending[uid]
        if not self._pending:
            self._idle.set()

    async def _write_bounded(self, entry: _Pending) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._write(entry)
                return
            except errors.Transient as error:
                if attempt == ATTEMPTS:
                    self._give_up(entry, error)
                else:
                    await self._clock.sleep(self._randomness.uniform(0.1, 0.2) * 4.0 ** (attempt - 1))
            except errors.KubeError as error:
                self._give_up(entry, error)
                return

    def _give_up(self, entry: _Pending, error: errors.KubeError) -> None:
        self.failed += 1
        log = _log.debug if isinstance(error, (errors.NotFound, errors.Fenced)) else _log.warning
        log("event %s for %s not written: %s", entry.identity[2], entry.regarding.get("name"), error.message)

    async def _write(self, entry: _Pending) -> None:
        known = self._written.get(entry.identity)
        if known is not None:
            try:
                await self._count_up(entry, known)
                return
            except errors.NotFound:
                del self._written[entry.identity]  # events expire on the server after an hour or so
        await self._create(entry)

    async def _count_up(self, entry: _Pending, known: _Written) -> None:
        count = known.count + entry.count
        body = {"count": count, "lastTimestamp": format_time(entry.last)}
        await self._api.patch(EVENTS, known.namespace, known.name, body)
        known.count = count
        self._written.move_to_end(entry.identity)

    async def _create(self, entry: _Pending) -> None:
        _, type_, reason, message = entry.identity
        namespace = entry.regarding.get("namespace") or "default"
        name = f"{entry.regarding['name']}.{self._randomness.token().replace('-', '')}"
        body: Manifest = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": entry.regarding,
            "type": type_,
            "reason": reason,
            "message": message,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": "",
            "firstTimestamp": format_time(entry.first),
            "lastTimestamp": format_time(entry.last),
            "count": entry.count,
        }
        await self._api.create(EVENTS, namespace, body)
        self._written[entry.identity] = _Written(namespace, name, entry.count)
        while len(self._written) > REMEMBERED:
            self._written.popitem(last=False)


def _reference(obj: ReadOnly) -> Manifest:
    fields = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "namespace": namespace_of(obj),
        "name": name_of(obj),
        "uid": uid_of(obj),
        "resourceVersion": (obj.get("metadata") or {}).get("resourceVersion"),
    }
    return {key: value for key, value in fields.items() if value}
