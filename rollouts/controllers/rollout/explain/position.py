"""Where a Rollout is: step, weights, versions. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.api.argoproj import rollout as api
from rollouts.controllers.rollout.decide.canary import step_text
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.decide.scaling import current_weight
from rollouts.controllers.rollout.explain.lines import Line
from rollouts.controllers.rollout.explain.sight import Sight, pause_length, short
from rollouts.controllers.rollout.snapshot import RolloutSnapshot
from rollouts.workloads.replicaset import ReplicaSet


def headline(sight: Sight) -> str:
    """Return the state in one sentence."""
    s = sight.s
    if sight.invalid:
        return "The spec is invalid; nothing is touched until it is corrected."
    if s.waits_for_budget:
        return (
            f"A new version waits for the error budget; revision {s.revision} stays the wanted one meanwhile."
        )
    if s.aborted:
        return f"The update to revision {s.revision} is aborted; users are sent to the stable version."
    if not sight.in_update:
        return _at_rest(sight)
    where = f"update to revision {s.revision}"
    if s.step is not None and s.step_index is not None:
        where += f", step {s.step_index + 1} of {len(s.steps)},"
    if sight.phase == "Paused":
        return f"The {where} is held{_by_whom(sight)}."
    if sight.late:
        return f"The {where} has not moved for longer than its progress deadline."
    return f"The {where} is under way."


def _at_rest(sight: Sight) -> str:
    s = sight.s
    if not s.status.stable_rs:
        return "The first version is being deployed; there are no steps to take yet."
    if sight.phase == "Healthy":
        return f"Revision {s.revision} is the stable version and has all its pods; no update is under way."
    if s.spec.paused:
        return f"Revision {s.revision} is the stable version; updates are held by spec.paused."
    return f"Revision {s.revision} is the stable version, but not all its pods are available."


def _by_whom(sight: Sight) -> str:
    if sight.s.spec.paused:
        return " by spec.paused"
    return " for a while" if sight.held_until else " until a person goes on"


def position(sight: Sight) -> Iterator[Line]:
    """Yield the lines on step, traffic and versions."""
    s = sight.s
    if sight.in_update and not s.aborted:
        yield from _step(s)
    if s.canary is not None and sight.in_update and not sight.invalid:
        yield from _traffic(s)
    if s.blue_green is not None:
        yield from _services(s)
    for rs in sorted(s.replica_sets, key=lambda rs: -rs.revision):
        if rs.desired or rs.replicas or rs is s.new:
            yield Line(version_text(s, rs), rs.deadline_text if rs.desired else "")


def _step(s: RolloutSnapshot) -> Iterator[Line]:
    if s.step is not None:
        yield Line(f"step {(s.step_index or 0) + 1} of {len(s.steps)}: {phrase(s.step)}")
    elif s.steps:
        yield Line(f"all {len(s.steps)} steps are done")


def _traffic(s: RolloutSnapshot) -> Iterator[Line]:
    weight, top = current_weight(Draft(s)), s.max_weight
    asked = f"{_share(weight, top)} asked for the new version"
    if not s.routed:
        pods = s.new.available if s.new else 0
        total = s.total_available
        share = f"{round(100 * pods / total)} %" if total else "nothing"
        yield Line(f"traffic: {asked}, about {share} in force ({pods} of {total} available pods; no router)")
        return
    weights = s.status.canary.weights
    if weights is None:
        yield Line(f"traffic: {asked}, none in force")
        return
    sure = {True: "seen in force", False: "written, not seen in force yet", None: "written"}[weights.verified]
    yield Line(f"traffic: {asked}, {_share(weights.canary.weight, top)} in force ({sure})")


def _share(weight: int, top: int) -> str:
    return f"{weight} %" if top == 100 else f"{weight} of {top}"


def _services(s: RolloutSnapshot) -> Iterator[Line]:
    assert s.blue_green is not None  # noqa: S101 - the caller looked
    for role, name in (("active", s.blue_green.active_service), ("preview", s.blue_green.preview_service)):
        if not name:
            continue
        chosen = s.service_hash(name)
        found = next((rs for rs in s.replica_sets if chosen and rs.hash == chosen), None)
        target = f"revision {found.revision}" if found else "pods of every version"
        yield Line(f"{role} Service {name} selects {target}")


def version_text(s: RolloutSnapshot, rs: ReplicaSet) -> str:
    """Return a version with its image and pods: revision, hash, role, counts."""
    template = (rs.manifest.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or ()
    images = ", ".join(str(c.get("image", "")) for c in containers)
    text = f"revision {rs.revision} ({_role(s, rs)}; {images}): {rs.available} of {rs.desired} pods available"
    return f"{text}; to be scaled down" if rs.desired and rs.has_deadline else text


def _role(s: RolloutSnapshot, rs: ReplicaSet) -> str:
    if s.stable is not None and rs.name == s.stable.name:
        return "stable"
    return "new" if s.new is not None and rs.name == s.new.name else "older"


def phrase(step: api.CanaryStep) -> str:
    """Return a step for people to read."""
    if step.pause is None:
        return step_text(step)
    length = pause_length(step.pause.duration)
    return f"pause for {short(length)}" if length is not None else "pause until a person promotes"
