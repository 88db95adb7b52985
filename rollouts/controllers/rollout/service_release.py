"""Giving a Service back when no Rollout uses it any more: its selector loses the pod hash.

A Service that still selected the pods of a deleted Rollout would send traffic to nothing for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from rollouts.api.argoproj import rollout as api
from rollouts.controllers.rollout.observe import service_names
from rollouts.kube import errors, objects
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Cache
from rollouts.kube.objects import Key, Manifest
from rollouts.runtime.reconciler import Request, Result
from rollouts.workloads import labels


class ServiceReconciler:
    """Looks at one Service that carries the mark of a Rollout."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def reconcile(self, request: Request) -> Result:
        """Remove hash and mark when the Rollout that they name is gone, or names the Service no more."""
        service = self._cache.get(objects.SERVICES, request.key.namespace, request.key.name)
        owner = objects.annotations_of(service).get(labels.MANAGED_BY) if service else None
        if service is None or not owner or objects.is_deleting(service):
            return Result()
        if await self._in_use(request.api, request.key, owner):
            return Result()
        await request.api.patch(objects.SERVICES, request.key.namespace, request.key.name, release(service))
        return Result()

    async def _in_use(self, api: KubeApi, service: Key, owner: str) -> bool:
        """Ask the cache, and before believing that a Rollout is gone the API server: it may be another's."""
        rollout = self._cache.get(objects.ROLLOUTS, service.namespace, owner)
        if rollout is not None and service.name in _names(rollout):
            return True
        try:
            live = await api.get(objects.ROLLOUTS, service.namespace, owner)
        except errors.NotFound:
            return False
        return service.name in _names(live)


def release(service: Manifest) -> Manifest:
    """Return the merge patch that takes hash and mark away, only from the Service as it was seen."""
    return {
        "metadata": {
            "uid": objects.uid_of(service),
            "resourceVersion": objects.resource_version(service),
            "annotations": {labels.MANAGED_BY: None},
        },
        "spec": {"selector": {labels.POD_TEMPLATE_HASH: None}},
    }


def _names(rollout: Manifest) -> tuple[str, ...]:
    try:
        return service_names(api.RolloutSpec.model_validate(rollout.get("spec") or {}))
    except ValidationError:
        # An unreadable spec names nothing for sure, so nothing is taken from it.
        return tuple(_texts(rollout.get("spec")))


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
