"""The end of every decision: counts, conditions, phase, and the events of state changes."""

from __future__ import annotations

from rollouts.controllers.rollout.actions import Decision
from rollouts.controllers.rollout.decide import blue_green, config, gate, plugins, progress
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.decide.duration import follow_duration
from rollouts.controllers.rollout.decide.phase import phase_of
from rollouts.kube.objects import generation
from rollouts.workloads.selector import format_selector


def conclude(d: Draft) -> Decision:
    """Fill in what every status has and return the decision."""
    if d.keep_status:
        return Decision(actions=tuple(d.actions), status=d.s.manifest.get("status") or {})
    if not d.invalid:
        count(d)
        progress.abort_when_late(d)
    d.set("observedGeneration", str(generation(d.s.manifest)))
    if _must_tell_plugins_first(d):
        return _decision(d)
    follow_abort(d)
    if not d.invalid:
        progress.follow_pause(d)
        progress.follow_progress(d)
        progress.follow_availability(d)
    if not d.invalid:
        follow_duration(d)
    tell_state_changes(d)
    phase, message = phase_of(d.s.spec, d.status, d.s.now)
    phase, message = config.settling_phase(d, phase, message)
    phase, message = gate.held_phase(d, phase, message)
    d.set("phase", phase)
    d.set("message", message or None)
    for part in ("canary", "blueGreen"):
        if d.status.get(part) == {} and part not in (d.s.manifest.get("status") or {}):
            d.status.pop(part)
    if d.postponed:
        d.look_again(d.s.now)
    return _decision(d)


def _must_tell_plugins_first(d: Draft) -> bool:
    """Tell whether an abort is only committed now: its phase comes together with what plugins undid."""
    return d.aborted and not d.s.aborted and not d.s.fully_promoted and plugins.abort_pending(d)


def _decision(d: Draft) -> Decision:
    return Decision(
        actions=tuple(d.actions),
        status=d.status,
        events=tuple(d.events),
        requeue_at=d.requeue_at,
        waits=tuple(d.waits),
        error=d.error,
    )


def count(d: Draft) -> None:
    """Write the replica counts and the selector for autoscalers."""
    s = d.s
    new = s.new
    total = sum(rs.replicas for rs in s.replica_sets)
    counts = {
        "replicas": total,
        "updatedReplicas": new.replicas if new else 0,
        "readyReplicas": sum(rs.ready for rs in s.replica_sets),
        "availableReplicas": s.total_available,
        "HPAReplicas": total,
    }
    d.set("selector", format_selector(s.selector))
    if s.blue_green is not None:
        active = blue_green.active_replica_set(d)
        counts["availableReplicas"] = active.available if active else 0
        counts["readyReplicas"] = active.ready if active else 0
        if active is not None:
            counts["HPAReplicas"] = active.replicas
            d.set("selector", format_selector((active.manifest.get("spec") or {}).get("selector") or {}))
    elif s.routed and s.stable is not None and not (s.canary and s.canary.dynamic_stable_scale):
        # Stable keeps all its pods beside the canary's: an autoscaler that counts both would scale up.
        counts["HPAReplicas"] = s.stable.replicas
    for field, value in counts.items():
        d.set(field, value or None)


def follow_abort(d: Draft) -> None:
    """Stamp a new abort, tell of it, and drop one that has nothing to abort."""
    st = d.status
    promoted = bool(st.get("stableRS")) and st.get("stableRS") == st.get("currentPodHash")
    if not d.aborted:
        return
    if promoted:
        d.drop_abort()
        return
    d.resume()
    if not st.get("abortedAt"):
        d.set("abortedAt", d.now_text)
        text = f"Rollout aborted update to revision {d.revision}"
        d.tell("RolloutAborted", f"{text}: {d.abort_message}" if d.abort_message else text, "Warning")


def tell_state_changes(d: Draft) -> None:
    """Tell of pauses that began or ended."""
    before = bool(d.s.status.pause_conditions)
    after = bool(d.pause_reasons)
    if not before and after:
        d.tell("RolloutPaused", f"Rollout is paused ({d.pause_reasons[0]})")
    elif (before or _user_resumed(d)) and not after and not d.aborted:
        d.tell("RolloutResumed", "Rollout is resumed")


def _user_resumed(d: Draft) -> bool:
    st = d.s.status
    return st.controller_pause and not st.pause_conditions and not d.status.get("controllerPause")
