"""Crash loops and lost readiness as evidence of their own, beside what requests say.

A version that crashes serves few requests, so that counts of errors may stay small while it falls over. What
is looked at here is pods: which of the canary's are in trouble, and whether the stable ones are as well. The
rules are those of the judge for counts: what a single pod or node explains is a suspicion, what stable shares
is an incident. No rate is measured for them; they are plain rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from analysis.judges.profiles import Call
from analysis.spec.guidance import NO_GUIDANCE, Guidance

MANY_RESTARTS = 2
"""Restarts since the update began that no accident explains; one can be the kernel's or a node's doing."""
READINESS_SECONDS = 30.0
"""Readiness lost for less is a probe that failed once or twice."""
SHARED = 2.0
"""The canary is worse when its share of pods in trouble is more than so many times stable's."""
CRASHING = frozenset(("CrashLoopBackOff",))
UNSTARTED = frozenset(
    (
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    )
)


class Trouble(StrEnum):
    """What is wrong with a pod. ``UNSTARTED`` harms nobody yet: it has never taken a request."""

    CRASH_LOOP = "crash loop"
    RESTARTS = "restarts"
    LOST_READINESS = "lost readiness"
    UNSTARTED = "cannot start"


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What is known about a pod that is not being deleted.

    ``restarts`` counts those of all containers since the update began, not since the pod did: a stable pod's
    of last month say nothing. ``waiting`` is the reason of a container that waits, "" if none does.
    ``was_ready`` says that it has been ready before; ``unready_seconds`` is how long it has not been, 0 when
    it is.
    """

    name: str
    ready: bool
    was_ready: bool
    restarts: int = 0
    unready_seconds: float = 0.0
    waiting: str = ""
    node: str = ""

    def trouble(self) -> Trouble | None:
        """Return what is wrong; the first check that applies decides."""
        if self.waiting in CRASHING:
            return Trouble.CRASH_LOOP
        if self.waiting in UNSTARTED:
            return Trouble.UNSTARTED
        if self.restarts >= MANY_RESTARTS:
            return Trouble.RESTARTS
        if self.was_ready and not self.ready and self.unready_seconds >= READINESS_SECONDS:
            return Trouble.LOST_READINESS
        return None


@dataclass(frozen=True, slots=True)
class CrashFinding:
    """What the pods say. ``pods`` are those in trouble; ``shared`` that stable's are as badly off.

    ``lone``: it is the canary's only pod, so that only a successor can tell whether it is the version.
    """

    call: Call
    reason: str
    pods: tuple[str, ...] = ()
    shared: bool = False
    lone: bool = False

    def guidance(self) -> Guidance:
        """Return what a delivery should do meanwhile; nothing when there is no doubt."""
        if self.call is Call.CONTINUE:
            return NO_GUIDANCE
        replace = self.pods[:1] if self.call is Call.SUSPECT else ()
        without = self.call is Call.SUSPECT and self.lone
        return Guidance(hold=True, no_traffic=without, replace=replace, reason=self.reason)


NOTHING = CrashFinding(Call.CONTINUE, "no pod is in trouble")


def judge_pods(
    canary: Sequence[PodFacts], stable: Sequence[PodFacts], *, successors: int = 0
) -> CrashFinding:
    """Return what both versions' pods say; the first check that applies decides.

    ``successors`` counts canary pods that were replaced for being in trouble: a second one in trouble is the
    version's doing.
    """
    found = {pod.name: (pod, trouble) for pod in canary if (trouble := pod.trouble()) is not None}
    if not found:
        return NOTHING
    names = tuple(sorted(found))
    told = ", ".join(f"{name}: {_told(*found[name])}" for name in names[:3])
    if all(trouble is Trouble.UNSTARTED for _, trouble in found.values()):
        return CrashFinding(Call.FREEZE, f"canary pods that cannot start ({told})", names)
    ill = {name: pod for name, (pod, trouble) in found.items() if trouble is not Trouble.UNSTARTED}
    names = tuple(sorted(ill))
    beside = sum(pod.trouble() not in (None, Trouble.UNSTARTED) for pod in stable)
    if stable and len(ill) / len(canary) <= SHARED * beside / len(stable):
        return CrashFinding(
            Call.FREEZE,
            f"{len(ill)} of {len(canary)} canary pods and {beside} of {len(stable)} stable ones are in"
            f" trouble: a shared incident ({told})",
            names,
            shared=True,
        )
    if len(ill) == 1 and not successors:
        lone = len(canary) == 1
        return CrashFinding(Call.SUSPECT, f"one canary pod is in trouble ({told})", names, lone=lone)
    nodes = {pod.node for pod in ill.values()}
    elsewhere = any(pod.node not in nodes for pod in canary)
    if len(nodes) == 1 and "" not in nodes and elsewhere and not successors:
        return CrashFinding(
            Call.SUSPECT, f"canary pods of one node only are in trouble, {min(nodes)} ({told})", names
        )
    counts = f"{len(ill)} of {len(canary)} canary pods are in trouble, {beside} of {len(stable)} stable ones"
    return CrashFinding(Call.ABORT, f"{counts} ({told})", names)


def _told(pod: PodFacts, trouble: Trouble) -> str:
    if trouble is Trouble.RESTARTS:
        return f"{pod.restarts} restarts"
    if trouble is Trouble.LOST_READINESS:
        return f"{trouble.value} {pod.unready_seconds:.0f} s ago"
    return f"{trouble.value} ({pod.waiting})"
