"""All that an explanation is made from, and the questions that its parts share. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from rollouts.api.scalars import ScalarError, format_duration, parse_duration
from rollouts.controllers.rollout.actions import Decision
from rollouts.controllers.rollout.decide.draft import BLUE_GREEN_PAUSE, CANARY_PAUSE_STEP
from rollouts.controllers.rollout.snapshot import RolloutSnapshot
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, parse_time
from rollouts.views.analysis import RunRow, run_row
from rollouts.workloads import labels
from rollouts.workloads.replicaset import ReplicaSet


@dataclass(frozen=True)
class Sight:
    """A snapshot, the decision on it, the pods of its versions and its AnalysisRuns."""

    s: RolloutSnapshot
    decision: Decision
    pods: tuple[Manifest, ...]
    runs: tuple[Manifest, ...]

    @classmethod
    def of(
        cls, s: RolloutSnapshot, decision: Decision, pods: Sequence[Manifest], runs: Sequence[Manifest]
    ) -> Sight:
        """Return the sight of a snapshot."""
        return cls(s, decision, tuple(pods), tuple(runs))

    @cached_property
    def phase(self) -> str:
        """Return the phase that the decision leads to."""
        return str(self.decision.status.get("phase") or "Progressing")

    @cached_property
    def message(self) -> str:
        """Return the message that goes with the phase."""
        return str(self.decision.status.get("message") or "")

    @cached_property
    def invalid(self) -> bool:
        """Tell whether nothing is done because of the spec."""
        return self.message.startswith("InvalidSpec")

    @cached_property
    def unseen(self) -> bool:
        """Tell whether the controller has not taken note of the present spec."""
        seen = self.s.status.observed_generation
        return not seen or (seen.isdigit() and seen != str(objects.generation(self.s.manifest)))

    @cached_property
    def in_update(self) -> bool:
        """Tell whether another version than the stable one is wanted."""
        return bool(self.s.status.stable_rs) and not self.s.fully_promoted

    @cached_property
    def abort_reason(self) -> str:
        """Return why the controller aborted, "" when a person asked for it or nothing is aborted."""
        text = self.message.partition("RolloutAborted: ")[2]
        return text.partition(": ")[2]

    @cached_property
    def late(self) -> bool:
        """Tell whether the progress deadline has passed."""
        return self.message.startswith("ProgressDeadlineExceeded")

    @cached_property
    def holds(self) -> tuple[str, ...]:
        """Return the reasons of the pauses that the decision leaves in force."""
        pauses = self.decision.status.get("pauseConditions") or ()
        return tuple(str(pause.get("reason", "")) for pause in pauses)

    @cached_property
    def held_since(self) -> datetime | None:
        """Return when the first pause began."""
        pauses = self.decision.status.get("pauseConditions") or ()
        return parse_time(str(pauses[0].get("startTime", ""))) if pauses else None

    @cached_property
    def held_until(self) -> datetime | None:
        """Return when the pause ends by itself, None when only a person ends it."""
        since, length = self.held_since, None
        if CANARY_PAUSE_STEP in self.holds:
            step = self.s.step
            length = pause_length(step.pause.duration) if step is not None and step.pause else None
        elif BLUE_GREEN_PAUSE in self.holds and self.s.blue_green is not None:
            seconds = self.s.blue_green.auto_promotion_seconds or 0
            automatic = self.s.blue_green.auto_promotion_enabled is not False and seconds > 0
            length = timedelta(seconds=seconds) if automatic else None
        return since + length if since is not None and length is not None else None

    def owned_pods(self, rs: ReplicaSet | None) -> tuple[Manifest, ...]:
        """Return the pods of a version, by name."""
        if rs is None:
            return ()
        own = [pod for pod in self.pods if (objects.controller_owner(pod) or {}).get("uid") == rs.uid]
        return tuple(sorted(own, key=objects.name_of))

    @cached_property
    def deciding_runs(self) -> tuple[RunRow, ...]:
        """Return the AnalysisRuns of the present revision and attempt, newest first; runs of others too."""
        s = self.s
        mine = [
            run
            for run in self.runs
            if objects.annotations_of(run).get(labels.REVISION) == str(s.revision)
            and objects.annotations_of(run).get(labels.ATTEMPT, s.attempt) == s.attempt
        ]
        newest_first = sorted(mine, key=_created, reverse=True)
        return tuple(run_row(run, s.now) for run in newest_first)


def _created(run: Manifest) -> tuple[str, str]:
    return str(objects.metadata(run).get("creationTimestamp", "")), objects.name_of(run)


def pause_length(duration: str | int | None) -> timedelta | None:
    """Return how long a pause step lasts; None until a person ends it, or when it cannot be read."""
    if duration is None:
        return None
    try:
        return parse_duration(duration)
    except ScalarError:
        return None


def short(length: timedelta) -> str:
    """Return a length of time without parts that are zero: 10m, 1h, 1m30s."""
    text = format_duration(length)
    text = text.removesuffix("0s") if text.endswith("m0s") else text
    return text.removesuffix("0m") if text.endswith("h0m") else text
