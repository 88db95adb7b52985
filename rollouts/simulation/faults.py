"""An API that loses, delays and refuses by a plan, between one controller process and the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Protocol

from rollouts.clock import Clock
from rollouts.kube import errors
from rollouts.kube.api import KubeApi, Listing, PatchKind, Propagation, ServedResource, WatchEvent
from rollouts.kube.objects import EVENTS, LEASES, Manifest, Resource, name_of


class Fault(Enum):
    """What happens to one write."""

    CONFLICT = "refused as a conflict"
    UNREACHABLE = "not sent"
    NEVER_ARRIVED = "no answer, and it had not arrived"
    ANSWER_LOST = "no answer, but it took effect"
    FAILED_BEFORE = "500, without effect"
    FAILED_AFTER = "500, but it took effect"
    KILLED_BEFORE = "the process ends before it is sent"
    KILLED_AFTER = "the process ends after it took effect"


_BEFORE: Mapping[Fault, Callable[[], errors.KubeError]] = {
    Fault.CONFLICT: lambda: errors.Conflict("simulated conflict", status=409, reason="Conflict"),
    Fault.UNREACHABLE: lambda: errors.Unreachable("simulated: no connection"),
    Fault.NEVER_ARRIVED: lambda: errors.OutcomeUnknown("simulated: no answer (it had not arrived)"),
    Fault.FAILED_BEFORE: lambda: errors.ServerFailure("simulated failure", status=500),
}
_AFTER: Mapping[Fault, Callable[[], errors.KubeError]] = {
    Fault.ANSWER_LOST: lambda: errors.OutcomeUnknown("simulated: no answer (it took effect)"),
    Fault.FAILED_AFTER: lambda: errors.ServerFailure("simulated failure after the write", status=500),
}


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a process. ``number`` counts its writes but those of events and leases (-1 for these)."""

    number: int
    verb: str
    resource: Resource
    name: str
    subresource: str = ""

    def __str__(self) -> str:
        sub = f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} {self.resource.kind} {self.name}{sub}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one watch event travels: after ``lag`` seconds, or not at all because the watch ends there."""

    lag: float = 0.0
    ends: bool = False
    gone: bool = False


class Plan(Protocol):
    """What goes wrong, and how long everything takes."""

    def write(self, write: Write) -> Fault | None:
        """Return what happens to a write."""
        ...

    def read(self) -> bool:
        """Tell whether a read fails."""
        ...

    def latency(self) -> float:
        """Return the seconds of one way over the network."""
        ...

    def deliver(self, resource: Resource) -> Delivery:
        """Return how the next event of a watch travels."""
        ...

    def accepts_late(self) -> float:
        """Return by how many seconds the gateway reports on a changed route later than usual."""
        ...

    def evicts(self) -> bool:
        """Tell, once a second, whether a pod is evicted, as when a node is drained."""
        ...


class Smooth:
    """Nothing goes wrong; every way takes the same time."""

    def __init__(self, latency: float = 0.002) -> None:
        self._latency = latency

    def write(self, write: Write) -> Fault | None:
        """See Plan.write."""
        return None

    def read(self) -> bool:
        """See Plan.read."""
        return False

    def latency(self) -> float:
        """See Plan.latency."""
        return self._latency

    def deliver(self, resource: Resource) -> Delivery:
        """See Plan.deliver."""
        return Delivery(self._latency)

    def accepts_late(self) -> float:
        """See Plan.accepts_late."""
        return 0.0

    def evicts(self) -> bool:
        """See Plan.evicts."""
        return False


class Once(Smooth):
    """One fault at the write with this number, and none else."""

    def __init__(self, fault: Fault, number: int) -> None:
        super().__init__()
        self._fault = fault
        self._number = number

    def write(self, write: Write) -> Fault | None:
        """See Plan.write."""
        return self._fault if write.number == self._number else None


class Observer(Protocol):
    """Who is told what passes through the API of a process."""

    def sends(self, write: Write) -> None:
        """Note that a write leaves the process."""
        ...

    def wrote(self, write: Write, outcome: str) -> None:
        """Note a write and what came of it."""
        ...

    def saw(self, resource: Resource, obj: Manifest) -> None:
        """Note that the process gets to know a state of an object."""
        ...


class FaultyApi:
    """A ``KubeApi`` for one life of one process. After ``cut`` nothing leaves it any more."""

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        plan: Callable[[], Plan],
        observer: Observer,
        kill: Callable[[], None],
    ) -> None:
        self._api = api
        self._clock = clock
        self._plan_of = plan
        self._observer = observer
        self._kill = kill
        self._dead = False
        self.lease_cut = False
        self.next_number = 0
        self.reads = 0

    def cut(self) -> None:
        """Let nothing leave any more: the process has ended."""
        self._dead = True

    @property
    def _plan(self) -> Plan:
        return self._plan_of()

    async def _way(self) -> None:
        if self._dead:
            raise errors.Unreachable("this process has ended")
        await self._clock.sleep(self._plan.latency())
        if self._dead:
            raise errors.Unreachable("this process has ended")

    async def _read(self, call: Callable[[], Awaitable[Any]]) -> Any:
        self.reads += 1
        await self._way()
        if self._plan.read():
            raise errors.Unreachable("simulated: no answer to a read")
        answer = await call()
        await self._way()
        return answer

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Manifest:
        """See KubeApi.get."""
        answer: Manifest = await self._read(partial(self._api.get, resource, namespace, name))
        self._observer.saw(resource, answer)
        return answer

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        """See KubeApi.list."""
        call = partial(
            self._api.list, resource, namespace, label_selector=label_selector, field_selector=field_selector
        )
        answer: Listing = await self._read(call)
        for item in answer.items:
            self._observer.saw(resource, item)
        return answer

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout_seconds: int = 290,
    ) -> AsyncIterator[WatchEvent]:
        """See KubeApi.watch."""
        await self._way()
        events = self._api.watch(
            resource,
            namespace,
            resource_version=resource_version,
            label_selector=label_selector,
            field_selector=field_selector,
            timeout_seconds=timeout_seconds,
        )
        async with aclosing(events):  # type: ignore[type-var]
            async for event in events:
                delivery = self._plan.deliver(resource)
                await self._clock.sleep(delivery.lag)
                if delivery.gone:
                    raise errors.Gone("simulated: too old", status=410)
                if self._dead or delivery.ends:
                    return
                if event.type != "BOOKMARK":
                    self._observer.saw(resource, event.object)
                yield event

    async def create(
        self,
        resource: Resource,
        namespace: str | None,
        body: Mapping[str, Any],
        *,
        name: str = "",
        subresource: str = "",
        field_manager: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """See KubeApi.create."""
        call = partial(
            self._api.create,
            resource,
            namespace,
            body,
            name=name,
            subresource=subresource,
            field_manager=field_manager,
            dry_run=dry_run,
        )
        answer: Manifest = await self._write("create", resource, name or name_of(body), subresource, call)
        return answer

    async def replace(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Mapping[str, Any],
        *,
        subresource: str = "",
        field_manager: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """See KubeApi.replace."""
        call = partial(
            self._api.replace,
            resource,
            namespace,
            name,
            body,
            subresource=subresource,
            field_manager=field_manager,
            dry_run=dry_run,
        )
        answer: Manifest = await self._write("replace", resource, name, subresource, call)
        return answer

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Any,
        *,
        kind: PatchKind = PatchKind.MERGE,
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> Manifest:
        """See KubeApi.patch."""
        call = partial(
            self._api.patch,
            resource,
            namespace,
            name,
            body,
            kind=kind,
            subresource=subresource,
            field_manager=field_manager,
            force=force,
            dry_run=dry_run,
        )
        answer: Manifest = await self._write("patch", resource, name, subresource, call)
        return answer

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: Propagation = "Background",
        grace_period_seconds: int | None = None,
        dry_run: bool = False,
    ) -> None:
        """See KubeApi.delete."""
        call = partial(
            self._api.delete,
            resource,
            namespace,
            name,
            uid=uid,
            resource_version=resource_version,
            propagation=propagation,
            grace_period_seconds=grace_period_seconds,
            dry_run=dry_run,
        )
        await self._write("delete", resource, name, "", call)

    async def served(self) -> Sequence[ServedResource]:
        """See KubeApi.served."""
        answer: Sequence[ServedResource] = await self._read(self._api.served)
        return answer

    async def version(self) -> Mapping[str, str]:
        """See KubeApi.version."""
        answer: Mapping[str, str] = await self._read(self._api.version)
        return answer

    async def _write(
        self, verb: str, resource: Resource, name: str, sub: str, call: Callable[[], Awaitable[Any]]
    ) -> Any:
        if resource == LEASES and self.lease_cut:
            raise errors.Unreachable("simulated: the lease cannot be reached")
        write = Write(self._number(resource), verb, resource, name, sub)
        fault = self._plan.write(write)
        if fault is Fault.KILLED_BEFORE:
            await self._end(write, fault)
        self._observer.sends(write)
        await self._way()
        if fault is not None and fault in _BEFORE:
            self._observer.wrote(write, fault.value)
            raise _BEFORE[fault]()
        try:
            answer = await call()
        except errors.KubeError as error:
            self._observer.wrote(write, f"{type(error).__name__}: {error.message}")
            raise
        self._observer.wrote(write, fault.value if fault else "")
        if fault is Fault.KILLED_AFTER:
            await self._end(write, fault)
        await self._way()
        if fault is not None and fault in _AFTER:
            raise _AFTER[fault]()
        return answer

    def _number(self, resource: Resource) -> int:
        if resource in (EVENTS, LEASES):
            return -1
        self.next_number += 1
        return self.next_number - 1

    async def _end(self, write: Write, fault: Fault) -> None:
        """End the process inside this call, which therefore never returns."""
        if fault is Fault.KILLED_BEFORE:
            self._observer.wrote(write, fault.value)
        self.cut()
        self._kill()
        await asyncio.get_running_loop().create_future()
