"""From the cache and the measurements under way to one frozen snapshot."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from analysis.providers.job import JOB_NAME, JobState
from analysis.run.schedule import open_measurement
from analysis.spec.errors import from_validation_error
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.status import AnalysisRunStatus
from rollouts.controllers.analysisrun.jobs import job_state
from rollouts.controllers.analysisrun.measuring import Measuring
from rollouts.controllers.analysisrun.snapshot import RunSnapshot
from rollouts.kube.cache import Cache
from rollouts.kube.objects import (
    ANALYSIS_RUNS,
    JOBS,
    Key,
    ReadOnly,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from rollouts.runtime.reconciler import TerminalError

INSTANCE_LABEL = "argo-rollouts.argoproj.io/controller-instance-id"


class Observer:
    """Reads one AnalysisRun; keeps parsed specs by object version."""

    def __init__(self, cache: Cache, measuring: Measuring, instance_id: str = "") -> None:
        self._cache = cache
        self._measuring = measuring
        self._instance_id = instance_id

    def snapshot(self, key: Key, now: datetime) -> RunSnapshot | None:
        """Return the snapshot, or None when there is nothing to do: gone, going, or not ours.

        Raises TerminalError when the status cannot be read: it is never overwritten blindly.
        """
        manifest = self._cache.get(ANALYSIS_RUNS, key.namespace, key.name)
        if manifest is None or labels_of(manifest).get(INSTANCE_LABEL, "") != self._instance_id:
            return None
        if is_deleting(manifest):
            self._measuring.forget(uid_of(manifest))
            return None
        status = _status(manifest)
        spec, error = _spec(manifest)
        taken = self._measuring.taken(uid_of(manifest))
        return RunSnapshot(
            manifest=manifest,
            spec=spec,
            status=status,
            now=now,
            spec_error=error,
            rejection=taken.rejection,
            finished=taken.finished,
            in_flight=taken.in_flight,
            ready=self._ready(key.namespace, status),
        )

    def _ready(self, namespace: str, status: AnalysisRunStatus) -> frozenset[str]:
        """Return the metrics whose Job has ended, whatever their next look was planned for."""
        ready = set()
        for result in status.metric_results:
            opened = open_measurement(result)
            name = (opened.metadata or {}).get(JOB_NAME, "") if opened is not None else ""
            job = self._cache.get(JOBS, namespace, name) if name and self._cache.synced(JOBS) else None
            if job is not None and job_state(job).state is not JobState.RUNNING:
                ready.add(result.name)
        return frozenset(ready)


def _spec(manifest: ReadOnly) -> tuple[AnalysisRunSpec, str]:
    try:
        return AnalysisRunSpec.model_validate(manifest.get("spec") or {}), ""
    except ValidationError as error:
        return AnalysisRunSpec(), f"Analysis spec invalid: {from_validation_error('spec', error)}"


def _status(manifest: ReadOnly) -> AnalysisRunStatus:
    try:
        return AnalysisRunStatus.model_validate(manifest.get("status") or {})
    except ValidationError as error:
        problem = from_validation_error("status", error)
        where = f"{namespace_of(manifest)}/{name_of(manifest)}"
        raise TerminalError(f"AnalysisRun {where} has a status that cannot be read: {problem}") from error
