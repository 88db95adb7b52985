"""How long an update took: when it began, how long people held it, and how it ended."""

from __future__ import annotations

from typing import Any

from rollouts.controllers.rollout.decide.draft import (
    INCONCLUSIVE_ANALYSIS,
    INCONCLUSIVE_EXPERIMENT,
    Draft,
)
from rollouts.controllers.rollout.decide.promotion import within_rollback_window
from rollouts.kube.objects import parse_time


def follow_duration(d: Draft) -> None:
    """Keep ``status.duration``: a new version starts it, a promotion or an abort ends it."""
    s, st = d.s, d.status
    current: dict[str, Any] = dict(st.get("duration") or {})
    if not st.get("currentPodHash"):
        return
    if st["currentPodHash"] != s.status.current_pod_hash or d.retried:
        current = {"rolloutStartedAt": d.now_text}
    if not current.get("rolloutStartedAt") or (current.get("finishedAt") and not d.retried):
        d.set("duration", current or None)
        return
    _follow_manual_pause(d, current)
    ended = _ended(d)
    if ended:
        _end_manual_pause(d, current)
        current |= {"finishedAt": d.now_text, "completionStatus": ended}
    d.set("duration", current)


def _ended(d: Draft) -> str:
    s, st = d.s, d.status
    if d.aborted:
        return "Aborted"
    if not st.get("stableRS") or st.get("stableRS") != st.get("currentPodHash"):
        return ""
    if s.status.promote_full:
        return "FastPromoted"
    if within_rollback_window(d):
        return "FastRolledBack"
    back = s.status.stable_rs and st["currentPodHash"] == s.status.stable_rs
    return "RolledBack" if back and _is_update(d) else "Promoted"


def _is_update(d: Draft) -> bool:
    """Tell whether this plan is the one that found the way back to stable."""
    return any(event.reason == "SkipSteps" for event in d.events)


def _waits_for_person(d: Draft) -> bool:
    if d.s.spec.paused or {INCONCLUSIVE_ANALYSIS, INCONCLUSIVE_EXPERIMENT} & set(d.pause_reasons):
        return True
    if "BlueGreenPause" in d.pause_reasons:
        strategy = d.s.blue_green
        return strategy is not None and not strategy.auto_promotion_seconds
    index = d.status.get("currentStepIndex")
    if "CanaryPauseStep" not in d.pause_reasons or index is None or index >= len(d.s.steps):
        return False
    pause = d.s.steps[index].pause
    return pause is not None and pause.duration is None


def _follow_manual_pause(d: Draft, current: dict[str, Any]) -> None:
    if _waits_for_person(d):
        current.setdefault("manualPauseStartedAt", d.now_text)
    else:
        _end_manual_pause(d, current)


def _end_manual_pause(d: Draft, current: dict[str, Any]) -> None:
    since = parse_time(current.pop("manualPauseStartedAt", None))
    if since is not None:
        held = int((d.s.now - since).total_seconds())
        current["totalManualPauseDurationSeconds"] = current.get("totalManualPauseDurationSeconds", 0) + held
