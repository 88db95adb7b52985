"""What a decision can ask for: small frozen actions in one union, and the plan that holds them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from rollouts.kube.objects import Manifest
from rollouts.traffic.router import Edit

EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell people, on the Rollout."""

    reason: str
    message: str
    type: EventType = "Normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateReplicaSet:
    """Create the new version's ReplicaSet, with no pods yet."""

    body: Manifest
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchReplicaSet:
    """Scale or annotate a ReplicaSet; None leaves replicas, a None annotation is removed.

    ``hash`` and ``before`` let apply refuse a shrink that live traffic forbids. ``spec`` is a merge patch of
    what else of its spec changes.
    """

    name: str
    uid: str
    hash: str
    before: int
    replicas: int | None = None
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    event: Event | None = None

    @property
    def shrinks(self) -> bool:
        """Tell whether pods go."""
        return self.replicas is not None and self.replicas < self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoratePods:
    """Change labels and annotations of a version's pods, present and future; None removes one.

    ``annotation`` is written last and says that it is done (None when nothing is injected any more).
    """

    name: str
    uid: str
    hash: str
    metadata: Mapping[str, Any]
    annotation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptReplicaSet:
    """Become the controlling owner of a ReplicaSet that has none; ``owners`` are all of its owners then."""

    name: str
    uid: str
    version: str
    owners: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyConfig:
    """Make the immutable copy of a ConfigMap, if its content still has this digest."""

    name: str
    source: str
    digest: str
    owner: Manifest
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnConfigCopy:
    """Let a version be an owner of a copy that is there; ``owners`` are all of its owners then."""

    name: str
    uid: str
    version: str
    owners: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteReplicaSet:
    """Remove an old revision that has no pods."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchService:
    """Point a Service's selector at a pod hash, and mark the Service as managed."""

    name: str
    uid: str
    hash: str
    managed_by: str | None
    resource_version: str
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRoute:
    """Write a router's object. ``raises`` tells that the canary's exposure grows."""

    router: str
    edit: Edit
    raises: bool
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAnalysisRun:
    """Start an analysis."""

    body: Manifest
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateAnalysisRun:
    """Ask a running analysis to stop."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAnalysisRun:
    """Remove a finished analysis beyond the history limit."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateExperiment:
    """Start the Experiment of a step."""

    body: Manifest
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateExperiment:
    """Ask a running Experiment to stop."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteExperiment:
    """Remove a finished Experiment beyond the history limit."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchRollout:
    """Write the Rollout's own annotations or spec.replicas, only if nobody changed it since observed."""

    annotations: Mapping[str, str | None] = field(default_factory=dict)
    replicas: int | None = None
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictPod:
    """Ask the API server to evict a pod; a PodDisruptionBudget may refuse, and it is asked again later."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleWorkload:
    """Scale the Deployment that ``spec.workloadRef`` names."""

    name: str
    uid: str
    before: int
    replicas: int


Action = (
    CreateReplicaSet
    | PatchReplicaSet
    | DecoratePods
    | AdoptReplicaSet
    | CopyConfig
    | OwnConfigCopy
    | DeleteReplicaSet
    | SwitchService
    | EditRoute
    | CreateAnalysisRun
    | TerminateAnalysisRun
    | DeleteAnalysisRun
    | CreateExperiment
    | TerminateExperiment
    | DeleteExperiment
    | PatchRollout
    | EvictPod
    | ScaleWorkload
)


def changes_topology(action: Action) -> bool:
    """Tell whether the action moves live traffic or takes pods away: at most one of these in a plan."""
    match action:
        case SwitchService() | EditRoute():
            return True
        case PatchReplicaSet():
            return action.shrinks
        case _:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, in order; the first failure ends the plan and no status is written.

    ``status`` is the whole next status (raw), given that every action succeeds. ``events`` are told after
    it is committed. ``waits`` explain, for people, what the Rollout waits for. ``error`` is a problem that a
    person or time must solve; it is raised after the plan is through.
    """

    actions: tuple[Action, ...] = ()
    status: Manifest = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    requeue_at: datetime | None = None
    waits: tuple[str, ...] = ()
    error: str = ""
