"""A pod as people look at it, and why it is not ready, from its conditions and container states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rollouts.kube import objects
from rollouts.kube.objects import ReadOnly

STARTING = frozenset({"ContainerCreating", "PodInitializing"})
"""Waiting reasons of a container that is simply on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRow:
    """One pod. ``ready`` is "ready/all" containers; ``trouble`` says why it is not ready, "" when it is."""

    name: str
    status: str
    ready: str
    restarts: int
    age_seconds: int
    trouble: str


def pod_row(pod: ReadOnly, now: datetime) -> PodRow:
    """Return one pod's row. The status is a container's waiting reason, where there is one, as in kubectl."""
    status = pod.get("status") or {}
    containers: Sequence[ReadOnly] = status.get("containerStatuses") or ()
    waiting = [_state(c, "waiting").get("reason") for c in _containers(pod)]
    shown = next((str(reason) for reason in waiting if reason), "") or str(
        status.get("reason") or status.get("phase") or "Pending"
    )
    created = objects.parse_time(objects.metadata(pod).get("creationTimestamp"))
    return PodRow(
        name=objects.name_of(pod),
        status="Terminating" if objects.is_deleting(pod) else shown,
        ready=f"{sum(bool(c.get('ready')) for c in containers)}/{_total(pod)}",
        restarts=sum(int(c.get("restartCount") or 0) for c in containers),
        age_seconds=int((now - created).total_seconds()) if created else 0,
        trouble=trouble(pod),
    )


def trouble(pod: ReadOnly) -> str:
    """Return why a pod is not ready, in one sentence; "" when it is ready, finished or going."""
    status = pod.get("status") or {}
    if objects.is_deleting(pod) or status.get("phase") == "Succeeded" or is_ready(pod):
        return ""
    return next(_troubles(pod), "not ready yet")


def is_ready(pod: ReadOnly) -> bool:
    """Tell whether the Ready condition holds."""
    return (_condition(pod, "Ready") or {}).get("status") == "True"


def has_crashed(pod: ReadOnly) -> bool:
    """Tell whether a container has ended at least once, so that there is an earlier log to read."""
    return any(_state(c, "terminated", "lastState") for c in _containers(pod))


def _troubles(pod: ReadOnly) -> Iterator[str]:
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        yield _joined(str(status.get("reason") or "failed"), str(status.get("message") or ""))
    scheduled = _condition(pod, "PodScheduled") or {}
    if scheduled.get("status") == "False":
        yield _joined("not scheduled", str(scheduled.get("message") or scheduled.get("reason") or ""))
    yield from (text for c in _containers(pod) if (text := _container_trouble(c)))
    ready = _condition(pod, "Ready") or {}
    if ready.get("reason") == "ReadinessGatesNotReady":
        yield _joined("a readiness gate is not passed", str(ready.get("message") or ""))
    for container in _containers(pod):
        if _state(container, "waiting"):
            yield f"container {container.get('name')} is being created"
        elif _state(container, "running") and not container.get("ready"):
            yield f"container {container.get('name')} runs but its readiness probe has not passed"


def _container_trouble(container: ReadOnly) -> str:
    name, waiting = container.get("name"), _state(container, "waiting")
    if waiting and waiting.get("reason") not in STARTING:
        last = _state(container, "terminated", "lastState")
        text = f"container {name}: {waiting.get('reason') or 'waiting'}"
        if last:
            return f"{text}, {_exit(last)}, restarted {_times(int(container.get('restartCount') or 0))}"
        return _joined(text, str(waiting.get("message") or ""))
    ended = _state(container, "terminated")
    if ended and ended.get("exitCode") != 0:
        return f"container {name}: {_exit(ended)}"
    return ""


def _exit(state: ReadOnly) -> str:
    reason = state.get("reason")
    why = f" ({reason})" if reason and reason != "Error" else ""
    return f"exit code {state.get('exitCode')}{why}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _joined(head: str, tail: str) -> str:
    return f"{head}: {tail}" if tail else head


def _condition(pod: ReadOnly, kind: str) -> ReadOnly | None:
    conditions: Sequence[ReadOnly] = (pod.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), None)


def _containers(pod: ReadOnly) -> Sequence[ReadOnly]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _state(container: ReadOnly, name: str, field: str = "state") -> ReadOnly:
    found: ReadOnly = (container.get(field) or {}).get(name) or {}
    return found


def _total(pod: ReadOnly) -> int:
    containers = (pod.get("spec") or {}).get("containers")
    return len(containers or (pod.get("status") or {}).get("containerStatuses") or ())
