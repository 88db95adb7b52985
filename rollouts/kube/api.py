"""The port to an API server: one protocol, implemented by the HTTP client and by the embedded cluster.

Every method raises from ``rollouts.kube.errors``. Bodies and answers are ``Manifest`` dicts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Protocol, runtime_checkable

from rollouts.kube.objects import Manifest, Resource


class PatchKind(Enum):
    """Content types of a PATCH."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


Propagation = Literal["Background", "Foreground", "Orphan"]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch. A BOOKMARK's object carries only metadata.resourceVersion."""

    type: EventType
    object: Manifest


@dataclass(frozen=True, slots=True)
class Listing:
    """A consistent list: all pages together, and the version to watch from."""

    items: Sequence[Manifest]
    resource_version: str


@runtime_checkable
class PagedApi(Protocol):
    """An API that can also hand out a list page by page, so that the whole never is in memory at once."""

    def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[Listing]:
        """Yield one consistent list in pages. Raises Gone when it takes so long that the rest expires."""
        ...


@dataclass(frozen=True, slots=True)
class ServedResource:
    """One row of discovery."""

    resource: Resource
    verbs: frozenset[str]
    short_names: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()


class KubeApi(Protocol):
    """What the product asks of an API server."""

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Manifest:
        """Return one object. Raises NotFound."""
        ...

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        """Return all objects of one namespace, or of all when ``namespace`` is None."""
        ...

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout_seconds: int = 290,
    ) -> AsyncIterator[WatchEvent]:
        """Yield changes after ``resource_version`` until the server ends the watch. Raises Gone."""
        ...

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
        """POST an object, or to ``name``'s subresource (eviction, token)."""
        ...

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
        """PUT an object; a resourceVersion in the body is a precondition (Conflict)."""
        ...

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
        """PATCH an object; a resourceVersion in a merge patch's metadata is a precondition."""
        ...

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
        """Request deletion. Raises NotFound, or Conflict when a precondition does not hold."""
        ...

    async def served(self) -> Sequence[ServedResource]:
        """Return what discovery lists, preferred versions first within a group."""
        ...

    async def version(self) -> Mapping[str, str]:
        """Return ``/version``."""
        ...
