"""A decision in words: where the Rollout is, why it stands there, what comes next and when, what can be done.

Duty: to turn a snapshot, the decision on it and what is seen of pods and analyses into plain data for people.
May import the pure parts of the Rollout controller, ``views`` and ``workloads``. Promises: no I/O and no
clock; times are absolute, so that the same state gives the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rollouts.controllers.rollout.actions import Decision
from rollouts.controllers.rollout.explain.actions import describe
from rollouts.controllers.rollout.explain.coming import coming
from rollouts.controllers.rollout.explain.lines import Command, Line
from rollouts.controllers.rollout.explain.position import headline, position
from rollouts.controllers.rollout.explain.reasons import reasons
from rollouts.controllers.rollout.explain.remedies import remedies
from rollouts.controllers.rollout.explain.sight import Sight
from rollouts.controllers.rollout.snapshot import RolloutSnapshot
from rollouts.kube.objects import Manifest, format_time

__all__ = ["Command", "Explanation", "Line", "explain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What to tell. ``looks_again_at`` is when the controller acts at the latest, "" when on a change."""

    namespace: str
    name: str
    phase: str
    message: str
    headline: str
    position: tuple[Line, ...]
    why: tuple[Line, ...]
    actions: tuple[str, ...]
    next: tuple[Line, ...]
    commands: tuple[Command, ...]
    looks_again_at: str

    def data(self) -> dict[str, Any]:
        """Return it as plain data for JSON and YAML."""
        return asdict(self)


def explain(
    s: RolloutSnapshot, decision: Decision, pods: Sequence[Manifest] = (), runs: Sequence[Manifest] = ()
) -> Explanation:
    """Return the explanation of a snapshot; ``pods`` and ``runs`` are those that the Rollout owns."""
    sight = Sight.of(s, decision, pods, runs)
    again = decision.requeue_at
    return Explanation(
        namespace=s.namespace,
        name=s.name,
        phase=sight.phase,
        message=sight.message,
        headline=headline(sight),
        position=tuple(position(sight)),
        why=tuple(reasons(sight)),
        actions=tuple(describe(action) for action in decision.actions),
        next=tuple(coming(sight)),
        commands=tuple(remedies(sight)),
        looks_again_at=format_time(again) if again else "",
    )
