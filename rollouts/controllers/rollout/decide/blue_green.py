"""The blue-green strategy: preview, checks before the switch, the switch, checks after it."""

from __future__ import annotations

from datetime import timedelta

from rollouts.api.argoproj import rollout as api
from rollouts.controllers.rollout.decide import analysis, bake
from rollouts.controllers.rollout.decide.draft import BLUE_GREEN_PAUSE, Draft
from rollouts.controllers.rollout.decide.promotion import promote, within_rollback_window
from rollouts.controllers.rollout.decide.scaling import new_count_blue_green
from rollouts.controllers.rollout.decide.services import switch
from rollouts.kube.objects import parse_time
from rollouts.workloads import replicaset


def _strategy(d: Draft) -> api.BlueGreenStrategy:
    assert d.s.blue_green is not None  # noqa: S101 - the blue-green pipeline
    return d.s.blue_green


def _active_hash(d: Draft) -> str:
    return d.s.service_hash(_strategy(d).active_service)


def point_preview_service(d: Draft) -> bool:
    """Preview Service to the new version at once: nobody depends on it yet."""
    name = _strategy(d).preview_service
    if not name or d.s.new is None or d.s.spec.paused:
        return False
    switch(d, name, d.s.new.hash)
    return False


def follow_pre_promotion(d: Draft) -> bool:
    """Run the analysis before the switch, once the preview stands."""
    wanted = _strategy(d).pre_promotion_analysis
    if wanted is None or not _before_switch(d) or fast_tracked(d) or not _preview_ready(d):
        return False
    if analysis.current(d, analysis.PRE_PROMOTION) is None and d.paused_by_user:
        return False
    analysis.follow(d, analysis.PRE_PROMOTION, wanted)
    return False


def _before_switch(d: Draft) -> bool:
    s = d.s
    moving = bool(s.status.stable_rs) and not s.fully_promoted and not d.aborted
    return moving and s.new is not None and _active_hash(d) not in ("", s.new.hash)


def _preview_ready(d: Draft) -> bool:
    new = d.s.new
    if new is None:
        return False
    return new.desired >= new_count_blue_green(d, new) and new.available >= new_count_blue_green(d, new)


def fast_tracked(d: Draft) -> bool:
    """Tell whether pause and analysis are skipped: full promotion, a quick way back, the first deploy."""
    s = d.s
    if s.new is None:
        return False
    back = goes_back(d) and s.new.available >= s.replicas and not d.aborted
    first = not _active_hash(d) and not _stable_can_answer(d)
    return s.status.promote_full or back or within_rollback_window(d) or first


def _stable_can_answer(d: Draft) -> bool:
    return d.s.stable is not None and d.s.stable.available > 0


def _users_are_lost(d: Draft) -> bool:
    """Tell whether the active Service selects no version of ours although the stable one can answer.

    Somebody has edited the Service, or deleted it and created it anew: that clears no new version. While the
    stable version is first deployed, the Service gets it only once it is whole.
    """
    active = _active_hash(d)
    deploying = not active and d.s.fully_promoted
    known = replicaset.find(d.s.replica_sets, active) is not None
    return not known and not deploying and _stable_can_answer(d)


def goes_back(d: Draft) -> bool:
    """Tell whether the new version is an earlier one that still has its pods; never one that has failed."""
    new = d.s.new
    if new is None or not new.has_deadline:
        return False
    return not any(run.hash == new.hash and run.phase in ("Failed", "Error") for run in d.s.runs)


def _pre_promotion_done(d: Draft) -> bool:
    if _strategy(d).pre_promotion_analysis is None:
        return True
    run = analysis.current(d, analysis.PRE_PROMOTION)
    return run is not None and run.phase == "Successful"


def _needs_pause(d: Draft) -> bool:
    strategy = _strategy(d)
    automatic = strategy.auto_promotion_enabled is not False
    return not automatic or (strategy.auto_promotion_seconds or 0) > 0


def follow_pause(d: Draft) -> bool:
    """Pause before the switch; remember in the check-point that the pause is over."""
    s = d.s
    checked = s.status.blue_green.scale_up_preview_check_point
    if s.spec.paused or not _before_switch(d) or checked:
        return False
    if fast_tracked(d):
        d.resume(BLUE_GREEN_PAUSE)
        return False
    if not _preview_ready(d) or not _pre_promotion_done(d) or d.paused_by_analysis:
        d.wait("the preview to be ready")
        return False
    if not _needs_pause(d):
        if _strategy(d).preview_replica_count is not None:
            _pass_checkpoint(d)
        return False
    condition = s.paused_for(BLUE_GREEN_PAUSE)
    if condition is not None:
        if _auto_promotion_due(d, condition):
            _pass_checkpoint(d)
    elif s.status.controller_pause:
        _pass_checkpoint(d)
    else:
        d.pause(BLUE_GREEN_PAUSE)
        _auto_promotion_due(d, api.PauseCondition(reason=BLUE_GREEN_PAUSE, start_time=d.now_text))
    return False


def _pass_checkpoint(d: Draft) -> None:
    d.resume(BLUE_GREEN_PAUSE)
    d.part("blueGreen")["scaleUpPreviewCheckPoint"] = True


def _auto_promotion_due(d: Draft, condition: api.PauseCondition) -> bool:
    strategy = _strategy(d)
    seconds = strategy.auto_promotion_seconds or 0
    if strategy.auto_promotion_enabled is False or seconds <= 0:
        d.wait("a person to promote")
        return False
    due = (parse_time(condition.start_time) or d.s.now) + timedelta(seconds=seconds)
    if d.s.now >= due:
        return True
    d.look_again(due)
    d.wait(f"automatic promotion at {due.isoformat()}")
    return False


def point_active_service(d: Draft) -> bool:
    """Switch users to the new version when it is whole and cleared, or back to stable after an abort."""
    s = d.s
    new = s.new
    if new is None:
        return False
    name = _strategy(d).active_service
    if _users_are_lost(d) and not s.status.promote_full:
        switch(d, name, s.status.stable_rs)
        return False
    if s.spec.paused:
        return False
    if s.aborted and not s.fully_promoted:
        if s.status.stable_rs and s.stable is not None and s.stable.available > 0:
            switch(d, name, s.status.stable_rs)
        return False
    whole = new.desired == s.replicas and new.available >= s.replicas
    if not whole:
        d.wait(f"{s.replicas} available pods of the new version")
        return False
    active = _active_hash(d)
    unpaused = not _needs_pause(d) and _strategy(d).preview_replica_count is None
    cleared = (s.status.blue_green.scale_up_preview_check_point or unpaused) and _pre_promotion_done(d)
    if active == new.hash or fast_tracked(d) or s.fully_promoted or (cleared and not d.pause_reasons):
        switch(d, name, new.hash)
    return False


def follow_post_promotion(d: Draft) -> bool:
    """Run the analysis after the switch; stop those that have nothing left to decide."""
    s = d.s
    wanted = _strategy(d).post_promotion_analysis
    pre = analysis.current(d, analysis.PRE_PROMOTION) if _before_switch(d) else None
    post = None
    if wanted is not None and _after_switch(d) and not _skips_post_promotion(d):
        post = analysis.current(d, analysis.POST_PROMOTION)
        analysis.follow(d, analysis.POST_PROMOTION, wanted)
    keep = () if d.aborted or s.fully_promoted else (pre, post)
    analysis.terminate_others(d, keep)
    analysis.remove_old_runs(d, keep)
    analysis.follow_stopped(d)
    return False


def _after_switch(d: Draft) -> bool:
    s = d.s
    moving = bool(s.status.stable_rs) and not s.fully_promoted and not d.aborted
    return moving and s.new is not None and _active_hash(d) == s.new.hash


def _skips_post_promotion(d: Draft) -> bool:
    return d.s.status.promote_full or goes_back(d) or within_rollback_window(d)


def advance(d: Draft) -> bool:
    """Read the Services back into the status, and promote when everything is through."""
    s = d.s
    blue_green = d.part("blueGreen")
    for field, service in (
        ("activeSelector", _strategy(d).active_service),
        ("previewSelector", _strategy(d).preview_service),
    ):
        selected = s.service_hash(service)
        if selected:
            blue_green[field] = selected
        else:
            blue_green.pop(field, None)
    reason = promotion_reason(d)
    if reason:
        promote(d, reason)
    return False


def promotion_reason(d: Draft) -> str:
    """Return why the new version is to become stable now, "" while it is not. The order matters."""
    s = d.s
    if s.fully_promoted:
        return ""
    active = _active_hash(d)
    if s.stable is None or (not active and not _stable_can_answer(d)):
        return "Initial deploy"
    if s.new is None or active != s.new.hash:
        return ""
    if s.status.promote_full:
        return "Full promotion requested"
    if within_rollback_window(d):
        return "Rollback within window"
    if d.aborted or d.paused_by_analysis:
        return ""
    if _strategy(d).post_promotion_analysis is not None:
        if goes_back(d):
            return f"Rollback to '{s.new.name}' within scaleDownDelay"
        run = analysis.current(d, analysis.POST_PROMOTION)
        if run is None or run.phase != "Successful":
            return ""
    return "Completed blue-green update" if bake.over(d) else ""


def active_replica_set(d: Draft) -> replicaset.ReplicaSet | None:
    """Return the ReplicaSet that users reach."""
    return replicaset.find(d.s.replica_sets, _active_hash(d))
