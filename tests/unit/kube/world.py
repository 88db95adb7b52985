"""A small API server in memory and a loop on virtual time, for tests of the client side."""

import asyncio
import functools
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rollouts.kube import errors
from rollouts.kube.api import Listing, PatchKind, WatchEvent
from rollouts.kube.objects import Manifest, Resource

START = datetime(2026, 1, 1, tzinfo=UTC)


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or not timeout:
            if timeout is None and not ready:
                raise RuntimeError("nothing is scheduled: the test would wait for ever")
            return ready
        self.time += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer instead of waiting."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._jumping.time


class LoopClock:
    """The clock of the running (virtual) loop."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class Dice:
    """Always the upper end; tokens count up."""

    def __init__(self) -> None:
        self.tokens = 0

    def uniform(self, low: float, high: float) -> float:
        return high

    def token(self) -> str:
        self.tokens += 1
        return f"00000000-0000-0000-0000-{self.tokens:012d}"


def virtual(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on virtual time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def manifest(name: str, namespace: str = "ns", **rest: Any) -> Manifest:
    meta = {"name": name, "namespace": namespace, **rest.pop("metadata", {})}
    return {"metadata": meta, **rest}


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


class MemoryApi:
    """Objects, versions and watches.

    ``before`` sees every call and ``after`` every write that took effect; both may raise. While ``hold`` is
    set, watch events wait. ``endings`` are consumed by watches, one each: "close" or "gone".
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[Resource, str, str], Manifest] = {}
        self.version_number = 0
        self.calls: list[tuple[str, str, str]] = []
        self.before: Callable[[str, Resource, str], None] = lambda verb, resource, name: None
        self.after: Callable[[str, Resource, str], None] = lambda verb, resource, name: None
        self.hold = False
        self.endings: list[str] = []
        self.latency = 0.0
        self._history: list[tuple[Resource, WatchEvent]] = []
        self._held: list[tuple[Resource, WatchEvent]] = []
        self._watches: list[tuple[Resource, asyncio.Queue[WatchEvent | None]]] = []

    def count(self, verb: str) -> int:
        return sum(1 for call in self.calls if call[0] == verb)

    def release(self) -> None:
        """Let the watch events go that were held."""
        self.hold = False
        held, self._held = self._held, []
        for resource, event in held:
            self._emit(resource, event)

    def close_watches(self) -> None:
        for _, queue in self._watches:
            queue.put_nowait(None)

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Manifest:
        await self._called("get", resource, name)
        try:
            return self.objects[resource, namespace or "", name]
        except KeyError:
            raise errors.NotFound(f"{resource} {name} not found", status=404) from None

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        await self._called("list", resource, "")
        items = [
            o for (r, n, _), o in sorted(self.objects.items()) if r == resource and namespace in (None, n)
        ]
        return Listing(items, str(self.version_number))

    async def watch(
        self, resource: Resource, namespace: str | None = None, *, resource_version: str, **_: Any
    ) -> AsyncIterator[WatchEvent]:
        await self._called("watch", resource, "")
        ending = self.endings.pop(0) if self.endings else ""
        if ending == "gone":
            raise errors.Gone("too old", status=410)
        if ending == "close":
            return
        queue: asyncio.Queue[WatchEvent | None] = asyncio.Queue()
        self._watches.append((resource, queue))
        for emitted, event in self._history:
            if emitted == resource and int(event.object["metadata"]["resourceVersion"]) > int(
                resource_version
            ):
                queue.put_nowait(event)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._watches.remove((resource, queue))

    async def create(
        self, resource: Resource, namespace: str | None, body: Mapping[str, Any], *, name: str = "", **_: Any
    ) -> Manifest:
        place = resource, namespace or "", body["metadata"]["name"]
        await self._writing("create", resource, place[2])
        if place in self.objects:
            raise errors.AlreadyExists(f"{place[2]} exists", status=409)
        return self._store(
            "create", place, {**body, "metadata": {"uid": f"uid-{place[2]}", **body["metadata"]}}
        )

    async def replace(
        self, resource: Resource, namespace: str | None, name: str, body: Mapping[str, Any], **_: Any
    ) -> Manifest:
        await self._writing("update", resource, name)
        present = self._present(resource, namespace, name)
        self._precondition(present, body["metadata"].get("resourceVersion"))
        return self._store("update", (resource, namespace or "", name), dict(body))

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Any,
        *,
        kind: PatchKind = PatchKind.MERGE,
        **_: Any,
    ) -> Manifest:
        await self._writing("patch", resource, name)
        present = self._present(resource, namespace, name)
        self._precondition(present, (body.get("metadata") or {}).get("resourceVersion"))
        merged = merge(present, body)
        if merged == present:
            self.after("patch", resource, name)
            return present
        return self._store("patch", (resource, namespace or "", name), merged)

    async def delete(self, resource: Resource, namespace: str | None, name: str, **_: Any) -> None:
        await self._writing("delete", resource, name)
        present = self._present(resource, namespace, name)
        del self.objects[resource, namespace or "", name]
        self.version_number += 1
        last = {**present, "metadata": {**present["metadata"], "resourceVersion": str(self.version_number)}}
        self._emit(resource, WatchEvent("DELETED", last))
        self.after("delete", resource, name)

    async def served(self) -> Sequence[Any]:
        return []

    async def version(self) -> Mapping[str, str]:
        return {}

    # --- from outside, without being counted

    def put(self, resource: Resource, obj: Manifest) -> Manifest:
        """Create or replace as another client would."""
        meta = obj["metadata"]
        place = resource, meta.get("namespace", ""), meta["name"]
        verb = "update" if place in self.objects else "create"
        obj = {**obj, "metadata": {"uid": f"uid-{meta['name']}", **meta}}
        after, self.after = self.after, lambda *_: None
        try:
            return self._store(verb, place, obj)
        finally:
            self.after = after

    def drop(self, resource: Resource, namespace: str, name: str, *, quietly: bool = False) -> None:
        """Delete as another client would; ``quietly`` as if the watch had missed it."""
        last = self.objects.pop((resource, namespace, name))
        self.version_number += 1
        meta = {**last["metadata"], "resourceVersion": str(self.version_number)}
        if not quietly:
            self._emit(resource, WatchEvent("DELETED", {**last, "metadata": meta}))

    def _present(self, resource: Resource, namespace: str | None, name: str) -> Manifest:
        try:
            return self.objects[resource, namespace or "", name]
        except KeyError:
            raise errors.NotFound(f"{name} not found", status=404) from None

    def _precondition(self, present: Manifest, version: str | None) -> None:
        if version and version != present["metadata"]["resourceVersion"]:
            raise errors.Conflict("the object changed", status=409)

    def _store(self, verb: str, place: tuple[Resource, str, str], body: Manifest) -> Manifest:
        self.version_number += 1
        meta = {**body["metadata"], "resourceVersion": str(self.version_number)}
        obj = self.objects[place] = {**body, "metadata": meta}
        self._emit(place[0], WatchEvent("ADDED" if verb == "create" else "MODIFIED", obj))
        self.after(verb, place[0], place[2])
        return obj

    async def _called(self, verb: str, resource: Resource, name: str) -> None:
        self.calls.append((verb, resource.plural, name))
        await asyncio.sleep(self.latency)
        self.before(verb, resource, name)

    _writing = _called

    def _emit(self, resource: Resource, event: WatchEvent) -> None:
        if self.hold:
            self._held.append((resource, event))
            return
        self._history.append((resource, event))
        for watched, queue in self._watches:
            if watched == resource:
                queue.put_nowait(event)
