"""Phase and message of a Rollout, in the exact order of checks that tools rely on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from analysis.spec.status import is_completed
from rollouts.api.argoproj.rollout import RolloutSpec
from rollouts.api.conditions import INVALID_SPEC, PROGRESSING, get_condition
from rollouts.kube.objects import parse_time

Phase = tuple[str, str]


def phase_of(spec: RolloutSpec, status: Mapping[str, Any], now: datetime) -> Phase:
    """Return (phase, message) for a spec and a status."""
    for check in (_invalid, _failed, _paused):
        found = check(spec, status)
        if found is not None:
            return found
    if _restarting(spec, status, now):
        return "Progressing", "rollout is restarting"
    for check in (_replicas, _blue_green, _canary):
        found = check(spec, status)
        if found is not None:
            return found
    return "Healthy", ""


def _invalid(spec: RolloutSpec, st: Mapping[str, Any]) -> Phase | None:
    found = get_condition(st.get("conditions"), INVALID_SPEC)
    return ("Degraded", f"InvalidSpec: {found.get('message', '')}") if found else None


def _failed(spec: RolloutSpec, st: Mapping[str, Any]) -> Phase | None:
    found = get_condition(st.get("conditions"), PROGRESSING)
    if found and found.get("reason") in ("RolloutAborted", "ProgressDeadlineExceeded"):
        return "Degraded", f"{found['reason']}: {found.get('message', '')}"
    return None


def _paused(spec: RolloutSpec, st: Mapping[str, Any]) -> Phase | None:
    if spec.paused:
        return "Paused", "manually paused"
    pauses = st.get("pauseConditions") or ()
    return ("Paused", str(pauses[0].get("reason", ""))) if pauses else None


def _restarting(spec: RolloutSpec, st: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether a restart has come and is not finished, the first one of a Rollout included."""
    wanted, done = parse_time(spec.restart_at), parse_time(st.get("restartedAt"))
    return wanted is not None and wanted <= now and (done is None or wanted > done)


def _replicas(spec: RolloutSpec, st: Mapping[str, Any]) -> Phase | None:
    wanted = 1 if spec.replicas is None else spec.replicas
    updated = st.get("updatedReplicas") or 0
    if updated < wanted:
        return "Progressing", "more replicas need to be updated"
    if (st.get("availableReplicas") or 0) < updated:
        return "Progressing", "updated replicas are still becoming available"
    return None


def _blue_green(spec: RolloutSpec, st: Mapping[str, Any]) -> Phase | None:
    strategy = spec.strategy.blue_green
    if strategy is None:
        return None
    current = st.get("currentPodHash") or ""
    blue_green = st.get("blueGreen") or {}
    if (blue_green.get("activeSelector") or "") != current:
        return "Progressing", "active service cutover pending"
    if (st.get("stableRS") or "") == "" or st.get("stableRS") != current:
        run = blue_green.get("postPromotionAnalysisRunStatus") or {}
        if strategy.post_promotion_analysis is not None and not is_completed(run.get("status", "")):
            return "Progressing", "waiting for analysis to complete"
        return "Progressing", "waiting for post-promotion verification to complete"
    return None


def _canary(spec: RolloutSpec, st: Mapping[str, Any]) -> Phase | None:
    strategy = spec.strategy.canary
    if strategy is None:
        return None
    if strategy.traffic_routing is None and (st.get("replicas") or 0) > (st.get("updatedReplicas") or 0):
        return "Progressing", "old replicas are pending termination"
    if (st.get("stableRS") or "") == "" or st.get("stableRS") != st.get("currentPodHash"):
        return "Progressing", "waiting for all steps to complete"
    return None
