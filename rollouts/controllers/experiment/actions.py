"""What a decision about an Experiment can ask for: small frozen actions in one plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from rollouts.kube.objects import Manifest

EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell people, on the Experiment."""

    reason: str
    message: str
    type: EventType = "Normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateReplicaSet:
    """Create a version's ReplicaSet."""

    body: Manifest
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchReplicaSet:
    """Scale or annotate a ReplicaSet; None leaves replicas, a None annotation is removed."""

    name: str
    uid: str
    replicas: int | None = None
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateService:
    """Create the Service in front of a version."""

    body: Manifest
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteService:
    """Remove the Service in front of a version, before its pods go."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAnalysisRun:
    """Start an analysis."""

    body: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateAnalysisRun:
    """Ask a running analysis to stop."""

    name: str
    uid: str


Action = (
    CreateReplicaSet
    | PatchReplicaSet
    | CreateService
    | DeleteService
    | CreateAnalysisRun
    | TerminateAnalysisRun
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, in order; the first failure ends the plan and no status is written.

    ``status`` is the whole next status (raw), given that every action succeeds. ``events`` are told after it
    is committed. ``waits`` say, for people, what the Experiment waits for.
    """

    actions: tuple[Action, ...] = ()
    status: Manifest = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    requeue_at: datetime | None = None
    waits: tuple[str, ...] = ()
