"""Own writes: fenced on their way out, remembered until the cache has seen them.

``OwnWrites.scoped(key)`` is the ``api`` of a reconcile request. After a write of a watched resource the key
is held back until the cache shows the result; after a write with an unknown outcome, until that object has
been read live. So a key never decides on a state from before its own last write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rollouts.kube import errors
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Cache
from rollouts.kube.lease import Fence
from rollouts.kube.objects import (
    Key,
    Manifest,
    ObjectKey,
    Resource,
    is_deleting,
    name_of,
    resource_version,
    uid_of,
)
from rollouts.kube.store import reached
from rollouts.runtime.scoped import ScopedApi


class Freshness(Cache, Protocol):
    """A cache that knows how far it has come."""

    def reached(self, resource: Resource, namespace: str, name: str, version: str) -> bool:
        """Tell whether the object is held at ``version`` or later, or the watch is past that version."""
        ...

    async def wait_until(self, resource: Resource, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``condition`` holds; False when it does not within ``timeout`` seconds."""
        ...

    async def refresh(self, resource: Resource, namespace: str, name: str) -> None:
        """Read one object live and hold the answer."""
        ...

    async def relist(self, *resources: Resource) -> None:
        """List resources anew and consistently."""
        ...


@dataclass(frozen=True, slots=True)
class _Wrote:
    """The object is to be seen at ``version`` or later."""

    version: str


@dataclass(frozen=True, slots=True)
class _Deleted:
    """The object with ``uid`` is to be seen as deleted or being deleted."""

    uid: str


class _Unknown:
    """The object is to be read live."""


@dataclass(frozen=True, slots=True)
class _Changed:
    """The object is not at ``version`` any more: a write with that precondition was refused."""

    version: str


_Expected = _Wrote | _Deleted | _Unknown | _Changed


class OwnWrites:
    """What each key of one controller has written and not yet seen."""

    def __init__(self, api: KubeApi, cache: Freshness, fence: Fence, *, write_timeout: float) -> None:
        self.cache = cache
        self._api = api
        self._fence = fence
        self._write_timeout = write_timeout
        self._expected: dict[Key, dict[ObjectKey, _Expected]] = {}

    def scoped(self, key: Key) -> KubeApi:
        """Return the API for one reconcile of ``key``."""
        return ScopedApi(self._api, self._fence, self._write_timeout, _Ledger(self, key))

    def expect(self, key: Key, target: ObjectKey, expected: _Expected) -> None:
        """Remember what ``key`` has to see of ``target`` before its next reconcile."""
        if self.cache.watched(target.resource):
            self._expected.setdefault(key, {})[target] = expected

    def made(self, key: Key, resource: Resource, obj: Manifest) -> bool:
        """Tell whether a state of an object is due to the key's own writes that it still waits for."""
        target = ObjectKey(resource, key.namespace, name_of(obj))
        expected = self._expected.get(key, {}).get(target)
        return isinstance(expected, _Wrote) and reached(expected.version, resource_version(obj))

    def ready(self, key: Key) -> bool:
        """Tell whether the cache shows all that the key has written."""
        pending = self._expected.get(key)
        if not pending:
            return True
        for target in [t for t, expected in pending.items() if self._seen(t, expected)]:
            del pending[target]
        if not pending:
            del self._expected[key]
        return not pending

    async def settle(self, key: Key, timeout: float) -> None:
        """Wait until ``ready``; objects that the cache does not show within ``timeout`` are read live.

        Raises KubeError when such a read fails; the key is not ready then.
        """
        if self.ready(key):
            return
        deadline = asyncio.get_running_loop().time() + timeout
        for target, expected in list(self._expected.get(key, {}).items()):
            left = max(0.0, deadline - asyncio.get_running_loop().time())
            if isinstance(expected, _Unknown) or not await self._shown(target, expected, left):
                await self._read(target)
            self._expected.get(key, {}).pop(target, None)
        self._expected.pop(key, None)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a key that is gone."""
        self._expected.pop(key, None)

    async def _shown(self, target: ObjectKey, expected: _Expected, timeout: float) -> bool:
        return await self.cache.wait_until(target.resource, lambda: self._seen(target, expected), timeout)

    async def _read(self, target: ObjectKey) -> None:
        if target.name:
            await self.cache.refresh(target.resource, target.namespace, target.name)
        else:
            await self.cache.relist(target.resource)

    def _seen(self, target: ObjectKey, expected: _Expected) -> bool:
        match expected:
            case _Wrote(version):
                return self.cache.reached(target.resource, target.namespace, target.name, version)
            case _Deleted(uid):
                held = self.cache.get(target.resource, target.namespace, target.name)
                return held is None or is_deleting(held) or (bool(uid) and uid_of(held) != uid)
            case _Changed(version):
                held = self.cache.get(target.resource, target.namespace, target.name) or {}
                return resource_version(held) != version
            case _:
                return False


class _Ledger:
    def __init__(self, writes: OwnWrites, key: Key) -> None:
        self._writes = writes
        self._key = key

    def wrote(self, resource: Resource, namespace: str | None, answer: Manifest) -> None:
        target = ObjectKey(resource, namespace or "", name_of(answer))
        version = resource_version(answer)
        if version:
            self._writes.expect(self._key, target, _Wrote(version))

    def deleted(self, resource: Resource, namespace: str | None, name: str) -> None:
        held = self._writes.cache.get(resource, namespace or "", name)
        if held is not None:
            self._writes.expect(self._key, ObjectKey(resource, namespace or "", name), _Deleted(uid_of(held)))

    def unknown(self, resource: Resource, namespace: str | None, name: str) -> None:
        self._writes.expect(self._key, ObjectKey(resource, namespace or "", name), _Unknown())

    def refused(
        self, resource: Resource, namespace: str | None, name: str, error: errors.KubeError, precondition: str
    ) -> None:
        target = ObjectKey(resource, namespace or "", name)
        held = self._writes.cache.get(resource, target.namespace, name)
        if isinstance(error, errors.AlreadyExists) and held is None:
            self._writes.expect(self._key, target, _Unknown())
        elif isinstance(error, errors.NotFound) and held is not None:
            self._writes.expect(self._key, target, _Deleted(uid_of(held)))
        elif (
            isinstance(error, errors.Conflict)
            and precondition
            and precondition == resource_version(held or {})
        ):
            self._writes.expect(self._key, target, _Changed(precondition))
