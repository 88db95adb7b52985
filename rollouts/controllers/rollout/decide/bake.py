"""The bake: all users are on the new version, and the old one stays stable until it has proved itself. Pure.

Opt-in by an annotation on the Rollout (``rollouts.dev/bake: 30m``). It is an implicit last step: an abort,
by a person or by an analysis that goes on, is an ordinary abort, the old version is still there, and no spec
drifts. A full promotion ends it. When it began stands in an annotation, since no status has room for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from rollouts.api.scalars import ScalarError, parse_duration
from rollouts.controllers.rollout.actions import Event, PatchRollout
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.snapshot import RolloutSnapshot
from rollouts.kube import objects
from rollouts.workloads import labels


def length(s: RolloutSnapshot) -> timedelta:
    """Return how long the bake takes (0 without one)."""
    text = objects.annotations_of(s.manifest).get(labels.BAKE, "")
    try:
        return parse_duration(text) if text else timedelta(0)
    except ScalarError:
        return timedelta(0)


def problem(s: RolloutSnapshot) -> str:
    """Return what is wrong with the annotation, "" when nothing is."""
    text = objects.annotations_of(s.manifest).get(labels.BAKE, "")
    try:
        if not text or parse_duration(text) >= timedelta(0):
            return ""
    except ScalarError as error:
        return f'The Rollout "{s.name}" is invalid: metadata.annotations[{labels.BAKE}]: {error}'
    return f'The Rollout "{s.name}" is invalid: metadata.annotations[{labels.BAKE}]: {text} is negative'


def began_at(s: RolloutSnapshot) -> datetime | None:
    """Return when the bake of this try began, None while it has not."""
    owner, _, since = objects.annotations_of(s.manifest).get(labels.BAKING, "").partition(" ")
    return objects.parse_time(since) if owner == _owner(s) else None


def over(d: Draft) -> bool:
    """Begin the bake of a version that has everything else behind it; tell whether it has ended."""
    s = d.s
    long = length(s)
    if not long:
        return True
    began = began_at(s)
    if began is None:
        text = f"All traffic is on revision {s.revision}; it becomes stable after a bake of {_short(long)}"
        d.do(
            PatchRollout(
                annotations={labels.BAKING: f"{_owner(s)} {d.now_text}"}, event=Event("RolloutBakes", text)
            )
        )
        began = s.now
    end = began + long
    if s.now >= end and not s.spec.paused:
        return True
    if s.spec.paused:
        d.wait("a person to resume; the bake does not end while the Rollout is paused")
    else:
        d.look_again(end)
        d.wait(f"the bake to end at {objects.format_time(end)}; promote --full ends it, abort goes back")
    return False


def under_way(s: RolloutSnapshot) -> bool:
    """Tell whether the new version bakes."""
    return not s.fully_promoted and not s.aborted and bool(length(s)) and began_at(s) is not None


def _owner(s: RolloutSnapshot) -> str:
    return f"{s.revision}/{s.attempt}"


def _short(long: timedelta) -> str:
    seconds = int(long.total_seconds())
    parts = [(seconds // 3600, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    return "".join(f"{count}{unit}" for count, unit in parts if count)
