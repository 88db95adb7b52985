"""The port for what runs inside a simulated pod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rollouts.kube.objects import Manifest

LISTENS_ON = "simulator.rollouts.dev/listens-on"
"""Pod annotation: the real TCP port behind every port of the pod, when a backend opened one."""


@dataclass(frozen=True, slots=True)
class PodAddress:
    """Where a pod answers. ``port`` is the real one when it differs from the declared ones."""

    ip: str
    port: int | None = None


class PodBackend(Protocol):
    """Runs something real for each simulated pod."""

    async def start(self, pod: Manifest) -> PodAddress:
        """Start the pod's work; called once per pod uid, before the pod is Running."""
        ...

    async def stop(self, uid: str) -> None:
        """End the work of a pod; does nothing for an unknown uid."""
        ...


class AddressesOnly:
    """Runs nothing: hands out addresses of 10.244.0.0/16, in order."""

    def __init__(self) -> None:
        self._next = 0

    async def start(self, pod: Manifest) -> PodAddress:
        """Return the next address; the pool wraps around after 65 000 pods."""
        self._next = self._next % 65_000 + 1
        high, low = divmod(self._next, 250)
        return PodAddress(f"10.244.{high % 256}.{low + 1}")

    async def stop(self, uid: str) -> None:
        """Do nothing."""
