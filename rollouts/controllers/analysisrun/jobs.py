"""Jobs of measurements in the cluster: the job provider's port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.providers.errors import BackendError, ConfigurationError, ProviderError
from analysis.providers.job import NAME_ANNOTATION, JobState, JobStatus
from rollouts.kube import errors
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Cache
from rollouts.kube.objects import (
    ANALYSIS_RUNS,
    JOBS,
    PODS,
    ReadOnly,
    annotations_of,
    controller_owner,
    name_of,
)

STUCK_REASONS = frozenset(("ErrImagePull", "ImagePullBackOff", "InvalidImageName"))
"""Waiting reasons of containers that a measurement does not sit out."""


def job_state(job: ReadOnly) -> JobStatus:
    """Return where a Job is by its own conditions. Pure."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if str(condition.get("status")) != "True":
            continue
        if condition.get("type") == "Complete":
            return JobStatus(JobState.COMPLETE)
        if condition.get("type") == "Failed":
            why = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
            return JobStatus(JobState.FAILED, why)
    return JobStatus(JobState.RUNNING)


def stuck_pod(pod: ReadOnly) -> str:
    """Return why a pod can never start, "" when it can. Pure."""
    status = pod.get("status") or {}
    containers = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in STUCK_REASONS:
            what = f"pod {name_of(pod)}, container {container.get('name', '')}"
            return f"{what}: {waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    return ""


class ClusterJobs:
    """Creates, reads and deletes Jobs. ``api`` is fenced; reads prefer the cache."""

    def __init__(self, api: KubeApi, cache: Cache) -> None:
        self._api = api
        self._cache = cache

    async def create(self, namespace: str, manifest: Mapping[str, Any], owner_uid: str) -> None:
        """Create the Job, owned by its run. Raises ProviderError."""
        name = name_of(manifest)
        owner = {
            "apiVersion": ANALYSIS_RUNS.api_version,
            "kind": ANALYSIS_RUNS.kind,
            "name": annotations_of(manifest).get(NAME_ANNOTATION, ""),
            "uid": owner_uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        body = {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [owner]}}
        try:
            await self._api.create(JOBS, namespace, body)
        except errors.AlreadyExists:
            await self._adopt(namespace, name, owner_uid)
        except errors.OutcomeUnknown:
            await self._adopt(namespace, name, owner_uid)
        except errors.KubeError as error:
            raise _provider_error(f"job {namespace}/{name} cannot be created", error) from error

    async def _adopt(self, namespace: str, name: str, owner_uid: str) -> None:
        """Accept a Job that is there already when this run owns it."""
        try:
            found = await self._api.get(JOBS, namespace, name)
        except errors.KubeError as error:
            raise _provider_error(f"job {namespace}/{name} cannot be read", error) from error
        if str((controller_owner(found) or {}).get("uid", "")) != owner_uid:
            raise ConfigurationError(f"job {namespace}/{name} exists and belongs to somebody else")

    async def status(self, namespace: str, name: str) -> JobStatus:
        """Return where the Job is. Raises ProviderError."""
        try:
            job = self._cache.get(JOBS, namespace, name) if self._cache.synced(JOBS) else None
            job = job or await self._api.get(JOBS, namespace, name)
            state = job_state(job)
            return state if state.state is not JobState.RUNNING else await self._stuck(namespace, name)
        except errors.NotFound:
            return JobStatus(JobState.MISSING)
        except errors.KubeError as error:
            raise _provider_error(f"job {namespace}/{name} cannot be read", error) from error

    async def _stuck(self, namespace: str, name: str) -> JobStatus:
        try:
            pods = await self._api.list(PODS, namespace, label_selector=f"job-name={name}")
        except errors.Forbidden:
            return JobStatus(JobState.RUNNING)
        reason = next(filter(None, map(stuck_pod, pods.items)), "")
        return JobStatus(JobState.STUCK, reason) if reason else JobStatus(JobState.RUNNING)

    async def delete(self, namespace: str, name: str) -> None:
        """Delete the Job with its pods. Raises ProviderError."""
        try:
            await self._api.delete(JOBS, namespace, name, propagation="Foreground")
        except errors.NotFound:
            return
        except errors.KubeError as error:
            raise _provider_error(f"job {namespace}/{name} cannot be deleted", error) from error


def _provider_error(what: str, error: errors.KubeError) -> ProviderError:
    if isinstance(error, errors.Refused):
        return ConfigurationError(f"{what}: {error.message}")
    return BackendError(f"{what}: {error.message}")
