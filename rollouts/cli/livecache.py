"""The Cache port over one round of lists, for commands that look once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from rollouts.controllers.rollout.observe import ORPHANS, orphaned
from rollouts.kube import errors, objects
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Handler
from rollouts.kube.objects import Manifest, Resource


class LiveCache:
    """Objects as they were when they were listed. ``refused`` names what could not be read, and why."""

    def __init__(
        self, listed: Mapping[Resource, Sequence[Manifest]], refused: Mapping[Resource, str] | None = None
    ) -> None:
        self._listed = dict(listed)
        self.refused = dict(refused or {})
        self.wanted: set[tuple[str, str]] = set()

    def find(self, group: str, kind: str) -> Resource | None:
        """Return a listed resource by group and kind; one that is not is remembered as wanted."""
        found = next((r for r in self._listed if r.group == group and r.kind == kind), None)
        if found is None:
            self.wanted.add((group, kind))
        return found

    async def fetch_wanted(self, api: KubeApi) -> bool:
        """List what was wanted, in every namespace; True when something new is here."""
        rows = [row.resource for row in await api.served()] if self.wanted else []
        before = len(self._listed)
        for group, kind in sorted(self.wanted):
            resource = next((r for r in rows if r.group == group and r.kind == kind), None)
            if resource is not None:
                await self._fetch(api, resource)
        self.wanted.clear()
        return len(self._listed) > before

    async def _fetch(self, api: KubeApi, resource: Resource) -> None:
        try:
            self._listed[resource] = (await api.list(resource)).items
        except errors.Forbidden as error:
            self.refused[resource] = error.message

    def watched(self, resource: Resource) -> bool:
        """See Cache.watched."""
        return resource in self._listed

    def synced(self, resource: Resource) -> bool:
        """See Cache.synced."""
        return resource in self._listed

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """See Cache.get."""
        found = (
            o
            for o in self._listed.get(resource, ())
            if objects.name_of(o) == name and objects.namespace_of(o) == namespace
        )
        return next(found, None)

    def list(self, resource: Resource, namespace: str | None = None) -> Sequence[Manifest]:
        """See Cache.list."""
        items = self._listed.get(resource, ())
        return [o for o in items if namespace in (None, objects.namespace_of(o))]

    def indexed(self, resource: Resource, index: str, value: str) -> Sequence[Manifest]:
        """See Cache.indexed; only ``owner`` and the orphans exist here."""
        items = self._listed.get(resource, ())
        if index == ORPHANS:
            return [o for o in items if value in orphaned(o)]
        if index != "owner":
            raise KeyError(index)
        return [o for o in items if (objects.controller_owner(o) or {}).get("uid") == value]

    def on_change(self, resource: Resource, handler: Handler) -> None:
        """See Cache.on_change; nothing changes here."""


async def live_cache(api: KubeApi, namespace: str, resources: Sequence[Resource]) -> LiveCache:
    """List resources of a namespace. What is not served is absent; what is forbidden is ``refused``."""

    async def one(resource: Resource) -> Sequence[Manifest] | errors.Refused:
        try:
            return (await api.list(resource, namespace if resource.namespaced else None)).items
        except (errors.NotFound, errors.Forbidden) as error:
            return error

    answers = await asyncio.gather(*(one(resource) for resource in resources))
    listed: dict[Resource, Sequence[Manifest]] = {}
    refused: dict[Resource, str] = {}
    for resource, answer in zip(resources, answers, strict=True):
        if isinstance(answer, errors.Forbidden):
            refused[resource] = answer.message
        elif not isinstance(answer, errors.Refused):
            listed[resource] = answer
    return LiveCache(listed, refused)
