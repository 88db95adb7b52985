"""The contract between the runtime and a controller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rollouts.kube.api import KubeApi
from rollouts.kube.objects import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of a reconciler.

    ``api`` is scoped to this key: its writes are fenced by the lease, and the next reconcile of the key
    waits until the cache has seen them. ``attempt`` counts failures in a row before this call.
    """

    key: Key
    now: datetime
    api: KubeApi
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """When to look again without any event; None means only when something changes."""

    requeue_at: datetime | None = None


class TerminalError(Exception):
    """Retrying will not help until somebody changes an object; logged once, no back-off loop."""


class Reconciler(Protocol):
    """Level-triggered: looks at the whole present state of one key."""

    async def reconcile(self, request: Request) -> Result:
        """Bring the object named by the key closer to its spec. KubeError.Transient is retried."""
        ...
