"""Leader election on a coordination.k8s.io Lease, and the fence that it gives to writes.

The times and fields are those of client-go's leader election, so that its users and we exclude each other.
Another holder's clock is never trusted: its lease runs from the moment when we saw the record change. Our own
deadline runs from the moment *before* the renewal was sent, so it always ends before anybody may take over.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from rollouts.clock import Clock, Randomness
from rollouts.kube import errors
from rollouts.kube.api import KubeApi
from rollouts.kube.objects import LEASES, Manifest, resource_version

_log = logging.getLogger(__name__)


class Fence(Protocol):
    """Whether a write may leave the process."""

    def check(self, seconds: float) -> None:
        """Raise Fenced unless the lease covers the next ``seconds``."""
        ...

    def deadline(self) -> float:
        """Return the monotonic moment at which the lease ends."""
        ...


class Leadership(Fence, Protocol):
    """Contending for the lease, and knowing how that stands."""

    async def run(self) -> None:
        """Contend until cancelled, then release the lease."""
        ...

    def held(self) -> bool:
        """Tell whether the lease was taken and not given up, be it in force or overdue."""
        ...

    def since(self) -> float:
        """Return the monotonic moment from which on the lease has been ours without a gap."""
        ...

    async def acquired(self) -> None:
        """Wait until the lease is ours."""
        ...

    async def lost(self) -> None:
        """Wait until the lease is not ours."""
        ...


class AlwaysLeader:
    """No lease: the only process there is."""

    def check(self, seconds: float) -> None:
        """Let every write pass."""

    def deadline(self) -> float:
        """Return infinity."""
        return float("inf")

    def held(self) -> bool:
        """Return True."""
        return True

    def since(self) -> float:
        """Return minus infinity."""
        return float("-inf")

    async def run(self) -> None:
        """Wait until cancelled."""
        await asyncio.get_running_loop().create_future()

    async def acquired(self) -> None:
        """Return at once."""

    async def lost(self) -> None:
        """Never return."""
        await asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True)
class Terms:
    """Which lease, for whom, and its times in seconds."""

    namespace: str
    identity: str
    name: str = "argo-rollouts-controller-lock"
    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        if not self.duration > self.renew_deadline > self.retry_period > 0:
            raise ValueError(
                "lease times must satisfy duration > renew deadline > retry period > 0, got "
                f"{self.duration:g} s, {self.renew_deadline:g} s, {self.retry_period:g} s"
            )


def identity(randomness: Randomness) -> str:
    """Return a holder identity that is unique to this process, and tells the host."""
    return f"{socket.gethostname()}_{randomness.token()}"


class Standing:
    """How the election stands, as the process sees it. Values may be set from another thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deadline = float("-inf")
        self._since = float("inf")
        self._held = False
        self._acquired = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost.set()

    def won(self, deadline: float, notify: Callable[[Callable[[], None]], Any]) -> None:
        """Note a lease that was taken or renewed."""
        self._deadline = deadline
        if not self._held:
            self._held = True
            self._since = self._clock.monotonic()
            notify(self._tell)

    def ended(self, notify: Callable[[Callable[[], None]], Any]) -> None:
        """Note that the lease is not ours; the fence closes at once."""
        self._deadline = float("-inf")
        if self._held:
            self._held = False
            notify(self._tell)

    def _tell(self) -> None:
        yes, no = (self._acquired, self._lost) if self._held else (self._lost, self._acquired)
        yes.set()
        no.clear()

    def check(self, seconds: float) -> None:
        """See Fence.check."""
        remaining = self._deadline - self._clock.monotonic()
        if remaining < seconds:
            held = f"has {remaining:.1f} s left" if remaining > 0 else "is not held"
            raise errors.Fenced(f"not sent: the leader lease {held}, the write may take {seconds:.1f} s")

    def deadline(self) -> float:
        """See Fence.deadline."""
        return self._deadline

    def held(self) -> bool:
        """See Leadership.held."""
        return self._held

    def since(self) -> float:
        """See Leadership.since."""
        return self._since

    async def acquired(self) -> None:
        """See Leadership.acquired."""
        await self._acquired.wait()

    async def lost(self) -> None:
        """See Leadership.lost."""
        await self._lost.wait()


class Election(Standing):
    """Leadership on the running event loop. ``election_thread.py`` runs it beside a busy one."""

    def __init__(self, api: KubeApi, clock: Clock, randomness: Randomness, terms: Terms) -> None:
        super().__init__(clock)
        self._contender = Contender(api, clock, randomness, terms, self, lambda tell: tell())

    async def run(self) -> None:
        """See Leadership.run."""
        await self._contender.run()


class Contender:
    """The protocol of the election: take, renew, step down, release. Writes down how it stands."""

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        randomness: Randomness,
        terms: Terms,
        standing: Standing,
        notify: Callable[[Callable[[], None]], Any],
    ) -> None:
        self._api = api
        self._clock = clock
        self._randomness = randomness
        self._terms = terms
        self._standing = standing
        self._notify = notify
        self._lease: Manifest = {}
        self._seen: tuple[Any, ...] = ()
        self._seen_at = clock.monotonic()
        self._renewed_at = float("-inf")
        self._ours = False
        self._said = ""

    async def run(self) -> None:
        """Contend until cancelled, then release."""
        try:
            while True:
                await self._round()
                pause = self._terms.retry_period
                await self._clock.sleep(pause if self._ours else self._randomness.uniform(pause, pause * 1.2))
        finally:
            await self._release()

    async def _round(self) -> None:
        try:
            await self._bounded(self._renew() if self._ours else self._take())
        except (errors.Conflict, errors.AlreadyExists):
            _log.debug("lease %s/%s: another one was faster", self._terms.namespace, self._terms.name)
        except errors.KubeError as error:
            self._trouble(error)
        else:
            self._said = ""
        overdue = self._clock.monotonic() - self._renewed_at >= self._terms.renew_deadline
        if self._ours and overdue:
            self._step_down(f"it could not be renewed for {self._terms.renew_deadline:g} s")

    def _trouble(self, error: errors.KubeError) -> None:
        """Say what keeps the lease from being taken or renewed; once while it stays the same."""
        if error.message == self._said:
            return
        self._said = error.message
        act = "renewed" if self._ours else "taken"
        _log.warning(
            "lease %s/%s cannot be %s, trying on: %s (the namespace must exist, and the role allow get,"
            " create and update of leases)",
            self._terms.namespace,
            self._terms.name,
            act,
            error.message,
        )

    async def _bounded(self, work: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._terms.renew_deadline / 2):
                await work
        except TimeoutError:
            raise errors.Unreachable("no answer in time") from None

    async def _take(self) -> None:
        """Take the lease when it is free, expired or new."""
        try:
            self._observe(await self._api.get(LEASES, self._terms.namespace, self._terms.name))
        except errors.NotFound:
            await self._write(create=True)
            return
        if self._free():
            await self._write()

    async def _renew(self) -> None:
        """Renew without reading; a Conflict tells that somebody wrote, then read who it was."""
        try:
            await self._write()
        except (errors.Conflict, errors.NotFound):
            self._observe(await self._api.get(LEASES, self._terms.namespace, self._terms.name))
            if self._holder() != self._terms.identity:
                self._step_down(f"{self._holder() or 'nobody'} holds it now")
                return
            await self._write()

    def _observe(self, lease: Manifest) -> None:
        self._lease = lease
        spec = lease.get("spec") or {}
        seen = (spec.get("holderIdentity"), spec.get("renewTime"), resource_version(lease))
        if seen != self._seen:
            self._seen = seen
            self._seen_at = self._clock.monotonic()

    def _holder(self) -> str:
        return str((self._lease.get("spec") or {}).get("holderIdentity") or "")

    def _free(self) -> bool:
        if self._holder() in ("", self._terms.identity):
            return True
        granted = float((self._lease.get("spec") or {}).get("leaseDurationSeconds") or self._terms.duration)
        return self._clock.monotonic() >= self._seen_at + granted

    async def _write(self, *, create: bool = False) -> None:
        terms, now = self._terms, _micro_time(self._clock)
        old = {} if create else self._lease.get("spec") or {}
        mine = old.get("holderIdentity") == terms.identity
        spec: Manifest = {
            "holderIdentity": terms.identity,
            "leaseDurationSeconds": int(terms.duration),
            "acquireTime": old.get("acquireTime") if mine else now,
            "renewTime": now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if mine or create else 1),
        }
        began = self._clock.monotonic()
        if create:
            meta = {"name": terms.name, "namespace": terms.namespace}
            body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta, "spec": spec}
            written = await self._api.create(LEASES, terms.namespace, body)
        else:
            body = {**self._lease, "spec": {**old, **spec}}
            written = await self._api.replace(LEASES, terms.namespace, terms.name, body)
        self._observe(written)
        if not self._ours:
            _log.info("lease %s/%s taken as %s", terms.namespace, terms.name, terms.identity)
        self._ours = True
        self._renewed_at = began
        self._standing.won(began + terms.duration, self._notify)

    def _step_down(self, why: str) -> None:
        _log.warning("lease %s/%s lost: %s", self._terms.namespace, self._terms.name, why)
        self._ours = False
        self._standing.ended(self._notify)

    async def _release(self) -> None:
        """Give the lease back, so that the next one need not wait for its end. The fence closes first."""
        ours, self._ours = self._ours, False
        self._standing.ended(self._notify)
        if not ours:
            return
        spec = {
            **self._lease["spec"],
            "holderIdentity": "",
            "leaseDurationSeconds": 1,
            "renewTime": _micro_time(self._clock),
        }
        with suppress(errors.KubeError):
            await self._bounded(self._give_back({**self._lease, "spec": spec}))

    async def _give_back(self, lease: Manifest) -> None:
        await self._api.replace(LEASES, self._terms.namespace, self._terms.name, lease)


def _micro_time(clock: Clock) -> str:
    return clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
