"""How many pods each version gets now: growth first, shrinking only where nothing reaches the pods."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from rollouts.api.argoproj import rollout as api
from rollouts.controllers.rollout.actions import Event, PatchReplicaSet
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.decide.restart import surge
from rollouts.kube.objects import format_time
from rollouts.workloads import labels
from rollouts.workloads.canary_scale import (
    Bounds,
    Counts,
    RoutedDemand,
    Side,
    bounds,
    next_basic_counts,
    routed_counts,
    weighted_counts,
)
from rollouts.workloads.replicaset import ReplicaSet

# -- what the steps ask for ---------------------------------------------------------------------------------


def current_weight(d: Draft) -> int:
    """Return the weight of the last setWeight at or before the present step; all after the last step."""
    s = d.s
    if s.aborted:
        return 0
    if s.step is None:
        return s.max_weight
    assert s.step_index is not None  # noqa: S101 - there is a step
    return weight_before(d, s.step_index + 1)


def weight_before(d: Draft, index: int) -> int:
    """Return the weight of the last setWeight before the step ``index``, 0 when there is none."""
    weights = [step.set_weight for step in d.s.steps[:index] if step.set_weight is not None]
    return weights[-1] if weights else 0


def canary_scale_step(d: Draft) -> api.SetCanaryScale | None:
    """Return the setCanaryScale in force: the last at or before the present step, unless undone."""
    s = d.s
    if s.step_index is None or s.step is None or not s.routed:
        return None
    scales = [st.set_canary_scale for st in s.steps[: s.step_index + 1] if st.set_canary_scale is not None]
    if not scales or scales[-1].match_traffic_weight:
        return None
    return scales[-1]


def wanted_counts(d: Draft) -> Counts:
    """Return the counts that the present step asks for, whatever the way there allows."""
    s = d.s
    assert s.canary is not None  # noqa: S101 - the canary pipeline
    alone = s.stable is None or (s.new is not None and s.new.name == s.stable.name)
    if alone:
        return Counts(s.replicas + surge(s), 0)
    if s.routed:
        return routed_counts(_demand(d))
    weight = s.max_weight if s.status.promote_full else current_weight(d)
    counts = weighted_counts(s.replicas, weight, max_weight=s.max_weight, surge=_limits(d).surge)
    return Counts(counts.canary, max(counts.stable, _selected_floor(d)))


def _selected_floor(d: Draft) -> int:
    """Return 1 while a stable Service selects the old version: it keeps a pod until the Service moves."""
    s = d.s
    assert s.canary is not None  # noqa: S101 - the canary pipeline
    selected = s.service_hash(s.stable_service)
    return 1 if s.replicas > 0 and s.stable is not None and selected == s.stable.hash else 0


def _demand(d: Draft) -> RoutedDemand:
    s = d.s
    assert s.canary is not None  # noqa: S101 - the canary pipeline
    scale = canary_scale_step(d) if not (s.status.promote_full or _ignores_scale(d)) else None
    weights = s.status.canary.weights
    return RoutedDemand(
        replicas=s.replicas,
        weight=s.max_weight if s.status.promote_full else current_weight(d),
        max_weight=s.max_weight,
        scale_weight=scale.weight if scale else None,
        scale_replicas=scale.replicas if scale else None,
        min_pods=s.canary.min_pods_per_replica_set,
        dynamic_stable=s.canary.dynamic_stable_scale,
        actual_weight=weights.canary.weight if weights else 0,
        aborted=s.aborted,
    )


def _ignores_scale(d: Draft) -> bool:
    """Tell whether an abort overrides setCanaryScale; a delay of 0 keeps the canary as it is."""
    return d.s.aborted and not (d.s.canary is not None and d.s.canary.abort_scale_down_delay_seconds == 0)


def _limits(d: Draft) -> Bounds:
    canary = d.s.canary or api.CanaryStrategy()
    surge = api.DEFAULT_MAX_SURGE if canary.max_surge is None else canary.max_surge
    missing = api.DEFAULT_MAX_UNAVAILABLE if canary.max_unavailable is None else canary.max_unavailable
    return bounds(d.s.replicas, surge, missing)


def at_desired_counts(d: Draft) -> bool:
    """Tell whether the versions have the pods that the present step asks for."""
    s = d.s
    new, wanted = s.new, wanted_counts(d)
    if new is None or new.desired != wanted.canary or not enough_available(d, new, wanted.canary):
        return False
    if s.routed:
        return True
    two = s.stable is not None and s.stable.name != new.name
    # Pods that are there still take their share; those that are not yet ready are no reason to wait.
    if two and s.stable is not None and not s.stable.desired == s.stable.replicas == wanted.stable:
        return False
    return all(rs.available == 0 for rs in s.others)


def enough_available(d: Draft, new: ReplicaSet, wanted: int) -> bool:
    """Tell whether as many canary pods are available as the next step needs."""
    threshold = d.s.canary.replica_progress_threshold if d.s.canary else None
    if threshold is None:
        return new.available >= wanted
    if threshold.type == "Pods":
        return new.available >= min(threshold.value, wanted)
    return new.available * 100 >= wanted * threshold.value


# -- patches ------------------------------------------------------------------------------------------------


def resize(d: Draft, rs: ReplicaSet, count: int, notes: Mapping[str, str | None] | None = None) -> bool:
    """Ask for a ReplicaSet to have ``count`` pods; True when a patch is needed.

    A ReplicaSet that loses its last pod also loses its scale-down deadline.
    """
    changes: dict[str, str | None] = dict(notes or {})
    if rs.annotated_desired != d.s.replicas and (count != rs.desired or rs.desired > 0):
        changes[labels.DESIRED_REPLICAS] = str(d.s.replicas)
    if count == 0 and rs.has_deadline:
        changes[labels.SCALE_DOWN_DEADLINE] = None
    if count == rs.desired and not changes:
        return False
    event = None
    if count != rs.desired:
        way = "up" if count > rs.desired else "down"
        text = f"Scaled {way} ReplicaSet {rs.name} (revision {_revision(d, rs)}) from {rs.desired} to {count}"
        event = Event("ScalingReplicaSet", text)
    patch = PatchReplicaSet(
        name=rs.name,
        uid=rs.uid,
        hash=rs.hash,
        before=rs.desired,
        replicas=count if count != rs.desired else None,
        annotations=changes,
        event=event,
    )
    return d.do(patch) or True


def _revision(d: Draft, rs: ReplicaSet) -> int:
    return d.revision if d.s.new is not None and rs.name == d.s.new.name else rs.revision


def _annotate(d: Draft, rs: ReplicaSet, notes: Mapping[str, str | None]) -> None:
    d.do(PatchReplicaSet(name=rs.name, uid=rs.uid, hash=rs.hash, before=rs.desired, annotations=notes))


def _deadline(d: Draft, seconds: int) -> str:
    return format_time(d.s.now + timedelta(seconds=seconds))


# -- canary -------------------------------------------------------------------------------------------------


def scale_canary(d: Draft) -> bool:
    """Scale stable, new and older ReplicaSets toward the present step, one at a time."""
    s = d.s
    new = s.new
    assert new is not None  # noqa: S101 - create_new_replica_set ran before
    counts = _next_counts(d)
    two = s.stable if s.stable is not None and s.stable.name != new.name else None
    if two and resize(d, two, _floor_for_traffic(d, two, counts.stable), _no_deadline(two)):
        return False
    if _delays_on_abort(d):
        if _scale_aborted(d, new):
            return False
    elif resize(d, new, _floor_for_traffic(d, new, counts.canary), _no_deadline(new)):
        return False
    if s.routed:
        _scale_others_after_delay(d, _scale_down_delay(d), _revision_limit(d))
    else:
        _scale_others_basic(d)
    return False


def _no_deadline(rs: ReplicaSet) -> Mapping[str, str | None]:
    return {labels.SCALE_DOWN_DEADLINE: None} if rs.has_deadline else {}


def _next_counts(d: Draft) -> Counts:
    s = d.s
    wanted = wanted_counts(d)
    assert s.new is not None  # noqa: S101 - create_new_replica_set ran before
    if s.routed:
        return wanted
    two = s.stable is not None and s.stable.name != s.new.name
    stable = Side(spec=s.stable.desired, available=s.stable.available) if two and s.stable else None
    canary = Side(spec=s.new.desired, available=s.new.available)
    others = [Side(spec=rs.desired, available=rs.available) for rs in s.others]
    return next_basic_counts(_limits(d), wanted, canary, stable, others)


def _floor_for_traffic(d: Draft, rs: ReplicaSet, count: int) -> int:
    """Keep the pods that carry live traffic: a routed version shrinks only after its weight has gone.

    A weight that is written but not yet in force still leads requests to where they went before, so nothing
    shrinks meanwhile. A user's setCanaryScale may ask for fewer pods than the weight would, but not for none.
    """
    s = d.s
    if not s.routed or s.fully_promoted or count >= rs.desired or s.replicas == 0 or d.traffic is None:
        return count
    if not d.traffic.in_force:
        return rs.desired
    is_canary = s.new is not None and rs.name == s.new.name
    share = d.traffic.live_weight if is_canary else s.max_weight - d.traffic.live_weight
    needed = -(-s.replicas * share // s.max_weight)
    if is_canary and canary_scale_step(d) is not None:
        needed = min(needed, 1)
    return max(count, min(rs.desired, needed))


def abort_delay(d: Draft) -> tuple[int | None, bool]:
    """Return (seconds to keep an aborted version, was it set); None keeps it for good."""
    strategy = d.s.canary or d.s.blue_green
    value = strategy.abort_scale_down_delay_seconds if strategy else None
    if value == 0:
        return None, True
    return (api.DEFAULT_ABORT_SCALE_DOWN_DELAY_SECONDS, False) if value is None else (value, True)


def _delays_on_abort(d: Draft) -> bool:
    s = d.s
    if not s.aborted or s.stable is None or s.fully_promoted:
        return False
    if s.canary is not None and not s.routed:
        return False
    _, was_set = abort_delay(d)
    return not (s.canary is not None and s.canary.dynamic_stable_scale and not was_set)


def _scale_aborted(d: Draft, new: ReplicaSet) -> bool:
    """Give an aborted version its deadline, then take its pods; True when a patch is needed."""
    seconds, _ = abort_delay(d)
    if seconds is None or new.desired == 0:
        return False
    if not new.has_deadline:
        stable = d.s.stable
        if stable is None or stable.available < d.s.replicas:
            d.wait("the stable version to be whole before the aborted one is scaled down")
            return False
        deadline = _deadline(d, seconds)
        _annotate(d, new, {labels.SCALE_DOWN_DEADLINE: deadline})
        d.look_again_in(seconds)
        return True
    if new.deadline is not None and new.deadline > d.s.now:
        d.look_again(new.deadline)
        d.wait(f"the aborted version to be scaled down at {new.deadline_text}")
        return False
    return resize(d, new, _floor_for_traffic(d, new, 0))


def _scale_down_delay(d: Draft) -> int:
    strategy = d.s.canary or d.s.blue_green
    value = strategy.scale_down_delay_seconds if strategy else None
    if value is not None:
        return value
    if d.s.canary is not None and d.s.canary.dynamic_stable_scale:
        return 0
    return api.DEFAULT_SCALE_DOWN_DELAY_SECONDS


def _revision_limit(d: Draft) -> int | None:
    strategy = d.s.canary or d.s.blue_green
    return strategy.scale_down_delay_revision_limit if strategy else None


def _scale_others_after_delay(d: Draft, seconds: int, limit: int | None) -> None:
    """Scale down versions that are neither new nor stable when their deadline has passed, newest first.

    Beyond the revision limit they go at once. A version without a deadline gets one.
    """
    kept = 0
    for rs in sorted(d.s.others, key=lambda rs: -rs.revision):
        if rs.desired == 0 or rs.deleting:
            continue
        if still_reached(d, rs):
            d.wait(f"traffic to leave ReplicaSet {rs.name} before it is scaled down")
            continue
        over = limit is not None and kept >= limit
        if seconds == 0 and not rs.has_deadline:
            over = True
        if (
            over
            or (rs.deadline is not None and rs.deadline <= d.s.now)
            or (rs.has_deadline and not rs.deadline)
        ):
            resize(d, rs, 0)
            continue
        kept += 1
        if rs.deadline is None:
            _annotate(d, rs, {labels.SCALE_DOWN_DEADLINE: _deadline(d, seconds)})
            d.look_again_in(seconds)
        else:
            d.look_again(rs.deadline)
            if rs.annotated_desired != d.s.replicas and rs.desired != d.s.replicas:
                resize(d, rs, d.s.replicas)


def still_reached(d: Draft, rs: ReplicaSet) -> bool:
    """Tell whether a Service of the Rollout that gets traffic selects the version."""
    s = d.s
    if s.blue_green is not None:
        return s.service_hash(s.blue_green.active_service) == rs.hash
    assert s.canary is not None  # noqa: S101 - one of the two strategies
    live = d.traffic.live_weight if d.traffic is not None else 0
    settled = d.traffic is not None and d.traffic.settled and d.traffic.in_force
    for service, weight in ((s.canary_service, live), (s.stable_service, s.max_weight - live)):
        if service and s.service_hash(service) == rs.hash and (not s.routed or weight > 0 or not settled):
            return True
    return False


def _scale_others_basic(d: Draft) -> None:
    """Without a router older pods take traffic: unready ones go first, then as availability allows."""
    old = [rs for rs in sorted(d.s.others, key=lambda rs: (rs.created, rs.name)) if rs.desired > 0]
    for rs in old:
        if rs.available < rs.desired and not (rs.available == 0 and still_reached(d, rs)):
            resize(d, rs, rs.available, _no_deadline(rs))
            return
    spare = d.s.total_available - _limits(d).least
    for rs in reversed(old):
        if spare <= 0:
            d.wait("enough available pods before older ones are scaled down")
            return
        floor = 1 if still_reached(d, rs) else 0
        resize(d, rs, max(floor, rs.desired - spare), _no_deadline(rs))
        return


# -- blue-green ---------------------------------------------------------------------------------------------


def scale_blue_green(d: Draft) -> bool:
    """Scale the active, the new and older ReplicaSets."""
    s = d.s
    new = s.new
    assert new is not None  # noqa: S101 - create_new_replica_set ran before
    two = s.stable if s.stable is not None and s.stable.name != new.name else None
    if two and resize(d, two, s.replicas, _no_deadline(two)):
        return False
    if _delays_on_abort(d) and not _active_is(d, new):
        if _scale_aborted(d, new):
            return False
    elif not s.aborted:
        notes = _no_deadline(new) if _active_is(d, new) else {}
        if resize(d, new, new_count_blue_green(d, new), notes):
            return False
    _scale_others_after_delay(d, _scale_down_delay(d), _revision_limit(d))
    return False


def _active_is(d: Draft, rs: ReplicaSet) -> bool:
    blue_green = d.s.blue_green
    return blue_green is not None and d.s.service_hash(blue_green.active_service) == rs.hash


def new_count_blue_green(d: Draft, new: ReplicaSet) -> int:
    """Return how many pods the new version gets: the preview count until the check-point, then all."""
    s = d.s
    assert s.blue_green is not None  # noqa: S101 - the blue-green pipeline
    preview = s.blue_green.preview_replica_count
    active = s.service_hash(s.blue_green.active_service)
    if preview is None or not active or active == new.hash or s.fully_promoted or s.stable is None:
        return s.replicas + surge(s)
    if s.status.blue_green.scale_up_preview_check_point or s.status.promote_full:
        return s.replicas
    return preview
