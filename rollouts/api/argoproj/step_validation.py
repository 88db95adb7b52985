"""What must hold for each canary step, and for the analyses that a Rollout starts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rollouts.api.argoproj.rollout import (
    DEFAULT_MAX_TRAFFIC_WEIGHT,
    AnalysisRunArgument,
    CanaryStep,
    CanaryStrategy,
    ExperimentStep,
    RolloutAnalysis,
    RouteMatch,
    SetCanaryScale,
    SetHeaderRoute,
    SetMirrorRoute,
    StringMatch,
    TrafficRouting,
)
from rollouts.api.base import IntOrString
from rollouts.api.fielderrors import FieldError, duplicate, invalid, not_supported, required
from rollouts.api.scalars import ScalarError, parse_duration

_ONE_ACTION = (
    "Step must have one of the following set: experiment, setWeight, setCanaryScale or pause, "
    "or else analysis, plugin, setHeaderRoute or setMirrorRoute"
)
_EXCLUSIVE = frozenset({"set_weight", "pause", "analysis", "experiment"})
"""Actions of which a step has at most one. The others may stand beside each other, as live Rollouts do."""
_DURATION = "Duration needs to be greater than 0"
_SCALE_ROUTING = "SetCanaryScale requires TrafficRouting to be set"
_HEADER_ROUTING = "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix"
_MIRROR_ROUTING = "SetMirrorRoute requires TrafficRouting, supports Istio only"
_UNMANAGED = "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes"
_UNNAMED = "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'"
_ONE_MATCH = "StringMatch match value must have exactly one of the following: exact, regex, prefix"
_NO_MATCH = "StringMatch value missed, match value must have one of the following: exact, regex, prefix"
_ALB_EXACT = "SetHeaderRoute match value invalid. ALB supports 'exact' value only"
_WEIGHT_ROUTING = "Experiment template weight cannot be set unless TrafficRouting is enabled"
_WEIGHT_ROUTERS = (
    "Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins "
    "at this time"
)
_METADATA = "Analyses arguments must refer to valid object metadata supported by downwardAPI"
_METADATA_PATH = re.compile(
    r"metadata\.(?:name|namespace|uid|(?:labels|annotations)(?:\[\s*(?:'[^']+'|\"[^\"]+\")\s*\])?)"
)


def validate_steps(canary: CanaryStrategy, path: str) -> Iterator[FieldError]:
    """Yield what is wrong with the steps of a canary strategy."""
    for index, step in enumerate(canary.steps):
        yield from _step_errors(step, canary, f"{path}.steps[{index}]")


def _step_errors(step: CanaryStep, canary: CanaryStrategy, path: str) -> Iterator[FieldError]:
    actions = [name for name in CanaryStep.model_fields if getattr(step, name) is not None]
    if not actions or len(_EXCLUSIVE.intersection(actions)) > 1:
        seen: dict[str, object] = {CanaryStep.model_fields[name].alias or name: {} for name in actions}
        yield invalid(path, seen, _ONE_ACTION)
    if step.set_weight is not None:
        yield from _weight_errors(step.set_weight, _all_traffic(canary), f"{path}.setWeight")
    if step.pause is not None and step.pause.duration is not None:
        yield from _pause_errors(step.pause.duration, f"{path}.pause.duration")
    if step.set_canary_scale is not None:
        yield from _scale_errors(step.set_canary_scale, canary, f"{path}.setCanaryScale")
    if step.set_header_route is not None:
        yield from _header_errors(step.set_header_route, canary.traffic_routing, f"{path}.setHeaderRoute")
    if step.set_mirror_route is not None:
        yield from _mirror_errors(step.set_mirror_route, canary.traffic_routing, f"{path}.setMirrorRoute")
    if step.analysis is not None:
        yield from validate_analysis(step.analysis, f"{path}.analysis")
    if step.experiment is not None:
        yield from _experiment_errors(step.experiment, canary.traffic_routing, f"{path}.experiment")
    if step.plugin is not None and not step.plugin.name:
        yield required(f"{path}.plugin.name")


def _all_traffic(canary: CanaryStrategy) -> int:
    routing = canary.traffic_routing
    limit = routing.max_traffic_weight if routing is not None else None
    return DEFAULT_MAX_TRAFFIC_WEIGHT if limit is None else limit


def _weight_errors(weight: int, limit: int, path: str) -> Iterator[FieldError]:
    if not 0 <= weight <= limit:
        yield invalid(path, weight, f"SetWeight needs to be between 0 and {limit}")


def _pause_errors(duration: IntOrString, path: str) -> Iterator[FieldError]:
    try:
        if parse_duration(duration).total_seconds() < 0:
            yield invalid(path, duration, _DURATION)
    except ScalarError as error:
        yield invalid(path, duration, str(error))


def _scale_errors(scale: SetCanaryScale, canary: CanaryStrategy, path: str) -> Iterator[FieldError]:
    if canary.traffic_routing is None:
        yield invalid(path, scale.manifest(), _SCALE_ROUTING)
    for field, value in (("weight", scale.weight), ("replicas", scale.replicas)):
        if value is not None and value < 0:
            yield invalid(f"{path}.{field}", value, "must be greater than or equal to 0")


def _managed_route_errors(name: str, routing: TrafficRouting, path: str) -> Iterator[FieldError]:
    if not routing.managed_routes:
        yield required("spec.strategy.canary.trafficRouting.managedRoutes", _UNNAMED)
    elif not name:
        yield required(f"{path}.name", "a route that a step sets needs a name")
    elif name not in {route.name for route in routing.managed_routes}:
        yield invalid(f"{path}.name", name, _UNMANAGED)


def _header_errors(step: SetHeaderRoute, routing: TrafficRouting | None, path: str) -> Iterator[FieldError]:
    if routing is None or not (routing.istio or routing.alb or routing.apisix or routing.plugins):
        yield invalid(path, {"name": step.name}, _HEADER_ROUTING)
        return
    for index, match in enumerate(step.match):
        where = f"{path}.match[{index}]"
        if not match.header_name:
            yield required(f"{where}.headerName")
        if match.header_value is None:
            yield required(f"{where}.headerValue", _NO_MATCH)
        elif routing.alb is not None:
            yield from _alb_match_errors(match.header_value, f"{where}.headerValue")
        else:
            yield from _string_match_errors(match.header_value, f"{where}.headerValue")
    yield from _managed_route_errors(step.name, routing, path)


def _alb_match_errors(match: StringMatch, path: str) -> Iterator[FieldError]:
    if not match.exact or match.prefix or match.regex:
        yield invalid(path, match.manifest(), _ALB_EXACT)


def _string_match_errors(match: StringMatch, path: str) -> Iterator[FieldError]:
    given = sum(bool(value) for value in (match.exact, match.prefix, match.regex))
    if given != 1:
        yield invalid(path, match.manifest(), _ONE_MATCH if given else _NO_MATCH)


def _mirror_errors(step: SetMirrorRoute, routing: TrafficRouting | None, path: str) -> Iterator[FieldError]:
    if routing is None or not (routing.istio or routing.plugins):
        yield invalid(path, {"name": step.name}, _MIRROR_ROUTING)
        return
    for index, match in enumerate(step.match):
        yield from _route_match_errors(match, f"{path}.match[{index}]")
    yield from _managed_route_errors(step.name, routing, path)
    if step.percentage is not None and not 0 <= step.percentage <= 100:
        yield invalid(f"{path}.percentage", step.percentage, "must be between 0 and 100")


def _route_match_errors(match: RouteMatch, path: str) -> Iterator[FieldError]:
    if match.method is None and match.path is None and not match.headers:
        yield invalid(path, {}, "at least one of method, path and headers must be set")
    for field, value in (("method", match.method), ("path", match.path)):
        if value is not None:
            yield from _string_match_errors(value, f"{path}.{field}")
    for name, value in match.headers.items():
        yield from _string_match_errors(value, f"{path}.headers[{name}]")


def _experiment_errors(
    step: ExperimentStep, routing: TrafficRouting | None, path: str
) -> Iterator[FieldError]:
    if not step.templates:
        yield required(f"{path}.templates", "an experiment needs at least one version")
    seen: set[str] = set()
    for index, template in enumerate(step.templates):
        where = f"{path}.templates[{index}]"
        if template.name in seen:
            yield duplicate(f"{where}.name", template.name)
        seen.add(template.name)
        if template.spec_ref not in ("canary", "stable"):
            yield not_supported(f"{where}.specRef", template.spec_ref, ("canary", "stable"))
        if template.weight is None:
            continue
        if routing is None:
            yield invalid(f"{where}.weight", template.weight, _WEIGHT_ROUTING)
        elif not (routing.smi or routing.alb or routing.istio or routing.plugins):
            yield invalid(f"{where}.weight", template.weight, _WEIGHT_ROUTERS)
    if step.duration is not None:
        yield from _pause_errors(step.duration, f"{path}.duration")
    for index, analysis in enumerate(step.analyses):
        yield from _argument_errors(analysis.args, f"{path}.analyses[{index}].args")


def validate_analysis(analysis: RolloutAnalysis, path: str) -> Iterator[FieldError]:
    """Yield what is wrong with an analysis that a Rollout starts, apart from the templates themselves."""
    if not analysis.templates:
        yield required(f"{path}.templates", "an analysis needs at least one template")
    for index, ref in enumerate(analysis.templates):
        if not ref.template_name:
            yield required(f"{path}.templates[{index}].templateName")
    yield from _argument_errors(analysis.args, f"{path}.args")


def _argument_errors(args: tuple[AnalysisRunArgument, ...], path: str) -> Iterator[FieldError]:
    for index, argument in enumerate(args):
        where = f"{path}[{index}]"
        source = argument.value_from
        if source is None:
            continue
        if argument.value is not None:
            yield invalid(where, {"name": argument.name}, "value and valueFrom are both set; keep one")
        hash_of = source.pod_template_hash_value
        if hash_of is not None and hash_of not in ("Latest", "Stable"):
            yield not_supported(f"{where}.valueFrom.podTemplateHashValue", hash_of, ("Latest", "Stable"))
        if source.field_ref is not None:
            yield from _field_path_errors(
                source.field_ref.field_path, f"{where}.valueFrom.fieldRef.fieldPath"
            )


def _field_path_errors(field: str, path: str) -> Iterator[FieldError]:
    if not field:
        yield required(path)
    elif field.startswith("metadata") and not _METADATA_PATH.fullmatch(field):
        yield invalid(path, field, _METADATA)
