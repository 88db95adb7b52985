"""Giving a DestinationRule back when its Rollout names it no more: its subsets lose the pod hash.

A subset that still selected the pods of a version would send traffic to nothing once they are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rollouts.controllers.rollout.routes import RouteResources
from rollouts.kube import errors, objects
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Cache
from rollouts.kube.objects import Key, Manifest, ReadOnly, Resource
from rollouts.runtime.reconciler import Request, Result
from rollouts.traffic.istio import MANAGED_BY, RULE, released

_PATH = ("spec", "strategy", "canary", "trafficRouting", "istio", "destinationRule", "name")


class RuleReconciler:
    """Looks at the DestinationRules that carry the mark of one Rollout.

    They are watched since a Rollout first named one; those marked before the start of a process in which
    none is named are not seen.
    """

    def __init__(self, cache: Cache, routes: RouteResources) -> None:
        self._cache = cache
        self._routes = routes

    async def reconcile(self, request: Request) -> Result:
        """Remove hashes and marks when the Rollout is gone, or names the DestinationRule no more."""
        for resource, rule in self._marked(request.key):
            if not await self._in_use(request.api, request.key, objects.name_of(rule)):
                body = released(rule)
                await request.api.replace(resource, request.key.namespace, objects.name_of(rule), body)
        return Result()

    def _marked(self, rollout: Key) -> Iterator[tuple[Resource, Manifest]]:
        for resource in self._routes.all():
            if (resource.group, resource.kind) != RULE:
                continue
            for rule in self._cache.list(resource, rollout.namespace):
                mine = objects.annotations_of(rule).get(MANAGED_BY) == rollout.name
                if mine and not objects.is_deleting(rule):
                    yield resource, rule

    async def _in_use(self, api: KubeApi, rollout: Key, rule: str) -> bool:
        """Ask the cache, and before believing that a Rollout is gone the API server: it may be another's."""
        cached = self._cache.get(objects.ROLLOUTS, rollout.namespace, rollout.name)
        if cached is not None and _named(cached) == rule:
            return True
        try:
            return _named(await api.get(objects.ROLLOUTS, rollout.namespace, rollout.name)) == rule
        except errors.NotFound:
            return False


def _named(rollout: ReadOnly) -> object:
    found: object = rollout
    for key in _PATH:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
