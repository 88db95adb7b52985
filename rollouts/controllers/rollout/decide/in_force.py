"""Whether a weight is in force: what routers and data planes say, the time these get, others' edits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.snapshot import RolloutSnapshot, RouterView
from rollouts.traffic.router import Confidence, Edit, TrafficIntent, TrafficState


def seen_before(s: RolloutSnapshot, weight: int | None) -> bool:
    """Tell whether the status says that this weight was seen in force."""
    before = s.status.canary.weights
    return before is not None and bool(before.verified) and before.canary.weight == weight


def asks_data_planes(s: RolloutSnapshot) -> bool:
    """Tell whether it matters what data planes say: while an update moves weights, up to its last one.

    An abort never waits for them, and where nothing moves nobody is asked.
    """
    before = s.status.canary.weights
    if s.aborted or not s.status.stable_rs or before is None:
        return False
    return not s.fully_promoted or before.verified is False


def settled(d: Draft, view: RouterView, state: TrafficState, intent: TrafficIntent) -> TrafficState:
    """Return the state as long as data planes may still follow: one that is not sure yet.

    A data plane's own word counts for more than what is written about it, until nobody could ask it for too
    long. A weight that was once seen in force is not doubted again while nothing changes it.
    """
    known = seen_before(d.s, intent.canary_weight)
    asked = view.verification
    if asked is not None and (not known or state.attainable <= Confidence.WRITTEN):
        if asked.verified:
            return replace(state, confidence=Confidence.VERIFIED, attainable=Confidence.VERIFIED)
        if not asked.given_up:
            if asked.message:
                d.tell("TrafficNotVerified", f"{view.name}: waits, {asked.message}", "Warning")
            message = asked.message or "the data plane is being asked"
            return replace(
                state, confidence=Confidence.WRITTEN, attainable=Confidence.VERIFIED, message=message
            )
        _tell_given_up(d, view)
    if known or view.since is None or state.confidence < state.attainable:
        return state
    end = view.since + state.settle
    if state.attainable <= Confidence.WRITTEN or d.s.now >= end:
        return state
    d.look_again(end)
    text = f"accepted; data planes follow within {state.settle.total_seconds():g} s"
    return replace(state, confidence=Confidence.WRITTEN, message=state.message or text)


def _tell_given_up(d: Draft, view: RouterView) -> None:
    """Warn that a weight counts by less than was wanted; once, as long as the status still waits for it."""
    before, asked = d.s.status.canary.weights, view.verification
    if asked is not None and before is not None and before.verified is False:
        d.tell(
            "TrafficNotVerified",
            f"{view.name}: nobody can tell whether the data plane has the weights: {asked.message}. The "
            "update goes on by what the objects say; see the controller's settings that begin with verify",
            "Warning",
        )


def in_force(states: Iterable[TrafficState], edited: bool) -> bool:
    """Tell whether every router is as sure of the weight as it can be; an edit must first be seen again."""
    return all(
        st.attainable <= Confidence.WRITTEN or (not edited and st.confidence >= st.attainable)
        for st in states
    )


def verified(states: list[TrafficState], edited: bool) -> bool | None:
    """Return what the status says: None where no router can ever be sure."""
    if all(st.attainable <= Confidence.WRITTEN for st in states):
        return None
    return in_force(states, edited)


def message(states: Iterable[TrafficState]) -> str:
    """Return why a weight is not in force yet."""
    said = [st.message for st in states if st.message]
    return said[0] if said else "written, not seen in force yet"


def tell_foreign_weight(
    d: Draft, view: RouterView, state: TrafficState, intent: TrafficIntent, edits: Sequence[Edit]
) -> None:
    """Warn when a weight that was in force is another now: somebody else wrote it; the edits correct it."""
    before, seen, wanted = d.s.status.canary.weights, state.canary_weight, intent.canary_weight
    if not edits or before is None or seen is None or seen == wanted or before.canary.weight != wanted:
        return
    objects = ", ".join(f"{edit.kind} {edit.namespace}/{edit.name}" for edit in edits)
    d.tell(
        "TrafficWeightChanged",
        f"{objects}: the canary weight was {seen} of {intent.max_weight} where {view.name} had written "
        f"{wanted}; somebody else changed it, it is set back. To change the weight, change the Rollout",
        "Warning",
    )
