"""``KubeApi`` in process: the embedded API server without sockets, on whatever clock it was given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from orjson import dumps, loads

from rollouts.embedded.apiserver import VERSION, ApiServer
from rollouts.embedded.deletion import DeleteOptions
from rollouts.embedded.failures import ApiFailure
from rollouts.embedded.reads import ListOptions, predicate
from rollouts.embedded.resources import ResourceType
from rollouts.embedded.store import Entry, Name
from rollouts.embedded.watching import WatchOptions
from rollouts.embedded.writes import Options, manager_required
from rollouts.kube import errors
from rollouts.kube.api import Listing, PatchKind, Propagation, ServedResource, WatchEvent
from rollouts.kube.objects import Manifest, Resource

T = TypeVar("T")


class LocalApi:
    """One user's view of an ``ApiServer``. Every answer is the caller's own copy.

    ``user`` is the field manager of writes that name none. Each call lets other tasks run once before it
    takes effect, as any call over a network would.
    """

    def __init__(self, server: ApiServer, user: str) -> None:
        self._server = server
        self._user = user

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Manifest:
        """See KubeApi.get."""
        kind = await self._arrive(resource)
        return _copy(kind, _answer(lambda: self._server.get(kind, _key(kind, namespace, name))))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        """See KubeApi.list. As on the wire, items of built-in kinds carry no apiVersion and kind."""
        kind = await self._arrive(resource)
        options = ListOptions(namespace or None, label_selector, field_selector)
        page = _answer(lambda: self._server.page(kind, options))
        return Listing([_item(kind, entry) for entry in page.entries], str(page.version))

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
        kind = await self._arrive(resource)
        options = WatchOptions(
            namespace=namespace or None,
            resource_version=resource_version,
            selector=_answer(lambda: predicate(kind, label_selector, field_selector)),
            timeout_seconds=timeout_seconds,
            bookmarks=True,
        )
        try:
            async with aclosing(self._server.watch(kind, options)) as batches:
                async for batch in batches:
                    for seen in batch:
                        yield WatchEvent(seen.type, _copy(kind, seen.entry))
        except ApiFailure as failure:
            raise _error(failure) from None

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
        kind = await self._arrive(resource)
        options = self._options(field_manager, dry_run)
        sent = _own(body)
        if subresource:
            key = _key(kind, namespace, name)
            return _plain(
                _answer(lambda: self._server.create_subresource(kind, key, subresource, sent, options)).entry
            )
        written = _answer(lambda: self._server.create(kind, _space(kind, namespace), sent, options))
        return _copy(kind, written.entry)

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
        kind = await self._arrive(resource)
        options, sent = self._options(field_manager, dry_run), _own(body)
        key = _key(kind, namespace, name)
        written = _answer(lambda: self._server.replace(kind, key, sent, options, subresource))
        return _view(kind, written.entry, subresource)

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
        served = await self._arrive(resource)
        options, sent = self._options(field_manager, dry_run, force=force), _own(body)
        if kind is PatchKind.APPLY and not field_manager:
            raise _error(manager_required())
        key = _key(served, namespace, name)
        written = _answer(lambda: self._server.patch(served, key, sent, kind, options, subresource))
        return _view(served, written.entry, subresource)

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
        kind = await self._arrive(resource)
        options = DeleteOptions(uid, resource_version, propagation, grace_period_seconds, dry_run)
        _answer(lambda: self._server.delete(kind, _key(kind, namespace, name), options))

    async def served(self) -> Sequence[ServedResource]:
        """See KubeApi.served."""
        await self._server.clock.sleep(0)
        groups = self._server.registry.groups()
        return [
            ServedResource(t.resource, frozenset(t.verbs), t.short_names, frozenset(t.served_subresources()))
            for group, versions in groups.items()
            for version in versions
            for t in self._server.registry.in_version(group, version)
        ]

    async def version(self) -> Mapping[str, str]:
        """See KubeApi.version."""
        return dict(VERSION)

    async def _arrive(self, resource: Resource) -> ResourceType:
        await self._server.clock.sleep(0)
        return _answer(lambda: self._server.registry.of(resource))

    def _options(self, field_manager: str, dry_run: bool, *, force: bool = False) -> Options:
        return Options(field_manager or self._user, dry_run, force)


def _answer(request: Callable[[], T]) -> T:
    try:
        return request()
    except ApiFailure as failure:
        raise _error(failure) from None


def _error(failure: ApiFailure) -> errors.KubeError:
    return errors.from_status(failure.code, failure.status())


def _space(kind: ResourceType, namespace: str | None) -> str:
    if kind.namespaced and not namespace:
        raise errors.Invalid(
            f"{kind.resource} is namespaced, and the request names no namespace",
            status=400,
            reason="BadRequest",
        )
    return namespace or "" if kind.namespaced else ""


def _key(kind: ResourceType, namespace: str | None, name: str) -> Name:
    return Name(_space(kind, namespace), name)


def _copy(kind: ResourceType, entry: Entry) -> Manifest:
    return entry.copy(kind.api_version, kind.kind)


def _plain(entry: Entry) -> Manifest:
    return entry.copy(str(entry.object["apiVersion"]), str(entry.object["kind"]))


def _view(kind: ResourceType, entry: Entry, subresource: str) -> Manifest:
    return _plain(entry) if subresource == "scale" else _copy(kind, entry)


def _item(kind: ResourceType, entry: Entry) -> Manifest:
    return _copy(kind, entry) if kind.custom else entry.copy_bare()


def _own(body: Any) -> Any:
    """Return a copy of what the caller sent, in the form that it would have on the wire."""
    return loads(dumps(body))
