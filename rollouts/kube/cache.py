"""Read-only view of watched objects, as controllers see it. ``informer.py`` fills it.

A ``Cache`` answers from memory. Objects that it returns are shared: never change them in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from rollouts.kube.objects import Manifest, Resource

Change = Literal["added", "modified", "deleted", "resync"]
Handler = Callable[[Change, Manifest | None, Manifest | None], None]
"""Called as ``handler(change, old, new)`` on the event loop, in order; must not block."""

IndexFunc = Callable[[Manifest], Sequence[str]]


class Cache(Protocol):
    """What controllers may ask about watched resources."""

    def watched(self, resource: Resource) -> bool:
        """Tell whether the resource has an informer here (it is served, and was asked for)."""
        ...

    def synced(self, resource: Resource) -> bool:
        """Tell whether the first consistent list of the resource has arrived."""
        ...

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """Return one object, or None. ``namespace`` is "" for cluster-scoped resources."""
        ...

    def list(self, resource: Resource, namespace: str | None = None) -> Sequence[Manifest]:
        """Return all objects, of one namespace unless None, ordered by namespace and name."""
        ...

    def indexed(self, resource: Resource, index: str, value: str) -> Sequence[Manifest]:
        """Return objects by an index. ``"owner"`` (controller owner's uid) exists on every resource."""
        ...

    def on_change(self, resource: Resource, handler: Handler) -> None:
        """Call ``handler`` on every change from now on, and once per present object ("resync")."""
        ...
