"""A pod's status at a moment of its life: a pure function of the spec, its times and now.

The states, reasons and their order are those of the kubelet
(https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rollouts.embedded.workloads.program import READY, Container
from rollouts.embedded.workloads.timing import KubeletTiming
from rollouts.kube.objects import Manifest, ReadOnly, annotations_of, format_time, uid_of

_FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Life:
    """The times of one pod: when it was bound, and how many seconds later its containers start."""

    bound: datetime
    starts_in: float

    def at(self, seconds: float) -> str:
        """Return the RFC 3339 time ``seconds`` after binding."""
        return format_time(self.bound + timedelta(seconds=seconds))


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container at a moment; ``until`` is when this ends, in seconds from binding."""

    state: Manifest
    last: Manifest
    ready: bool
    started: bool
    restarts: int
    until: float


def container_at(
    container: Container, policy: str, life: Life, age: float, timing: KubeletTiming
) -> ContainerState:
    """Return the state of a container ``age`` seconds after its pod was bound."""
    start = life.starts_in
    if age < start:
        return _waiting("ContainerCreating", until=start)
    if container.pull_error:
        return _pull_failure(container, age - start, start, timing)
    seconds = container.program.seconds
    if seconds is None:
        return _running(container, life, start, age, {}, 0, _FOREVER)
    return _finite(container, policy, life, age, timing, container.post_start + seconds)


def _pull_failure(container: Container, since: float, start: float, timing: KubeletTiming) -> ContainerState:
    if container.pull_error == "InvalidImageName":
        message = f'Failed to apply default image tag "{container.image}": couldn\'t parse image name'
        return _waiting("InvalidImageName", message=message, until=_FOREVER)
    if since < timing.pull_backoff:
        message = f'failed to pull and unpack image "{container.image}": not found'
        return _waiting("ErrImagePull", message=message, until=start + timing.pull_backoff)
    return _waiting("ImagePullBackOff", message=f'Back-off pulling image "{container.image}"', until=_FOREVER)


def _finite(
    container: Container, policy: str, life: Life, age: float, timing: KubeletTiming, run: float
) -> ContainerState:
    code = container.program.exit_code
    restart = policy == "Always" or (policy == "OnFailure" and code != 0)
    begin, restarts, pause = life.starts_in, 0, timing.crash_backoff
    last: Manifest = {}
    while True:
        end = begin + run
        if age < end:
            return _running(container, life, begin, age, last, restarts, end)
        ended = _terminated(container, life, begin, end)
        if not restart:
            return ContainerState(ended, last, False, False, restarts, _FOREVER)
        if age < end + pause:
            message = f"back-off {pause:g}s restarting failed container={container.name}"
            waiting = _waiting("CrashLoopBackOff", message=message, until=end + pause)
            return ContainerState(waiting.state, ended, False, False, restarts, end + pause)
        begin, restarts, last = end + pause, restarts + 1, ended
        pause = min(pause * 2, timing.crash_backoff_limit)


def _running(
    container: Container, life: Life, begin: float, age: float, last: Manifest, restarts: int, end: float
) -> ContainerState:
    started_at = begin + container.post_start
    ready_at = started_at + container.ready_after
    later = [moment for moment in (started_at, ready_at, end) if moment > age]
    state = {"running": {"startedAt": life.at(begin)}}
    return ContainerState(
        state, last, age >= ready_at, age >= started_at, restarts, min(later, default=_FOREVER)
    )


def _terminated(container: Container, life: Life, begin: float, end: float) -> Manifest:
    code = container.program.exit_code
    reason = "Completed" if code == 0 else "StartError" if code == 127 else "Error"
    times = {"startedAt": life.at(begin), "finishedAt": life.at(end)}
    return {"terminated": {"exitCode": code, "reason": reason, **times}}


def _waiting(reason: str, *, until: float, message: str = "") -> ContainerState:
    body = {"reason": reason, **({"message": message} if message else {})}
    return ContainerState({"waiting": body}, {}, False, False, 0, until)


def pod_status(
    pod: ReadOnly,
    containers: Sequence[Container],
    states: Sequence[ContainerState],
    life: Life,
    ip: str,
    now: datetime,
) -> Manifest:
    """Return the status that the kubelet reports; conditions of others are kept as they are."""
    started = not any("waiting" in s.state and not s.last for s in states)
    network = {"podIP": ip, "podIPs": [{"ip": ip}]} if ip and started else {}
    return {
        "phase": _phase(states),
        "startTime": life.at(0.0),
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        **network,
        "conditions": _conditions(pod, states, now),
        "containerStatuses": [_container_status(pod, c, s) for c, s in zip(containers, states, strict=True)],
    }


def _phase(states: Sequence[ContainerState]) -> str:
    exits = [s.state["terminated"]["exitCode"] for s in states if "terminated" in s.state]
    if len(exits) == len(states):
        return "Failed" if any(exits) else "Succeeded"
    not_started = any("waiting" in s.state and not s.last for s in states)
    return "Pending" if not_started else "Running"


def _container_status(pod: ReadOnly, container: Container, at: ContainerState) -> Manifest:
    present = "running" in at.state or bool(at.last) or "terminated" in at.state
    return {
        "name": container.name,
        "image": container.image,
        "imageID": f"simulated://{container.image}" if present else "",
        **({"containerID": f"simulated://{uid_of(pod)}/{container.name}/{at.restarts}"} if present else {}),
        "state": at.state,
        "lastState": at.last,
        "ready": at.ready,
        "started": at.started,
        "restartCount": at.restarts,
    }


def _conditions(pod: ReadOnly, states: Sequence[ContainerState], now: datetime) -> list[Manifest]:
    known: dict[str, Any] = {c["type"]: c for c in (pod.get("status") or {}).get("conditions") or ()}
    unready = [s for s in states if not s.ready] or annotations_of(pod).get(READY) == "false"
    finished = _phase(states) == "Succeeded"
    reason = "" if not unready else "PodCompleted" if finished else "ContainersNotReady"
    gates = [g["conditionType"] for g in (pod.get("spec") or {}).get("readinessGates") or ()]
    closed = [g for g in gates if (known.get(g) or {}).get("status") != "True"]
    ready_reason = reason or ("ReadinessGatesNotReady" if closed else "")
    started = not any("waiting" in s.state and not s.last for s in states)
    wanted = {
        "PodScheduled": "",
        "PodReadyToStartContainers": "" if started else "False",
        "Initialized": "PodCompleted" if finished else "",
        "ContainersReady": reason,
        "Ready": ready_reason,
    }
    own = [_condition(known.get(kind), kind, why, now) for kind, why in wanted.items()]
    return own + [c for kind, c in known.items() if kind not in wanted]


def _condition(old: ReadOnly | None, kind: str, reason: str, now: datetime) -> Manifest:
    status = "False" if reason and kind not in ("Initialized",) else "True"
    since = format_time(now)
    if old is not None and old.get("status") == status:
        since = old.get("lastTransitionTime") or since
    shown = {"reason": reason} if reason and reason != "False" else {}
    return {"type": kind, "status": status, "lastTransitionTime": since, **shown}
