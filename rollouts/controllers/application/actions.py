"""What a decision about an Application can ask for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rollouts.gitops.apply import Action
from rollouts.kube.objects import Manifest, ObjectKey

Row = Manifest
"""One entry of ``status.operationState.syncResult.resources``."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell people, on the Application."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do until something changes, or until ``until``."""

    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """Commit to an operation: it is written to the status before anything is applied."""

    operation: Manifest
    retry_count: int = 0
    started_at: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """Carry out the open tasks of a stage. ``rows`` are results by object, ``settled`` need no action."""

    actions: tuple[Action, ...]
    rows: Mapping[ObjectKey, Row] = field(default_factory=dict)
    settled: Sequence[Row] = ()
    message: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """The operation goes on when something becomes healthy, or at ``until``."""

    message: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed; another one comes at ``until``."""

    message: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Finish:
    """The operation has ended."""

    phase: str
    message: str


@dataclass(frozen=True, slots=True)
class Release:
    """All objects are gone: take our finalizers off, so that the Application can go."""

    finalizers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete objects of an Application that is being deleted."""

    actions: tuple[Action, ...] = ()


Step = Idle | Begin | Run | Wait | Retry | Finish | Release | Remove
