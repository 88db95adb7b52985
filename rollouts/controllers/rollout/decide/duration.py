"""How long an update took: when it began, how long people held it, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollouts.controllers.rollout.decide import blue_green
from rollouts.controllers.rollout.decide.draft import (
    INCONCLUSIVE_ANALYSIS,
    INCONCLUSIVE_EXPERIMENT,
    Draft,
)
from rollouts.controllers.rollout.decide.promotion import within_rollback_window
from rollouts.kube.objects import parse_time

FAST = "FastRolledBack"
SLOW = "RolledBack"


def follow_duration(d: Draft) -> None:
    """Keep ``status.duration``: a new version starts it, a promotion or an abort ends it.

    A way back that overtakes an update belongs to it: it ends what the update had begun. What it is stands
    there before it has ended.
    """
    s, st = d.s, d.status
    current: dict[str, Any] = dict(st.get("duration") or {})
    if not st.get("currentPodHash"):
        return
    if d.retried or (st["currentPodHash"] != s.status.current_pod_hash and not _goes_on(d, current)):
        current = {"rolloutStartedAt": d.now_text}
    if not current.get("rolloutStartedAt") or (current.get("finishedAt") and not d.retried):
        d.set("duration", current or None)
        return
    way_back = _way_back(d, current)
    if way_back:
        current["completionStatus"] = way_back
    _follow_manual_pause(d, current)
    ended = _ended(d, way_back)
    if ended:
        _end_manual_pause(d, current)
        current |= {"finishedAt": d.now_text, "completionStatus": ended}
    d.set("duration", current)


def _goes_on(d: Draft, current: Mapping[str, Any]) -> bool:
    under_way = bool(current.get("rolloutStartedAt")) and not current.get("finishedAt")
    return under_way and _goes_back(d)


def _goes_back(d: Draft) -> bool:
    """Tell whether the wanted version is stable, or older than the stable one."""
    new, stable = d.s.new, d.s.stable
    if new is None or stable is None or new.hash != d.status.get("currentPodHash"):
        return False
    return new.name == stable.name or new.created < stable.created


def _way_back(d: Draft, current: Mapping[str, Any]) -> str:
    """Return the kind of way back that is under way, "" for an update; one that was fast stays it."""
    if not _goes_back(d):
        return ""
    to_stable = d.status.get("currentPodHash") == d.s.status.stable_rs
    quick = d.s.blue_green is not None and blue_green.goes_back(d)
    fast = to_stable or quick or within_rollback_window(d) or current.get("completionStatus") == FAST
    return FAST if fast else SLOW


def _ended(d: Draft, way_back: str) -> str:
    s, st = d.s, d.status
    if d.aborted:
        return "Aborted"
    if not st.get("stableRS") or st.get("stableRS") != st.get("currentPodHash"):
        return ""
    if s.status.promote_full:
        return "FastPromoted"
    return way_back or "Promoted"


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
