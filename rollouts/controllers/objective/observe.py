"""From the cache and an objective's Prometheus to one frozen snapshot."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from analysis.providers.errors import ConfigurationError, EgressRefused, ProviderError
from analysis.slo.budget import Numbers
from analysis.slo.model import ServiceLevelObjectiveSpec
from analysis.slo.validation import read_objective
from analysis.spec.errors import SpecError
from rollouts.controllers.objective.snapshot import ObjectiveSnapshot
from rollouts.kube import objects
from rollouts.kube.cache import Cache
from rollouts.kube.objects import Key
from rollouts.workloads import labels


class Budgets(Protocol):
    """Where numbers come from."""

    async def read(self, owner: str, spec: ServiceLevelObjectiveSpec, now: datetime) -> Numbers:
        """Return the number of each query. Raises ProviderError and SpecError."""
        ...


class Observer:
    """Builds snapshots of objectives that have the instance's label."""

    def __init__(self, cache: Cache, budgets: Budgets, instance_id: str = "") -> None:
        self._cache = cache
        self._budgets = budgets
        self._instance_id = instance_id

    async def snapshot(self, key: Key, now: datetime) -> ObjectiveSnapshot | None:
        """Return the snapshot, or None when there is nothing to do: gone, going, or not ours."""
        manifest = self._cache.get(objects.SERVICE_LEVEL_OBJECTIVES, key.namespace, key.name)
        if manifest is None or objects.is_deleting(manifest):
            return None
        if objects.labels_of(manifest).get(labels.INSTANCE_ID, "") != self._instance_id:
            return None
        try:
            spec = read_objective(manifest.get("spec") or {})
        except SpecError as error:
            return ObjectiveSnapshot(now=now, manifest=manifest, invalid=str(error))
        failed_by, failure = "", ""
        numbers: Numbers = {}
        try:
            numbers = await self._budgets.read(objects.uid_of(manifest), spec, now)
        except EgressRefused as error:
            failed_by, failure = "EgressRefused", error.message
        except ConfigurationError as error:
            failed_by, failure = "NotConfigured", str(error)
        except ProviderError as error:
            failed_by, failure = "BackendUnavailable", str(error)
        return ObjectiveSnapshot(
            now=now, manifest=manifest, spec=spec, numbers=numbers, failure=failure, failed_by=failed_by
        )
