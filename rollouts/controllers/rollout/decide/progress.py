"""Conditions of a Rollout: progress, availability, completion, health. Messages are those that tools read."""

from __future__ import annotations

from datetime import timedelta

from rollouts.api import conditions as c
from rollouts.api.argoproj.rollout import DEFAULT_PROGRESS_DEADLINE_SECONDS
from rollouts.controllers.rollout.decide import bake, gate, guided
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.kube.objects import generation, parse_time
from rollouts.workloads import replicaset

ABORTED = "RolloutAborted"
TIMED_OUT = "ProgressDeadlineExceeded"
NEW_AVAILABLE = "NewReplicaSetAvailable"
PAUSED = "RolloutPaused"


def set_condition(d: Draft, kind: str, status: c.Status, reason: str, message: str) -> bool:
    """Set a condition; True when its status or reason changed."""
    before = c.get_condition(d.status.get("conditions"), kind)
    new = c.new_condition(kind, status, reason, message, d.now_text)
    d.set("conditions", c.set_condition(d.status.get("conditions"), new))
    return before is None or before.get("status") != status or before.get("reason") != reason


def set_progressing(d: Draft, status: c.Status, reason: str, message: str, *, refresh: bool = False) -> None:
    """Set the Progressing condition; ``refresh`` restarts the clock of the progress deadline."""
    new = c.new_condition(c.PROGRESSING, status, reason, message, d.now_text)
    d.set("conditions", c.set_condition(d.status.get("conditions"), new, refresh=refresh))


def progressing_reason(d: Draft) -> str:
    """Return the reason of the Progressing condition ("" when there is none)."""
    found = c.get_condition(d.status.get("conditions"), c.PROGRESSING)
    return str(found.get("reason", "")) if found else ""


def follow_pause(d: Draft) -> None:
    """Keep the Progressing and Paused conditions in step with the pauses."""
    reason = progressing_reason(d)
    paused = d.paused and not d.aborted
    # Where nothing is under way a pause interrupts no progress.
    if paused and not _is_promoted(d) and reason not in (PAUSED, ABORTED):
        set_progressing(d, "Unknown", PAUSED, "Rollout is paused")
    elif not paused and reason == PAUSED:
        set_progressing(d, "Unknown", "RolloutResumed", "Rollout is resumed")
    known = c.condition_is(d.status.get("conditions"), c.PAUSED, "True")
    if paused != known:
        text = "Rollout is paused" if paused else "Rollout is resumed"
        set_condition(d, c.PAUSED, "True" if paused else "False", PAUSED, text)


def follow_progress(d: Draft) -> None:
    """Set Progressing: aborted, complete, moved, or timed out; a paused Rollout keeps what it has."""
    if d.aborted:
        text = f"Rollout aborted update to revision {d.s.revision}"
        message = f"{text}: {d.abort_message}" if d.abort_message else text
        set_progressing(d, "False", ABORTED, message)
        return
    if d.paused or d.retried:
        return
    if progressing_reason(d) == NEW_AVAILABLE and d.status.get("replicas") == d.status.get(
        "availableReplicas"
    ):
        return
    if is_complete(d):
        set_progressing(d, "True", NEW_AVAILABLE, f"{_subject(d)} has successfully progressed.")
    elif has_moved(d):
        set_progressing(d, "True", "ReplicaSetUpdated", f"{_subject(d)} is progressing.", refresh=True)
    elif _waits_on_purpose(d):
        _stop_the_clock(d)
    elif _is_late(d):
        set_progressing(d, "False", TIMED_OUT, timed_out_message(d))


def _waits_on_purpose(d: Draft) -> bool:
    """Tell whether an analysis asks to wait, or the new version bakes."""
    return guided.guidance(d).asks or bake.under_way(d.s)


def _stop_the_clock(d: Draft) -> None:
    """Keep the progress deadline away while the update waits on purpose; one write in half a deadline."""
    found = c.get_condition(d.status.get("conditions"), c.PROGRESSING)
    since = parse_time(found.get("lastUpdateTime")) if found else None
    seconds = d.s.spec.progress_deadline_seconds
    half = timedelta(seconds=(DEFAULT_PROGRESS_DEADLINE_SECONDS if seconds is None else seconds) / 2)
    if since is None or since + half <= d.s.now:
        text = f"{_subject(d)} is progressing."
        set_progressing(d, "True", "ReplicaSetUpdated", text, refresh=True)
    else:
        d.look_again(since + half)


def _is_promoted(d: Draft) -> bool:
    return bool(d.status.get("stableRS")) and d.status["stableRS"] == d.status.get("currentPodHash")


def _subject(d: Draft) -> str:
    return f'ReplicaSet "{d.s.new.name}"' if d.s.new else f'Rollout "{d.s.name}"'


def timed_out_message(d: Draft) -> str:
    """Return the message of a missed progress deadline."""
    return f"{_subject(d)} has timed out progressing."


def is_complete(d: Draft) -> bool:
    """Tell whether the new version has all pods, all traffic, and nothing is left of an update."""
    st, wanted = d.status, d.s.replicas
    if (st.get("updatedReplicas") or 0) != wanted or (st.get("availableReplicas") or 0) != wanted:
        return False
    if st.get("stableRS") != st.get("currentPodHash"):
        return False
    if d.s.blue_green is not None:
        blue_green = st.get("blueGreen") or {}
        preview = not d.s.blue_green.preview_service or (
            blue_green.get("previewSelector") == st.get("currentPodHash")
        )
        return blue_green.get("activeSelector") == st.get("currentPodHash") and preview
    if d.s.steps and st.get("currentStepIndex") != len(d.s.steps):
        return False
    return d.s.routed or (st.get("replicas") or 0) == wanted


def has_moved(d: Draft) -> bool:
    """Tell whether anything has moved since the last status."""
    old, new = d.s.status, d.status
    new_replicas, new_updated = new.get("replicas") or 0, new.get("updatedReplicas") or 0
    blue_green = new.get("blueGreen") or {}
    return (
        new_updated != old.updated_replicas
        or new_replicas - new_updated < old.replicas - old.updated_replicas
        or (new.get("readyReplicas") or 0) > old.ready_replicas
        or (new.get("availableReplicas") or 0) > old.available_replicas
        or (new.get("stableRS") or "") != old.stable_rs
        or new.get("currentStepIndex") != old.current_step_index
        or (new.get("currentPodHash") or "") != old.current_pod_hash
        or (d.s.canary is not None and (new.get("currentStepHash") or "") != old.current_step_hash)
        or (blue_green.get("activeSelector") or "") != old.blue_green.active_selector
        or (blue_green.get("previewSelector") or "") != old.blue_green.preview_selector
    )


def abort_when_late(d: Draft) -> None:
    """Abort an update that missed its progress deadline, where the spec asks for it."""
    s = d.s
    in_update = (d.status.get("stableRS") or "") != (d.status.get("currentPodHash") or "")
    if not s.spec.progress_deadline_abort or d.aborted or not in_update or not s.status.stable_rs:
        return
    if d.paused or d.retried or has_moved(d) or _waits_on_purpose(d):
        return
    if progressing_reason(d) == TIMED_OUT or _is_late(d):
        d.abort(timed_out_message(d))


def _is_late(d: Draft) -> bool:
    """Tell whether the deadline has passed; ask to be woken at it when it has not."""
    step = d.s.step
    if step is not None and (step.analysis is not None or step.experiment is not None or step.pause):
        return False
    progressing = c.get_condition(d.status.get("conditions"), c.PROGRESSING)
    if progressing is None or progressing.get("reason") == NEW_AVAILABLE:
        return False
    if progressing.get("reason") == TIMED_OUT:
        return True
    since = parse_time(progressing.get("lastUpdateTime"))
    if since is None or is_complete(d) or _only_waits_for_delay(d):
        return False
    seconds = d.s.spec.progress_deadline_seconds
    deadline = since + timedelta(seconds=DEFAULT_PROGRESS_DEADLINE_SECONDS if seconds is None else seconds)
    if d.s.now > deadline:
        return True
    d.look_again(deadline + timedelta(seconds=1))
    return False


def _only_waits_for_delay(d: Draft) -> bool:
    """Tell whether the new version stands and only old pods wait for their scale-down deadline."""
    st = d.status
    stands = (st.get("updatedReplicas") or 0) == d.s.replicas == (d.s.new.available if d.s.new else -1)
    return stands and st.get("stableRS") == st.get("currentPodHash")


def follow_availability(d: Draft) -> None:
    """Set Available, ReplicaFailure, Completed and Healthy."""
    _follow_available(d)
    failures = [rs.failure for rs in (d.s.new, *d.s.replica_sets) if rs is not None and rs.failure]
    if failures:
        first = failures[0]
        reason, message = str(first.get("reason", "")), str(first.get("message", ""))
        set_condition(d, c.REPLICA_FAILURE, "True", reason, message)
    else:
        d.set("conditions", c.remove_condition(d.status.get("conditions"), c.REPLICA_FAILURE))
    _follow_health(d)
    _follow_completed(d)


def _follow_available(d: Draft) -> None:
    s = d.s
    if s.blue_green is not None:
        active = replicaset.find(s.replica_sets, (d.status.get("blueGreen") or {}).get("activeSelector", ""))
        enough = active is not None and min(active.desired, active.available) >= s.replicas
    else:
        enough = s.total_available >= s.replicas
    if enough:
        set_condition(d, c.AVAILABLE, "True", "AvailableReason", "Rollout has minimum availability")
    else:
        text = "Rollout does not have minimum availability"
        set_condition(d, c.AVAILABLE, "False", "AvailableReason", text)


def _follow_health(d: Draft) -> None:
    held = d.s.waits_for_budget
    if not held and is_complete(d) and d.status.get("observedGeneration") == str(generation(d.s.manifest)):
        set_condition(d, c.HEALTHY, "True", "RolloutHealthy", "Rollout is healthy")
    elif c.get_condition(d.status.get("conditions"), c.HEALTHY) is not None:
        set_condition(d, c.HEALTHY, "False", "RolloutHealthy", "Rollout is not healthy")


def _follow_completed(d: Draft) -> None:
    st = d.status
    held = d.s.waits_for_budget
    done = bool(st.get("stableRS")) and st.get("stableRS") == st.get("currentPodHash") and not held
    reason = gate.WAITS if held else "RolloutCompleted"
    changed = set_condition(d, c.COMPLETED, "True" if done else "False", reason, reason)
    first_blue_green = d.s.blue_green is not None and not d.s.status.current_pod_hash
    if changed and not done and not held and not first_blue_green:
        revision = d.revision
        text = f"Rollout not completed, started update to revision {revision} ({st.get('currentPodHash')})"
        d.tell("RolloutNotCompleted", text)
