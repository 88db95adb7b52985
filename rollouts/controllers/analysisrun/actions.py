"""What a decision about an AnalysisRun can ask for, in the order of the plan. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from analysis.run.machine import Due, Finished
from rollouts.kube.objects import Manifest


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Commit the status if nobody changed the run since. ``counted`` are the measurements it holds."""

    patch: Manifest
    counted: tuple[Finished, ...] = ()


@dataclass(frozen=True, slots=True)
class Forget:
    """Let go of measurements that the committed status does not need (they came twice, or too late)."""

    finished: tuple[Finished, ...]


@dataclass(frozen=True, slots=True)
class Tell:
    """An event on the run."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Start:
    """Begin to measure, resume or terminate; the answer comes later."""

    due: Due


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop waiting for a measurement that nobody needs any more."""

    metric: str


@dataclass(frozen=True, slots=True)
class DropJob:
    """Delete the Job of a measurement that the status has forgotten."""

    name: str


@dataclass(frozen=True, slots=True)
class DeleteRun:
    """Delete the run: its time to live is over."""


Action = WriteStatus | Forget | Tell | Start | Cancel | DropJob | DeleteRun


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan, and when to look again without any event."""

    actions: tuple[Action, ...] = ()
    requeue_at: datetime | None = None
