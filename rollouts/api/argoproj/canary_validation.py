"""What must hold for the canary strategy as a whole: Services, routing, surge, weights. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.api.argoproj.rollout import (
    DEFAULT_MAX_SURGE,
    DEFAULT_MAX_UNAVAILABLE,
    CanaryStrategy,
    PingPong,
    ReplicaProgressThreshold,
    TrafficRouting,
)
from rollouts.api.argoproj.step_validation import validate_analysis, validate_steps
from rollouts.api.base import IntOrString
from rollouts.api.fielderrors import FieldError, duplicate, invalid, not_supported, required
from rollouts.api.scalars import ScalarError, int_or_percent

_SAME_SERVICES = (
    "This rollout uses the same service for the stable and canary services, "
    "but two different services are required."
)
_TWO_PING_PONG = "Ping service and Pong service must to be set to use Ping-Pong feature"
_SAME_PING_PONG = (
    "This rollout uses the same service for the ping and pong services, "
    "but two different services are required."
)
_NEED_SERVICES = "Canary service and Stable service must to be set to use Traffic Routing"
_MAX_WEIGHT = "Canary maxTrafficWeight in traffic routing only support in Nginx and Plugins"
_PING_PONG_ROUTERS = "Ping-pong feature works with the ALB and Istio traffic routing and with plugins only"
_ALB_ROOT = "Root service field is required for the configuration with ALB and ping-pong feature enabled"
_BOTH_ZERO = "MaxSurge and MaxUnavailable both can not be zero"


def validate_canary(canary: CanaryStrategy, path: str) -> Iterator[FieldError]:
    """Yield what is wrong with a canary strategy."""
    yield from _surge_errors(canary, path)
    if canary.stable_service and canary.stable_service == canary.canary_service:
        yield invalid(f"{path}.stableService", canary.stable_service, _SAME_SERVICES)
    if canary.ping_pong is not None:
        yield from _ping_pong_errors(canary.ping_pong, canary.traffic_routing, path)
    if canary.traffic_routing is None:
        yield from _routing_only_errors(canary, path)
    else:
        yield from _routing_errors(canary, canary.traffic_routing, path)
    yield from _number_errors(canary, path)
    if canary.replica_progress_threshold is not None:
        yield from _threshold_errors(canary.replica_progress_threshold, f"{path}.replicaProgressThreshold")
    yield from validate_steps(canary, path)
    if canary.analysis is not None:
        yield from validate_analysis(canary.analysis, f"{path}.analysis")


def _ping_pong_errors(ping_pong: PingPong, routing: TrafficRouting | None, path: str) -> Iterator[FieldError]:
    where = f"{path}.pingPong"
    if routing is None or not (routing.alb or routing.istio or routing.plugins):
        yield invalid(where, ping_pong.manifest(), _PING_PONG_ROUTERS)
    for field, value in (("pingService", ping_pong.ping_service), ("pongService", ping_pong.pong_service)):
        if not value:
            yield required(f"{where}.{field}", _TWO_PING_PONG)
    if ping_pong.ping_service and ping_pong.ping_service == ping_pong.pong_service:
        yield invalid(f"{where}.pingService", ping_pong.ping_service, _SAME_PING_PONG)
    if routing is not None and routing.alb is not None and not routing.alb.root_service:
        yield required(f"{path}.trafficRouting.alb.rootService", _ALB_ROOT)


def _routing_only_errors(canary: CanaryStrategy, path: str) -> Iterator[FieldError]:
    if canary.scale_down_delay_seconds is not None:
        yield invalid(
            f"{path}.scaleDownDelaySeconds",
            canary.scale_down_delay_seconds,
            "Canary scaleDownDelaySeconds can only be used with traffic routing",
        )
    if canary.dynamic_stable_scale:
        yield invalid(
            f"{path}.dynamicStableScale",
            True,
            "Canary dynamicStableScale can only be used with traffic routing",
        )


def _routing_errors(canary: CanaryStrategy, routing: TrafficRouting, path: str) -> Iterator[FieldError]:
    if _needs_services(canary, routing):
        for field, value in (
            ("stableService", canary.stable_service),
            ("canaryService", canary.canary_service),
        ):
            if not value:
                yield invalid(f"{path}.{field}", "", _NEED_SERVICES)
    yield from _max_weight_errors(routing, f"{path}.trafficRouting.maxTrafficWeight")
    if canary.dynamic_stable_scale and canary.scale_down_delay_seconds is not None:
        yield invalid(
            f"{path}.dynamicStableScale",
            True,
            "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds",
        )
    seen: set[str] = set()
    for index, route in enumerate(routing.managed_routes):
        where = f"{path}.trafficRouting.managedRoutes[{index}].name"
        if not route.name:
            yield required(where)
        elif route.name in seen:
            yield duplicate(where, route.name)
        seen.add(route.name)


def _max_weight_errors(routing: TrafficRouting, path: str) -> Iterator[FieldError]:
    weight = routing.max_traffic_weight
    if weight is None:
        return
    if routing.nginx is None and not routing.plugins:
        yield invalid(path, weight, _MAX_WEIGHT)
    if weight <= 0:
        yield invalid(path, weight, "must be greater than 0")


def _needs_services(canary: CanaryStrategy, routing: TrafficRouting) -> bool:
    """Tell whether a router is used that works by Services of the canary and the stable version.

    Not plugins, Istio by subsets, and ALB or Istio with ping-pong, which has its own two.
    """
    by_name = routing.istio is not None and routing.istio.destination_rule is None
    if canary.ping_pong is None and (routing.alb is not None or by_name):
        return True
    others = (
        routing.ambassador,
        routing.apisix,
        routing.app_mesh,
        routing.nginx,
        routing.smi,
        routing.traefik,
    )
    return any(router is not None for router in others)


def _surge_errors(canary: CanaryStrategy, path: str) -> Iterator[FieldError]:
    surge = DEFAULT_MAX_SURGE if canary.max_surge is None else canary.max_surge
    unavailable = DEFAULT_MAX_UNAVAILABLE if canary.max_unavailable is None else canary.max_unavailable
    wrong = [
        *_share_errors(surge, f"{path}.maxSurge"),
        *_share_errors(unavailable, f"{path}.maxUnavailable", at_most_all=True),
    ]
    yield from wrong
    if not wrong and _is_zero(surge) and _is_zero(unavailable):
        yield invalid(f"{path}.maxSurge", surge, _BOTH_ZERO)


def _share_errors(value: IntOrString, path: str, *, at_most_all: bool = False) -> Iterator[FieldError]:
    try:
        number = int_or_percent(value, 100, round_up=False)
    except ScalarError as error:
        yield invalid(path, value, str(error))
        return
    if number < 0:
        yield invalid(path, value, "must be greater than or equal to 0")
    elif at_most_all and isinstance(value, str) and number > 100:
        yield invalid(path, value, "must not be greater than 100%")


def _is_zero(value: IntOrString) -> bool:
    return int_or_percent(value, 100, round_up=True) == 0


def _number_errors(canary: CanaryStrategy, path: str) -> Iterator[FieldError]:
    for field, value in (
        ("scaleDownDelaySeconds", canary.scale_down_delay_seconds),
        ("scaleDownDelayRevisionLimit", canary.scale_down_delay_revision_limit),
        ("abortScaleDownDelaySeconds", canary.abort_scale_down_delay_seconds),
        ("minPodsPerReplicaSet", canary.min_pods_per_replica_set),
    ):
        if value is not None and value < 0:
            yield invalid(f"{path}.{field}", value, "must be greater than or equal to 0")


def _threshold_errors(threshold: ReplicaProgressThreshold, path: str) -> Iterator[FieldError]:
    if threshold.type not in ("Percent", "Pods"):
        yield not_supported(f"{path}.type", threshold.type, ("Percent", "Pods"))
    elif threshold.value < 0:
        yield invalid(f"{path}.value", threshold.value, "must be greater than or equal to 0")
    elif threshold.type == "Percent" and threshold.value > 100:
        yield invalid(f"{path}.value", threshold.value, "must not be greater than 100%")
