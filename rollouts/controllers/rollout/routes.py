"""Routers' objects: found by discovery and watched when the first Rollout names them.

A cluster serves few of the kinds that routers know, and a Rollout names few of those; so nothing is watched,
and no permission is needed, before it is wanted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from rollouts.kube import errors, objects
from rollouts.kube.api import KubeApi
from rollouts.kube.informer import InformerCache
from rollouts.kube.objects import Key, Manifest, Resource
from rollouts.kube.projections import Projection
from rollouts.traffic.router import Need

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(seconds=30)
"""How long a kind that is not served is taken for absent."""

Wake = Callable[[Manifest], None]


class Interests:
    """Which Rollouts asked for which objects when they were last observed."""

    def __init__(self) -> None:
        self._needs: dict[Key, tuple[Need, ...]] = {}
        self._by_name: dict[tuple[str, str, str], set[Key]] = {}

    def set(self, key: Key, needs: tuple[Need, ...]) -> None:
        """Remember what a Rollout needs now, instead of what it needed before."""
        if self._needs.get(key, ()) == needs:
            return
        for need in self._needs.pop(key, ()):
            self._by_name[_place(need)].discard(key)
        if needs:
            self._needs[key] = needs
        for need in needs:
            self._by_name.setdefault(_place(need), set()).add(key)

    def keys(self, obj: Manifest) -> Iterable[Key]:
        """Return the Rollouts that an object concerns: those that name it, and those that select by label."""
        kind, namespace = str(obj.get("kind", "")), objects.namespace_of(obj)
        found: set[Key] = set()
        for name in (objects.name_of(obj), ""):
            found |= self._by_name.get((kind, namespace, name), set())
        return sorted(found)


def _place(need: Need) -> tuple[str, str, str]:
    return need.kind, need.namespace, need.name


class RouteResources:
    """Resolves (group, kind) to a watched resource; ``wake`` is called with every object that changes."""

    def __init__(
        self, cache: InformerCache, wake: Wake, projections: Mapping[Resource, Projection] | None = None
    ) -> None:
        self._cache = cache
        self._wake = wake
        self._projections = projections or {}
        self._known: dict[tuple[str, str], Resource] = {}
        self._absent: dict[tuple[str, str], datetime] = {}
        self._wanted: set[tuple[str, str]] = set()

    def find(self, group: str, kind: str) -> Resource | None:
        """Return the watched resource; an unknown one is remembered as wanted."""
        resource = self._known.get((group, kind))
        if resource is None:
            self._wanted.add((group, kind))
            return None
        return resource if self._cache.synced(resource) else None

    def resource_of(self, group: str, version: str, kind: str) -> Resource:
        """Return the resource for a write in the given version, "" for the one that is served.

        Raises NotFound when the kind is not served.
        """
        found = self._known.get((group, kind))
        if found is None:
            raise errors.NotFound(
                f"{kind} of {group} is not served by this cluster: install its CRDs", status=404
            )
        if version in ("", found.version):
            return found
        return Resource(group, version, found.plural, kind, found.namespaced)

    def all(self) -> list[Resource]:
        """Return every resource that is watched for a router."""
        return sorted(self._known.values())

    async def discover(self, api: KubeApi, now: datetime) -> bool:
        """Look up what was wanted and start to watch it; True when something new can be read now."""
        due = sorted(w for w in self._wanted if now - self._absent.get(w, now - 2 * LOOK_AGAIN) >= LOOK_AGAIN)
        self._wanted.clear()
        if not due:
            return False
        served = [row.resource for row in await api.served()]
        found = False
        for group, kind in due:
            resource = next((r for r in served if r.group == group and r.kind == kind), None)
            if resource is None:
                self._absent[(group, kind)] = now
                log.warning("%s of %s is not served; looked for again in 30 s", kind, group or "core")
                continue
            await self._watch(resource)
            found = True
        return found

    async def _watch(self, resource: Resource) -> None:
        self._cache.start(resource, project=self._projections.get(resource))
        await self._cache.wait_synced(resource)
        self._known[(resource.group, resource.kind)] = resource
        self._absent.pop((resource.group, resource.kind), None)
        self._cache.on_change(resource, lambda change, old, new: self._told(old, new))

    def _told(self, old: Manifest | None, new: Manifest | None) -> None:
        for obj in (new, old):
            if obj is not None:
                self._wake(obj)
                return
