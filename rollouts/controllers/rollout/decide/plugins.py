"""Step plugins in a decision: recording their answers, and what these mean for the update."""

from __future__ import annotations

from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.plugin_calls import due_at, record, status_of, to_undo

RETRY_SECONDS = 30


def follow_plugins(d: Draft) -> bool:
    """Write the answers of the calls that were made for this decision; a failed run aborts the update."""
    for answer in d.s.plugin_answers:
        call = answer.call
        if answer.problem:
            d.error = answer.problem
            d.wait(answer.problem)
            d.tell("ReconciliationError", answer.problem, "Warning")
            d.look_again_in(RETRY_SECONDS)
            continue
        canary = d.part("canary")
        canary["stepPluginStatuses"] = record(canary.get("stepPluginStatuses") or [], answer, d.now_text)
        if call.operation == "Run" and answer.phase == "Failed":
            d.abort(f"Step plugin {call.name} failed: {answer.message}")
        if answer.phase in ("Running", "Error"):
            d.look_again_in((answer.requeue_after.total_seconds() if answer.requeue_after else 0) + 5)
    _wake_for_unfinished(d)
    return False


def _wake_for_unfinished(d: Draft) -> None:
    s = d.s
    if s.step is None or s.step.plugin is None or s.step_index is None:
        return
    before = status_of(s, s.step_index, "Run")
    if before is not None and before.phase in ("Running", "Error"):
        d.wait(f"step plugin {before.name} ({before.phase}): {before.message}")
        at = due_at(before)
        if at is not None and at > s.now:
            d.look_again(at)


def abort_pending(d: Draft) -> bool:
    """Tell whether plugins that ran have not been told of an abort yet."""
    statuses = (d.status.get("canary") or {}).get("stepPluginStatuses") or ()
    told = {st.get("index") for st in statuses if st.get("operation") == "Abort"}
    return any(
        to_undo(str(st.get("operation")), str(st.get("phase")), bool(st.get("disabled")))
        and st.get("index") not in told
        for st in statuses
    )


def step_done(d: Draft) -> bool:
    """Tell whether the plugin of the present step has ended well, this plan's answer included."""
    index = d.s.step_index
    statuses = (d.status.get("canary") or {}).get("stepPluginStatuses") or ()
    return any(
        st.get("index") == index and st.get("operation") == "Run" and st.get("phase") == "Successful"
        for st in statuses
    )
