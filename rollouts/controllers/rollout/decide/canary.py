"""The canary strategy: its checks in order, and what completes each step."""

from __future__ import annotations

from datetime import timedelta

from rollouts.api.argoproj import rollout as api
from rollouts.api.scalars import ScalarError, parse_duration
from rollouts.controllers.rollout.decide import analysis, bake, experiment, guided, plugins
from rollouts.controllers.rollout.decide.draft import CANARY_PAUSE_STEP, Draft
from rollouts.controllers.rollout.decide.promotion import promote, within_rollback_window
from rollouts.controllers.rollout.decide.scaling import at_desired_counts, current_weight
from rollouts.controllers.rollout.snapshot import AnalysisRun
from rollouts.kube.objects import parse_time
from rollouts.traffic.replica_ratio import RatioShare, ratio_message


def follow_analyses(d: Draft) -> bool:
    """Run the background and the step analysis; stop those that have nothing left to decide."""
    s = d.s
    assert s.canary is not None  # noqa: S101 - the canary pipeline
    if not _in_update(d) or s.status.promote_full or within_rollback_window(d):
        analysis.terminate_others(d, ())
        analysis.remove_old_runs(d, ())
        for field in (analysis.STEP.field, analysis.BACKGROUND.field):
            if s.fully_promoted:
                d.part("canary").pop(field, None)
        analysis.follow_stopped(d)
        return False
    background = _follow_background(d, s.canary)
    step = _follow_step(d)
    analysis.terminate_others(d, (background, step))
    analysis.remove_old_runs(d, (background, step))
    return False


def _follow_background(d: Draft, strategy: api.CanaryStrategy) -> AnalysisRun | None:
    s = d.s
    wanted = strategy.analysis
    if wanted is None or not wanted.templates:
        return None
    if s.step_index is not None and s.step_index < (wanted.starting_step or 0):
        return None
    run = analysis.current(d, analysis.BACKGROUND)
    if run is None and (d.paused_by_user or (s.steps and s.step is None)):
        return None
    analysis.follow(d, analysis.BACKGROUND, wanted)
    return run


def _follow_step(d: Draft) -> AnalysisRun | None:
    s = d.s
    if s.step is None or s.step.analysis is None:
        d.part("canary").pop(analysis.STEP.field, None)  # a person may have gone past it
        return None
    run = analysis.current(d, analysis.STEP, s.step_index)
    if run is None and d.paused_by_user:
        return None
    analysis.follow(d, analysis.STEP, s.step.analysis, s.step_index)
    return run


def _in_update(d: Draft) -> bool:
    s = d.s
    return bool(s.status.stable_rs) and not s.fully_promoted and not d.aborted


def follow_pause_step(d: Draft) -> bool:
    """Begin the pause of a pause step."""
    s = d.s
    if s.spec.paused or d.aborted or s.step is None or s.step.pause is None or s.status.promote_full:
        return False
    if s.paused_for(CANARY_PAUSE_STEP) is None and not s.status.controller_pause and _in_update(d):
        d.pause(CANARY_PAUSE_STEP)
    return False


def advance(d: Draft) -> bool:
    """Promote when all is done, else go on to the next step when the present one is complete."""
    s = d.s
    reason = promotion_reason(d)
    if reason:
        promote(d, reason)
        return False
    if d.aborted:
        if s.steps:
            d.set("currentStepIndex", len(s.steps) if s.fully_promoted else 0)
        return False
    if s.status.promote_full or within_rollback_window(d):
        d.resume()
        if s.steps:
            d.set("currentStepIndex", len(s.steps))
        d.wait(f"{s.replicas} available pods of the new version")
        return False
    if s.step_index is not None and s.status.current_step_index is None:
        d.set("currentStepIndex", s.step_index)
    if s.step is not None and _in_update(d):
        _advance_step(d, s.step)
    elif s.step is None and _in_update(d):
        d.wait("the new version to have all pods and all traffic")
    return False


def promotion_reason(d: Draft) -> str:
    """Return why the new version is to become stable now, "" while it is not. The order matters."""
    s = d.s
    if s.fully_promoted:
        return ""
    if s.stable is None:
        return "Initial deploy"
    if d.aborted or d.paused_by_analysis or s.new is None or s.new.available < s.replicas:
        return ""
    if s.new.desired != s.replicas:
        return ""
    if s.status.promote_full:
        return "Full promotion requested"
    if within_rollback_window(d):
        return "Rollback within window"
    if not s.steps:
        # With a router and no step the traffic comes only with the promotion: there is nothing to bake.
        return "Completed all 0 canary steps" if s.routed or bake.over(d) else ""
    done = s.step_index is not None and s.step_index >= len(s.steps) and _all_traffic(d)
    if done and not guided.held(d) and bake.over(d):
        return f"Completed all {len(s.steps)} canary steps"
    return ""


def _all_traffic(d: Draft) -> bool:
    if not d.s.routed:
        return True
    return d.traffic is not None and d.traffic.in_force and d.traffic.wanted == d.s.max_weight


def _advance_step(d: Draft, step: api.CanaryStep) -> None:
    s = d.s
    if s.spec.paused or d.paused_by_analysis or not _step_complete(d, step) or guided.held(d):
        return
    assert s.step_index is not None  # noqa: S101 - there is a step
    index = s.step_index + 1
    d.tell("RolloutStepCompleted", f"Rollout step {index}/{len(s.steps)} completed ({step_text(step)})")
    _tell_reached_share(d, step)
    d.set("currentStepIndex", index)
    for field in (analysis.STEP.field, "currentExperiment"):
        d.part("canary").pop(field, None)
    d.resume(CANARY_PAUSE_STEP)
    following = s.steps[index] if index < len(s.steps) else None
    if following is not None and following.pause is not None:
        d.pause(CANARY_PAUSE_STEP)


def _tell_reached_share(d: Draft, step: api.CanaryStep) -> None:
    """Say once per step which share counts of pods give where no router gives the asked one."""
    s = d.s
    if s.routed or step.set_weight is None or s.new is None:
        return
    stable = s.stable.available if s.stable is not None and s.stable.name != s.new.name else 0
    share = RatioShare(asked=step.set_weight, maximum=s.max_weight, stable=stable, canary=s.new.available)
    message = ratio_message(share)
    if message:
        d.tell("TrafficWeightApproximated", message)


def _step_complete(d: Draft, step: api.CanaryStep) -> bool:
    s = d.s
    if step.set_weight is not None:
        if not at_desired_counts(d):
            d.wait(_pods_wait(d))
            return False
        return not s.routed or _weight_in_force(d)
    if step.set_canary_scale is not None:
        if s.routed and not at_desired_counts(d):
            d.wait(_pods_wait(d))
            return False
        return True
    if step.pause is not None:
        return _pause_over(d, step.pause)
    if step.analysis is not None:
        run = analysis.current(d, analysis.STEP, s.step_index)
        return run is not None and run.phase == "Successful"
    if step.experiment is not None:
        return experiment.succeeded(d)
    if step.plugin is not None:
        return plugins.step_done(d)
    if step.set_header_route is not None or step.set_mirror_route is not None:
        return _routes_in_force(d)
    d.wait(f"a person: {step_text(step)} is not supported yet; promote to skip it")
    return False


def _pods_wait(d: Draft) -> str:
    new = d.s.new
    have = f"{new.available} of {new.desired}" if new else "none"
    return f"pods to become available ({have} of the new version, older ones to be gone)"


def _weight_in_force(d: Draft) -> bool:
    """Tell whether the step's own weight is in force, not one that pods or Services still hold back."""
    if d.traffic is None or not d.traffic.in_force or d.traffic.wanted != current_weight(d):
        return False
    return d.traffic.wanted == 0 or _canary_selected(d)


def _routes_in_force(d: Draft) -> bool:
    """Tell whether the managed routes are written: seen in the live objects, or part of this plan."""
    if d.traffic is None or d.postponed or d.error:
        return False
    new = d.s.new
    return new is not None and (d.s.revision <= 1 or (new.available > 0 and _canary_selected(d)))


def _canary_selected(d: Draft) -> bool:
    service = d.s.canary_service
    return not service or (d.s.new is not None and d.s.service_hash(service) == d.s.new.hash)


def _pause_over(d: Draft, pause: api.Pause) -> bool:
    s = d.s
    condition = s.paused_for(CANARY_PAUSE_STEP)
    if condition is None:
        return s.status.controller_pause
    if pause.duration is None:
        d.wait("a person to promote")
        return False
    try:
        length = parse_duration(pause.duration)
    except ScalarError as error:
        d.wait(f"a person: {error}")
        return False
    start = parse_time(condition.start_time) or s.now
    end = start + length
    if s.now >= end:
        return True
    d.look_again(end)
    d.wait(f"the pause to end in {_seconds(end - s.now)}")
    return False


def _seconds(left: timedelta) -> str:
    return f"{left.total_seconds():.0f} s"


def step_text(step: api.CanaryStep) -> str:
    """Return a step in a few words, as events show it."""
    if step.set_weight is not None:
        return f"setWeight: {step.set_weight}"
    if step.pause is not None:
        duration = step.pause.duration
        return "pause" if duration is None else f"pause: {duration}"
    if step.set_canary_scale is not None:
        return _scale_text(step.set_canary_scale)
    for name, value in (
        ("setHeaderRoute", step.set_header_route),
        ("setMirrorRoute", step.set_mirror_route),
        ("plugin", step.plugin),
    ):
        if value is not None:
            return f"{name}: {value.name}"
    if step.analysis is not None:
        return "analysis"
    return "experiment" if step.experiment is not None else "invalid"


def _scale_text(scale: api.SetCanaryScale) -> str:
    if scale.weight is not None:
        return f"setCanaryScale{{weight: {scale.weight}}}"
    if scale.replicas is not None:
        return f"setCanaryScale{{replicas: {scale.replicas}}}"
    return f"setCanaryScale{{matchTrafficWeight: {str(scale.match_traffic_weight).lower()}}}"
