"""A Kubernetes Job as a measurement: it completes or it fails. The cluster is behind ``JobPort``."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, ClassVar, Protocol

from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.protocol import Answer, Decided, Ongoing, Question
from analysis.spec.objects import Metric
from analysis.spec.status import Measurement, Phase

JOB_NAME = "job-name"
JOB_NAMESPACE = "job-namespace"
"""Keys of a measurement's metadata."""
UID_LABEL = "analysisrun.argoproj.io/uid"
NAME_ANNOTATION = "analysisrun.argoproj.io/name"
NAMESPACE_ANNOTATION = "analysisrun.argoproj.io/namespace"
METRIC_ANNOTATION = "analysisrun.argoproj.io/metric-name"
_LONGEST_NAME = 63


class JobState(Enum):
    """Where a Job is."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    STUCK = "stuck"
    """Its pods can never start, such as an image that cannot be pulled."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What a Job is doing, and why."""

    state: JobState
    message: str = ""


class JobPort(Protocol):
    """What the provider asks of a cluster. Methods raise ProviderError."""

    async def create(self, namespace: str, manifest: Mapping[str, Any], owner_uid: str) -> None:
        """Create the Job, owned by the run; one that is there already and has this owner is fine."""
        ...

    async def status(self, namespace: str, name: str) -> JobStatus:
        """Return where the Job is."""
        ...

    async def delete(self, namespace: str, name: str) -> None:
        """Delete the Job and its pods; one that is gone already is fine."""
        ...


class JobProvider:
    """Creates a Job per measurement; resumes until it is complete, failed or stuck."""

    name: ClassVar[str] = "job"

    def __init__(self, jobs: JobPort) -> None:
        self._jobs = jobs

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    async def measure(self, question: Question) -> Answer:
        """Create the Job."""
        if not question.run_uid:
            raise ConfigurationError("provider.job needs a cluster: it runs only in an AnalysisRun")
        manifest = job_manifest(question)
        await self._jobs.create(question.run_namespace, manifest, question.run_uid)
        name = str(manifest["metadata"]["name"])
        metadata = {JOB_NAME: name, JOB_NAMESPACE: question.run_namespace}
        return Ongoing(_look_again(question.now, question.now), metadata)

    async def resume(self, question: Question, measurement: Measurement) -> Answer:
        """Look at the Job."""
        namespace, name = _reference(question, measurement)
        status = await self._jobs.status(namespace, name)
        if status.state is JobState.RUNNING:
            return Ongoing(_look_again(_started(measurement, question.now), question.now))
        if status.state is JobState.COMPLETE:
            return Decided(Phase.SUCCESSFUL)
        if status.state is JobState.FAILED:
            return Decided(Phase.FAILED, status.message)
        if status.state is JobState.STUCK:
            return Decided(Phase.INCONCLUSIVE, status.message)
        raise BackendError(f"job {namespace}/{name} is gone before it was complete")

    async def terminate(self, question: Question, measurement: Measurement) -> Answer:
        """Delete the Job; it can say nothing any more."""
        namespace, name = _reference(question, measurement)
        await self._jobs.delete(namespace, name)
        return Decided(Phase.INCONCLUSIVE, f"job {namespace}/{name} was terminated before it was complete")


def job_manifest(question: Question) -> dict[str, Any]:
    """Return the Job of a measurement; the same question gives the same name, so it is made once."""
    job = question.metric.provider.job
    if job is None or not job.spec:
        raise ConfigurationError("provider.job.spec is empty")
    given = job.metadata or {}
    name = f"{question.run_uid}.{question.metric.name}.{question.sequence + 1}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": _short(name),
            "namespace": question.run_namespace,
            "labels": {**(given.get("labels") or {}), UID_LABEL: question.run_uid},
            "annotations": {
                **(given.get("annotations") or {}),
                NAME_ANNOTATION: question.run_name,
                NAMESPACE_ANNOTATION: question.run_namespace,
                METRIC_ANNOTATION: question.metric.name,
            },
        },
        "spec": copy.deepcopy(job.spec),
    }


def _short(name: str) -> str:
    """Cut to what fits into a label, keeping the number at the end that tells measurements apart."""
    if len(name) <= _LONGEST_NAME:
        return name
    head, _, number = name.rpartition(".")
    return f"{head[: _LONGEST_NAME - len(number) - 1].rstrip('.-')}.{number}"


def _reference(question: Question, measurement: Measurement) -> tuple[str, str]:
    metadata = measurement.metadata or {}
    if not metadata.get(JOB_NAME):
        raise BackendError("job metadata reference missing")
    return metadata.get(JOB_NAMESPACE) or question.run_namespace, metadata[JOB_NAME]


def _started(measurement: Measurement, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat((measurement.started_at or "").replace("Z", "+00:00"))
    except ValueError:
        return now
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _look_again(started: datetime, now: datetime) -> datetime:
    """A finished Job wakes its run by itself; looking is for stuck pods, ever more rarely."""
    elapsed = max(0.0, (now - started).total_seconds())
    return now + timedelta(seconds=max(5.0, math.sqrt(2 * elapsed)))
