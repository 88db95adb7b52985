"""Which weight and which managed routes shall be in force, and the edits that bring them about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollouts.api.argoproj import rollout as api
from rollouts.controllers.rollout.actions import EditRoute, Event
from rollouts.controllers.rollout.decide import experiment, guided, in_force, overtaken
from rollouts.controllers.rollout.decide.draft import Draft, Traffic
from rollouts.controllers.rollout.decide.scaling import at_desired_counts, current_weight, weight_before
from rollouts.controllers.rollout.snapshot import RouterView
from rollouts.kube.objects import ROLLOUTS, owner_reference
from rollouts.traffic.router import (
    HeaderMatch,
    HeaderRoute,
    MirrorRoute,
    TrafficError,
    TrafficIntent,
    TrafficState,
)

VERIFY_AGAIN_SECONDS = 10


def shift_traffic(d: Draft) -> bool:
    """Bring every router to the weight and the routes that the committed status calls for."""
    s = d.s
    if not s.routed:
        d.part("canary").pop("weights", None)
        return False
    if s.router_error or not s.routers:
        _refuse(d, s.router_error or "trafficRouting names no router")
        return False
    live = live_weight(d)
    weight = safe_weight(d, wanted_weight(d), live)
    intent = intent_for(d, weight)
    states: list[TrafficState] = []
    edited = False
    for view in s.routers:
        try:
            edited = _follow_router(d, view, intent, live, states) or edited
        except TrafficError as error:
            _refuse(d, f"{view.name}: {error}")
            return False
    settled = not d.postponed
    d.traffic = Traffic(
        live_weight=live,
        wanted=weight,
        in_force=settled and in_force.in_force(states, edited),
        settled=not edited,
    )
    if settled:
        _record_weights(d, weight, in_force.verified(states, edited))
    if not d.traffic.in_force:
        d.wait(f"traffic weight {weight} to be in force: {in_force.message(states)}")
        d.look_again_in(VERIFY_AGAIN_SECONDS)
    return False


def _refuse(d: Draft, message: str) -> None:
    d.tell("TrafficRoutingError", message, "Warning")
    d.wait(f"the traffic router: {message}")
    d.error = message
    weights = d.s.status.canary.weights
    live = weights.canary.weight if weights else 0
    d.traffic = Traffic(live_weight=live, wanted=live, in_force=False, settled=False)


def _follow_router(
    d: Draft, view: RouterView, intent: TrafficIntent, live: int, states: list[TrafficState]
) -> bool:
    """Plan one router's edits; True when there are some."""
    if view.missing:
        raise TrafficError(f"{', '.join(view.missing)} not found; create it, or correct its name")
    state = in_force.settled(d, view, view.router.read(view.config, view.live, intent, d.s.now), intent)
    states.append(state)
    if state.recheck_at is not None:
        d.look_again(state.recheck_at)
    edits = view.router.plan(view.config, view.live, intent)
    in_force.tell_foreign_weight(d, view, state, intent, edits)
    raises = intent.canary_weight is not None and intent.canary_weight > live
    for edit in edits:
        event = Event(edit.reason, edit.summary) if edit.reason else None
        d.do(EditRoute(router=view.name, edit=edit, raises=raises, event=event))
    return bool(edits)


def live_weight(d: Draft) -> int:
    """Return the highest canary weight that a live object carries."""
    weights = d.s.status.canary.weights
    probe = intent_for(d, None)
    found: list[int] = []
    for view in d.s.routers:
        if view.missing:
            continue
        try:
            state = view.router.read(view.config, view.live, probe, d.s.now)
        except TrafficError:
            continue
        if state.canary_weight is not None:
            found.append(state.canary_weight)
    recorded = weights.canary.weight if weights else 0
    return max(found, default=recorded)


def wanted_weight(d: Draft) -> int:
    """Return the canary weight that the committed state calls for."""
    s = d.s
    new, top = s.new, s.max_weight
    if s.fully_promoted:
        return 0
    if s.aborted:
        return _walk_down(d) if _dynamic(d) else 0
    if new is None or new.available == 0:
        return 0
    if s.status.promote_full:
        if _dynamic(d):
            return top * min(new.available, s.replicas) // max(1, s.replicas)
        return _recorded(d)
    if s.step_index is None:
        return 0
    if not at_desired_counts(d):
        wanted = weight_before(d, s.step_index)
    else:
        wanted = top if s.step_index >= len(s.steps) else current_weight(d)
    return guided.weight_allowed(d, wanted, _recorded(d))


def _dynamic(d: Draft) -> bool:
    return bool(d.s.canary and d.s.canary.dynamic_stable_scale)


def _recorded(d: Draft) -> int:
    weights = d.s.status.canary.weights
    return weights.canary.weight if weights else 0


def _walk_down(d: Draft) -> int:
    """Return the least weight that leaves stable no more than its pods can carry, never above the present."""
    stable = d.s.stable
    carried = d.s.max_weight * (stable.available if stable else 0) // max(1, d.s.replicas)
    return max(0, min(_recorded(d), d.s.max_weight - carried))


def safe_weight(d: Draft, wanted: int, live: int) -> int:
    """Return ``wanted``, or the live weight while the pods or Services behind it cannot take the traffic."""
    s = d.s
    assert s.canary is not None  # noqa: S101 - only a canary is routed
    if wanted > live:
        return wanted if _canary_can_take_more(d) else live
    if wanted == live:
        return wanted
    stable = s.stable
    if stable is None or (stable.available == 0 and s.replicas > 0):
        d.wait("the stable version to have pods before traffic goes back to it")
        return live
    if s.stable_service and s.service_hash(s.stable_service) != stable.hash:
        d.wait(f"Service {s.stable_service} to select the stable version")
        return live
    if _dynamic(d):
        carried = s.max_weight * min(stable.available, s.replicas) // max(1, s.replicas)
        return max(wanted, min(live, s.max_weight - carried))
    return wanted


def _canary_can_take_more(d: Draft) -> bool:
    s = d.s
    assert s.canary is not None  # noqa: S101 - only a canary is routed
    if s.new is None or s.new.available == 0:
        return False
    if s.canary_service and s.service_hash(s.canary_service) != s.new.hash:
        d.wait(f"Service {s.canary_service} to select the new version")
        return False
    return True


def intent_for(d: Draft, weight: int | None) -> TrafficIntent:
    """Return everything that shall be in force now, for every router."""
    s = d.s
    assert s.canary is not None  # noqa: S101 - only a canary is routed
    routing = s.canary.traffic_routing or api.TrafficRouting()
    headers, mirrors = _routes(d)
    return TrafficIntent(
        rollout=s.name,
        namespace=s.namespace,
        stable_service=s.stable_service,
        canary_service=s.canary_service,
        stable_hash=s.stable.hash if s.stable else "",
        canary_hash=_canary_hash(d),
        canary_weight=weight,
        max_weight=s.max_weight,
        additional=experiment.destinations(d),
        retired=experiment.retired(d),
        header_routes=headers,
        mirror_routes=mirrors,
        managed_routes=tuple(route.name for route in routing.managed_routes),
        owner=owner_reference(s.manifest, ROLLOUTS),
    )


def _canary_hash(d: Draft) -> str:
    found = overtaken.carrier(d) or d.s.new
    return found.hash if found else ""


def _routes(d: Draft) -> tuple[tuple[HeaderRoute, ...], tuple[MirrorRoute, ...]]:
    """Return the header and mirror routes of the steps up to the present one; an empty match removes."""
    s = d.s
    index = s.step_index
    if index is None or s.fully_promoted or s.aborted or s.status.promote_full:
        return (), ()
    if s.revision <= 1 or s.new is None or s.new.available == 0 or not _canary_can_take_more(d):
        return (), ()
    headers: dict[str, HeaderRoute] = {}
    mirrors: dict[str, MirrorRoute] = {}
    for step in s.steps[: index + 1]:
        if step.set_header_route is not None:
            _put(headers, step.set_header_route.name, _header_route(step.set_header_route))
        if step.set_mirror_route is not None:
            _put(mirrors, step.set_mirror_route.name, _mirror_route(step.set_mirror_route))
    return tuple(headers.values()), tuple(mirrors.values())


def _put(routes: dict[str, Any], name: str, route: HeaderRoute | MirrorRoute | None) -> None:
    routes.pop(name, None)
    if route is not None:
        routes[name] = route


def _header_route(step: api.SetHeaderRoute) -> HeaderRoute | None:
    if not step.match:
        return None
    matches = tuple(
        HeaderMatch(
            header=m.header_name,
            exact=m.header_value.exact if m.header_value else None,
            prefix=m.header_value.prefix if m.header_value else None,
            regex=m.header_value.regex if m.header_value else None,
        )
        for m in step.match
    )
    return HeaderRoute(name=step.name, matches=matches)


def _mirror_route(step: api.SetMirrorRoute) -> MirrorRoute | None:
    if not step.match:
        return None
    percentage = 100 if step.percentage is None else step.percentage
    matches = tuple(m.manifest() for m in step.match)
    return MirrorRoute(name=step.name, matches=matches, percentage=percentage)


def _record_weights(d: Draft, weight: int, verified: bool | None) -> None:
    s = d.s
    assert s.canary is not None  # noqa: S101 - only a canary is routed
    pod_hash = _canary_hash(d) if weight > 0 else (s.new.hash if s.new else "")
    stable_hash = s.stable.hash if s.stable else ""
    additional = experiment.wanted(d)
    rest = max(0, s.max_weight - weight - sum(part.weight for part in additional))
    weights: dict[str, Any] = {
        "canary": _destination(weight, s.canary_service, pod_hash),
        "stable": _destination(rest, s.stable_service, stable_hash),
    }
    if additional:
        parts = [_destination(part.weight, part.service, part.pod_hash) for part in additional]
        weights["additional"] = parts
    if verified is not None:
        weights["verified"] = verified
    before = s.status.canary.weights
    if before is None:
        d.tell("TrafficWeightUpdated", f"Traffic weight updated to {weight}")
    elif before.canary.weight != weight:
        d.tell("TrafficWeightUpdated", f"Traffic weight updated from {before.canary.weight} to {weight}")
    d.part("canary")["weights"] = weights


def _destination(weight: int, service: str, pod_hash: str) -> Mapping[str, Any]:
    full = {"weight": weight, "serviceName": service, "podTemplateHash": pod_hash}
    return {k: v for k, v in full.items() if v != ""}
