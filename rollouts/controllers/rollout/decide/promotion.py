"""Making the new version the stable one."""

from __future__ import annotations

from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.snapshot import PING, PONG


def promote(d: Draft, reason: str) -> None:
    """Make the current version stable: pauses and aborts end, and people are told why."""
    d.resume()
    d.drop_abort()
    d.set("promoteFull", None)
    d.part("blueGreen").pop("scaleUpPreviewCheckPoint", None)
    if d.s.canary is not None:
        d.set("currentStepIndex", len(d.s.steps) or None)
        for field in ("currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus"):
            d.part("canary").pop(field, None)
    current = d.status.get("currentPodHash")
    if d.status.get("stableRS") != current:
        d.set("stableRS", current)
        if d.s.canary is not None and d.s.canary.ping_pong is not None:
            # The Service that brought the new version in is the stable one from now on: no selector moves.
            is_ping = d.s.status.canary.stable_ping_pong == PING
            d.part("canary")["stablePingPong"] = PONG if is_ping else PING
        text = f"Rollout completed update to revision {d.revision} ({current}): {reason}"
        d.tell("RolloutCompleted", text)


def within_rollback_window(d: Draft) -> bool:
    """Tell whether the update goes back to one of the last revisions that spec.rollbackWindow names."""
    s = d.s
    window = s.spec.rollback_window
    if window is None or window.revisions <= 0 or s.new is None or s.stable is None:
        return False
    if s.new.created >= s.stable.created or s.fully_promoted:
        return False
    between = [rs for rs in s.replica_sets if s.new.created < rs.created < s.stable.created]
    return len(between) < window.revisions
