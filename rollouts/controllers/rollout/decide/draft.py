"""The working copy that the checks of one decision fill. Lives for one call of ``decide``; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rollouts.controllers.rollout.actions import Action, Event, EventType, PatchRollout, changes_topology
from rollouts.controllers.rollout.snapshot import RolloutSnapshot
from rollouts.kube.objects import Manifest, format_time
from rollouts.workloads import labels

CANARY_PAUSE_STEP = "CanaryPauseStep"
BLUE_GREEN_PAUSE = "BlueGreenPause"
INCONCLUSIVE_ANALYSIS = "InconclusiveAnalysisRun"
INCONCLUSIVE_EXPERIMENT = "InconclusiveExperiment"


@dataclass(slots=True)
class Traffic:
    """What the routers say after this plan: ``weight`` in force or None when not known."""

    live_weight: int
    wanted: int
    in_force: bool
    settled: bool


class Draft:
    """Collects actions, events and the next status while checks run in order."""

    def __init__(self, snapshot: RolloutSnapshot) -> None:
        self.s = snapshot
        self.status: Manifest = _copied(snapshot.manifest.get("status") or {})
        self.actions: list[Action] = []
        self.events: list[Event] = []
        self.waits: list[str] = []
        self.requeue_at: datetime | None = None
        self.postponed = False
        self.error = ""
        self.traffic: Traffic | None = None
        self.abort_message = ""
        self.retried = False
        self.keep_status = False
        self.invalid = ""
        self._topology: type[Action] | None = None

    # -- actions ------------------------------------------------------------------------------------------

    def do(self, action: Action) -> bool:
        """Add an action; a second change of topology is left to the next decision and False returned.

        Several edits of routes are one change: they bring the same weight to several objects.
        """
        if changes_topology(action):
            if self._topology not in (None, type(action)) or (
                self._topology is not None and type(action).__name__ != "EditRoute"
            ):
                self.postponed = True
                return False
            self._topology = type(action)
        self.actions.append(action)
        return True

    @property
    def topology_changed(self) -> bool:
        """Tell whether the plan already moves traffic or takes pods away."""
        return self._topology is not None

    def tell(self, reason: str, message: str, kind: EventType = "Normal") -> None:
        """Tell people, once the status is committed."""
        self.events.append(Event(reason, message, kind))

    def wait(self, text: str) -> None:
        """Say what the Rollout waits for."""
        if text not in self.waits:
            self.waits.append(text)

    def look_again(self, at: datetime) -> None:
        """Ask for another decision at ``at``, or earlier."""
        self.requeue_at = at if self.requeue_at is None else min(self.requeue_at, at)

    def look_again_in(self, seconds: float) -> None:
        """Ask for another decision in so many seconds, or earlier."""
        self.look_again(self.s.now + timedelta(seconds=seconds))

    # -- status -------------------------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """Return the revision that the Rollout will have after this plan."""
        for action in self.actions:
            if isinstance(action, PatchRollout):
                text = action.annotations.get(labels.REVISION)
                if text:
                    return int(text)
        return self.s.revision

    @property
    def now_text(self) -> str:
        """Return ``now`` as statuses write it."""
        return format_time(self.s.now)

    def set(self, field: str, value: Any) -> None:
        """Set a field of the status; None removes it."""
        if value is None:
            self.status.pop(field, None)
        else:
            self.status[field] = value

    def part(self, name: str) -> Manifest:
        """Return a part of the status (``canary`` or ``blueGreen``) to be changed in place."""
        return self.status.setdefault(name, {})  # type: ignore[no-any-return]

    @property
    def pause_reasons(self) -> tuple[str, ...]:
        """Return the reasons of the pauses that will be in force."""
        return tuple(c.get("reason", "") for c in self.status.get("pauseConditions") or ())

    @property
    def paused(self) -> bool:
        """Tell whether a pause will be in force, the user's own included."""
        return bool(self.pause_reasons) or self.s.spec.paused

    @property
    def paused_by_user(self) -> bool:
        """Tell whether spec.paused is set."""
        return self.s.spec.paused

    @property
    def paused_by_analysis(self) -> bool:
        """Tell whether an inconclusive analysis holds the update."""
        return INCONCLUSIVE_ANALYSIS in self.pause_reasons

    @property
    def aborted(self) -> bool:
        """Tell whether an abort will be in force."""
        return bool(self.status.get("abort"))

    def pause(self, reason: str) -> None:
        """Pause; a user clears ``pauseConditions`` to go on. The first one is what people are told.

        A pause step may end by itself, what could not be decided does not: it comes first.
        """
        if reason in self.pause_reasons:
            return
        entry = {"reason": reason, "startTime": self.now_text}
        others = self.status.get("pauseConditions") or []
        undecided = reason in (INCONCLUSIVE_ANALYSIS, INCONCLUSIVE_EXPERIMENT)
        self.set("pauseConditions", [entry, *others] if undecided else [*others, entry])
        self.set("controllerPause", True)

    def resume(self, *reasons: str) -> None:
        """End pauses (all when none is named)."""
        left = [
            c for c in self.status.get("pauseConditions") or () if reasons and c.get("reason") not in reasons
        ]
        self.set("pauseConditions", left or None)
        if not left:
            self.set("controllerPause", None)

    def abort(self, message: str) -> None:
        """Abort the update; effects follow once this is committed."""
        self.set("abort", True)
        self.abort_message = message

    def drop_abort(self) -> None:
        """Take an abort back."""
        self.set("abort", None)
        self.set("abortedAt", None)

    def run_status(self, part: str, field: str, value: Mapping[str, str] | None) -> None:
        """Point a part of the status at an AnalysisRun, or at none."""
        holder = self.part(part)
        if value is None:
            holder.pop(field, None)
        else:
            holder[field] = dict(value)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return value
