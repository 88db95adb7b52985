"""The working copy that the checks of one decision fill. Lives for one call of ``decide``; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rollouts.controllers.experiment.actions import Action, Event, EventType
from rollouts.controllers.experiment.snapshot import COMPLETED, ExperimentSnapshot
from rollouts.kube.objects import Manifest, format_time

COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


class Draft:
    """Collects actions, events and the next status while checks run in order."""

    def __init__(self, snapshot: ExperimentSnapshot) -> None:
        self.s = snapshot
        self.status: Manifest = _copied(snapshot.manifest.get("status") or {})
        self.actions: list[Action] = []
        self.events: list[Event] = []
        self.waits: list[str] = []
        self.requeue_at: datetime | None = None

    def do(self, action: Action) -> None:
        """Add an action."""
        self.actions.append(action)

    def tell(self, reason: str, message: str, kind: EventType = "Normal") -> None:
        """Tell people, once the status is committed."""
        self.events.append(Event(reason, message, kind))

    def wait(self, text: str) -> None:
        """Say what the Experiment waits for."""
        if text not in self.waits:
            self.waits.append(text)

    def look_again(self, at: datetime) -> None:
        """Ask for another decision at ``at``, or earlier."""
        self.requeue_at = at if self.requeue_at is None else min(self.requeue_at, at)

    @property
    def now_text(self) -> str:
        """Return ``now`` as statuses write it."""
        return format_time(self.s.now)

    @property
    def phase(self) -> str:
        """Return the phase that will be in force."""
        return str(self.status.get("phase") or "")

    @property
    def ended(self) -> bool:
        """Tell whether the Experiment is over after this decision."""
        return self.phase in COMPLETED

    def set(self, field: str, value: Any) -> None:
        """Set a field of the status; None removes it."""
        if value is None:
            self.status.pop(field, None)
        else:
            self.status[field] = value

    def template(self, name: str) -> Manifest:
        """Return the status entry of a template, to be changed in place; entries are found by name."""
        return _named(self.status.setdefault("templateStatuses", []), name, dict.fromkeys(COUNTS, 0))

    def analysis(self, name: str) -> Manifest:
        """Return the status entry of an analysis, to be changed in place."""
        return _named(self.status.setdefault("analysisRuns", []), name, {"analysisRun": "", "phase": ""})

    def analysis_entries(self) -> Mapping[str, Manifest]:
        """Return the entries of the analyses that have one, by name."""
        return {str(entry.get("name")): entry for entry in self.status.get("analysisRuns") or ()}


def _named(entries: list[Manifest], name: str, empty: Mapping[str, Any]) -> Manifest:
    for entry in entries:
        if entry.get("name") == name:
            return entry
    entries.append({"name": name, **empty})
    return entries[-1]


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return value
