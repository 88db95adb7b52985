"""The Job controller for a cluster that has none: parallelism, completions, back-off limit, deadline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rollouts.clock import Clock
from rollouts.embedded.workloads.keyloop import KeyLoop
from rollouts.embedded.workloads.pods import condition, from_template, is_active, is_ready, phase
from rollouts.kube.api import KubeApi
from rollouts.kube.cache import Cache, Change
from rollouts.kube.errors import NotFound
from rollouts.kube.objects import (
    JOBS,
    PODS,
    Key,
    Manifest,
    ReadOnly,
    controller_owner,
    format_time,
    is_deleting,
    key_of,
    name_of,
    namespace_of,
    owner_reference,
    parse_time,
    uid_of,
)

_DEFAULT_BACKOFF_LIMIT = 6
_RETRY_BASE = 10.0
"""Seconds before the first replacement of a failed pod; doubles, at most six minutes."""
_RETRY_LIMIT = 360.0


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What to do for one Job now."""

    create: int
    delete: Sequence[Manifest]
    status: Manifest
    recheck_at: datetime | None


def is_finished(job: ReadOnly) -> bool:
    """Tell whether the Job has a Complete or Failed condition."""
    return any(condition(job, kind).get("status") == "True" for kind in ("Complete", "Failed"))


def plan(job: ReadOnly, pods: Sequence[Manifest], now: datetime) -> JobPlan:
    """Decide from a Job and the pods that it owns; the Job is neither finished nor being deleted."""
    spec: ReadOnly = job.get("spec") or {}
    active = [pod for pod in pods if is_active(pod)]
    succeeded = sum(phase(pod) == "Succeeded" for pod in pods)
    failed = sum(phase(pod) == "Failed" for pod in pods)
    if spec.get("suspend"):
        return JobPlan(0, active, _status(job, [], succeeded, failed, now, None), None)
    completions = int(spec.get("completions") or spec.get("parallelism") or 1)
    verdict = _verdict(job, pods, succeeded >= completions, failed, now)
    if verdict:
        return JobPlan(0, active, _status(job, [], succeeded, failed, now, verdict), None)
    wanted = min(int(spec.get("parallelism", 1)), completions - succeeded)
    retry_at = _retry_at(pods, failed)
    create = 0 if retry_at and retry_at > now else max(0, wanted - len(active))
    moments = [m for m in (retry_at, _deadline(job)) if m and m > now]
    return JobPlan(create, (), _status(job, active, succeeded, failed, now, None), min(moments, default=None))


def _verdict(
    job: ReadOnly, pods: Sequence[ReadOnly], done: bool, failed: int, now: datetime
) -> tuple[str, str, str] | None:
    """Return (condition, reason, message) when the Job has ended."""
    spec: ReadOnly = job.get("spec") or {}
    limit = int(spec.get("backoffLimit", _DEFAULT_BACKOFF_LIMIT))
    restarts = sum(
        int(s.get("restartCount", 0))
        for pod in pods
        for s in (pod.get("status") or {}).get("containerStatuses") or ()
    )
    if done:
        return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
    if failed > limit or restarts > limit:
        return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    deadline = _deadline(job)
    if deadline and now >= deadline:
        return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
    return None


def _deadline(job: ReadOnly) -> datetime | None:
    seconds = (job.get("spec") or {}).get("activeDeadlineSeconds")
    start = parse_time((job.get("status") or {}).get("startTime"))
    return start + timedelta(seconds=int(seconds)) if seconds is not None and start else None


def _retry_at(pods: Sequence[ReadOnly], failed: int) -> datetime | None:
    ends = [
        parse_time(s["state"]["terminated"].get("finishedAt"))
        for pod in pods
        if phase(pod) == "Failed"
        for s in (pod.get("status") or {}).get("containerStatuses") or ()
        if "terminated" in (s.get("state") or {})
    ]
    last = max((end for end in ends if end), default=None)
    return last + timedelta(seconds=min(_RETRY_LIMIT, _RETRY_BASE * 2.0 ** (failed - 1))) if last else None


def _status(
    job: ReadOnly,
    active: Sequence[ReadOnly],
    succeeded: int,
    failed: int,
    now: datetime,
    verdict: tuple[str, str, str] | None,
) -> Manifest:
    known: ReadOnly = job.get("status") or {}
    status: Manifest = {
        "active": len(active),
        "ready": sum(is_ready(pod) for pod in active),
        "succeeded": succeeded,
        "failed": failed,
        "startTime": known.get("startTime") or format_time(now),
    }
    if verdict:
        kind, reason, message = verdict
        moment = format_time(now)
        ended = {"type": kind, "status": "True", "reason": reason, "message": message}
        stamped = {**ended, "lastProbeTime": moment, "lastTransitionTime": moment}
        status["conditions"] = [*(known.get("conditions") or ()), stamped]
        if kind == "Complete":
            status["completionTime"] = moment
    return status


class JobController:
    """Runs Jobs to completion or failure."""

    def __init__(self, api: KubeApi, cache: Cache, clock: Clock) -> None:
        self._api = api
        self._cache = cache
        self._clock = clock
        self._unseen: dict[str, set[str]] = {}
        self.loop = KeyLoop("job", self.reconcile, clock)
        cache.on_change(JOBS, lambda change, old, new: self.loop.add(key_of(new or old or {})))
        cache.on_change(PODS, self._on_pod)

    def _on_pod(self, change: Change, old: Manifest | None, new: Manifest | None) -> None:
        pod = new or old or {}
        owner = controller_owner(pod)
        if owner and owner.get("kind") == JOBS.kind:
            self.loop.add(Key(namespace_of(pod), str(owner["name"])))

    async def reconcile(self, key: Key) -> float | None:
        """Bring one Job's pods and status up to date."""
        job = self._cache.get(JOBS, key.namespace, key.name)
        if job is None or is_deleting(job) or is_finished(job):
            return None
        pods = self._cache.indexed(PODS, "owner", uid_of(job))
        unseen = self._unseen.setdefault(uid_of(job), set())
        unseen -= {uid_of(pod) for pod in pods}
        if unseen:
            return None
        now = self._clock.now()
        todo = plan(job, pods, now)
        await self._report(key, job, todo.status)
        for _ in range(todo.create):
            created = await self._api.create(PODS, key.namespace, new_pod(job))
            unseen.add(uid_of(created))
        for pod in todo.delete:
            try:
                await self._api.delete(PODS, key.namespace, name_of(pod), uid=uid_of(pod))
            except NotFound:
                continue
        return (todo.recheck_at - now).total_seconds() if todo.recheck_at else None

    async def _report(self, key: Key, job: ReadOnly, status: Manifest) -> None:
        seen: ReadOnly = job.get("status") or {}
        if all((seen.get(name) or 0) == value for name, value in status.items()):
            return
        patch = {"metadata": {"uid": uid_of(job)}, "status": status}
        await self._api.patch(JOBS, key.namespace, key.name, patch, subresource="status")


def new_pod(job: ReadOnly) -> Manifest:
    """Return the Pod to create for a Job, with the labels that the API server gives to a Job's template."""
    pod = from_template((job.get("spec") or {}).get("template") or {})
    uid, name = uid_of(job), name_of(job)
    labels = {
        **(pod["metadata"].get("labels") or {}),
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    pod["metadata"] = {
        **pod["metadata"],
        "labels": labels,
        "generateName": f"{name}-",
        "ownerReferences": [owner_reference(job, JOBS)],
    }
    return pod
