"""The API of one reconcile: every write passes the fence, and what came of it is noted in a ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, cast

from rollouts.kube import errors
from rollouts.kube.api import KubeApi, Listing, PatchKind, Propagation, ServedResource, WatchEvent
from rollouts.kube.lease import Fence
from rollouts.kube.objects import Manifest, Resource, name_of
from rollouts.kube.objects import resource_version as resource_version_of

_Target = tuple[Resource, str | None, str]


class Ledger(Protocol):
    """Where a scoped API writes down what it did."""

    def wrote(self, resource: Resource, namespace: str | None, answer: Manifest) -> None:
        """Note a write that succeeded."""
        ...

    def deleted(self, resource: Resource, namespace: str | None, name: str) -> None:
        """Note a deletion that was accepted."""
        ...

    def unknown(self, resource: Resource, namespace: str | None, name: str) -> None:
        """Note a write whose outcome is unknown; ``name`` is "" when the server was to choose it."""
        ...

    def refused(
        self, resource: Resource, namespace: str | None, name: str, error: errors.KubeError, precondition: str
    ) -> None:
        """Note a refusal that tells that the state written for is an old one."""
        ...


class NoLedger:
    """Remembers nothing: for writes that no decision rests on."""

    def wrote(self, resource: Resource, namespace: str | None, answer: Manifest) -> None:
        """Do nothing."""

    def deleted(self, resource: Resource, namespace: str | None, name: str) -> None:
        """Do nothing."""

    def unknown(self, resource: Resource, namespace: str | None, name: str) -> None:
        """Do nothing."""

    def refused(
        self, resource: Resource, namespace: str | None, name: str, error: errors.KubeError, precondition: str
    ) -> None:
        """Do nothing."""


class ScopedApi:
    """A ``KubeApi`` whose writes pass the fence first and are noted in a ledger."""

    def __init__(self, api: KubeApi, fence: Fence, write_timeout: float, ledger: Ledger) -> None:
        self._api = api
        self._fence = fence
        self._write_timeout = write_timeout
        self._ledger = ledger

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Manifest:
        """See KubeApi.get."""
        return await self._api.get(resource, namespace, name)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        """See KubeApi.list."""
        return await self._api.list(
            resource, namespace, label_selector=label_selector, field_selector=field_selector
        )

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
        """See KubeApi.watch."""
        return self._api.watch(
            resource,
            namespace,
            resource_version=resource_version,
            label_selector=label_selector,
            field_selector=field_selector,
            timeout_seconds=timeout_seconds,
        )

    async def served(self) -> Sequence[ServedResource]:
        """See KubeApi.served."""
        return await self._api.served()

    async def version(self) -> Mapping[str, str]:
        """See KubeApi.version."""
        return await self._api.version()

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
        """See KubeApi.create. Raises Fenced."""
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
        answer = await self._written((resource, namespace, name or name_of(body)), call, dry_run=dry_run)
        if not dry_run and not subresource:
            self._ledger.wrote(resource, namespace, answer)
        return cast("Manifest", answer)

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
        """See KubeApi.replace. Raises Fenced."""
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
        return await self._changed((resource, namespace, name), call, body, dry_run)

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
        """See KubeApi.patch. Raises Fenced."""
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
        return await self._changed((resource, namespace, name), call, body, dry_run)

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
        """See KubeApi.delete. Raises Fenced."""
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
        target = (resource, namespace, name)
        await self._written(target, call, dry_run=dry_run, precondition=resource_version)
        if not dry_run:
            self._ledger.deleted(resource, namespace, name)

    async def _changed(
        self, target: _Target, call: Callable[[], Awaitable[Any]], body: Any, dry_run: bool
    ) -> Manifest:
        seen = resource_version_of(body) if isinstance(body, Mapping) else ""
        answer = await self._written(target, call, dry_run=dry_run, precondition=seen)
        if not dry_run:
            self._ledger.wrote(target[0], target[1], answer)
        return cast("Manifest", answer)

    async def _written(
        self, target: _Target, call: Callable[[], Awaitable[Any]], *, dry_run: bool, precondition: str = ""
    ) -> Any:
        """Carry out one write and note what came of it."""
        self._fence.check(self._write_timeout)
        try:
            return await call()
        except (errors.OutcomeUnknown, errors.ServerFailure, asyncio.CancelledError):
            # A server that failed (5xx) may have written first, as one whose answer was lost.
            if not dry_run:
                self._ledger.unknown(*target)
            raise
        except errors.KubeError as error:
            if not dry_run:
                self._ledger.refused(*target, error, precondition)
            raise
