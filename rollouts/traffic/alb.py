"""AWS load balancer controller: weights as JSON in an annotation of the user's Ingress.

The controller reads the annotation text, so it is written byte for byte as the peer writes it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import orjson

from rollouts.api.argoproj.rollout import AlbRouting
from rollouts.kube.objects import Manifest, annotations_of
from rollouts.traffic import ingress as ing
from rollouts.traffic.config import ROOT, parse
from rollouts.traffic.live import existing, items, replacement, share, stable_weight, title, whole
from rollouts.traffic.router import (
    Config,
    Edit,
    HeaderRoute,
    Need,
    TrafficError,
    TrafficIntent,
    TrafficState,
)

PATH = f"{ROOT}.alb"
DEFAULT_PREFIX = "alb.ingress.kubernetes.io"
MANAGED = "rollouts.argoproj.io/managed-alb-annotations"
"""Annotation: per rollout, the annotations that it wrote. The peer's, so that either one can clean up."""


class Alb:
    """The AWS load balancer router. Stateless."""

    name: ClassVar[str] = "alb"

    def needs(self, config: Config, intent: TrafficIntent) -> tuple[Need, ...]:
        """Return the ingresses."""
        return tuple(ing.need(intent, name) for name in _names(_parse(config)))

    def read(
        self, config: Config, live: Sequence[Manifest], intent: TrafficIntent, now: datetime
    ) -> TrafficState:
        """Return the highest weight over the ingresses; without the annotation nothing goes to the canary."""
        parsed = _parse(config)
        weights = []
        for name in _names(parsed):
            obj = existing(live, ing.need(intent, name), f"{PATH}.ingress")
            text = annotations_of(obj).get(_action(parsed, _root(parsed, intent)))
            weights.append(0 if text is None else _read(obj, text, intent))
        return TrafficState(canary_weight=max(weights))

    def plan(self, config: Config, live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Edit, ...]:
        """Return an edit for each Ingress whose annotations or paths differ."""
        parsed = _parse(config)
        if intent.mirror_routes:
            raise TrafficError(f"{PATH}: alb has no mirror routes; remove the step or use another router")
        edits: tuple[Edit, ...] = ()
        for name in _names(parsed):
            obj = existing(live, ing.need(intent, name), f"{PATH}.ingress")
            ing.check_backend(obj, _root(parsed, intent))
            body = copy.deepcopy(obj)
            _annotate(parsed, body, intent)
            _place_paths(parsed, body, intent)
            summary = f"{title(obj)}: canary {intent.canary_weight} of {intent.max_weight}"
            edits += replacement(obj, body, summary, "PatchingALBIngress")
        return edits


def forward(config: AlbRouting, weights: Sequence[tuple[str, int]]) -> str:
    """Return the action's JSON: Services with weights in the given order, ports as text."""
    groups = [
        {"ServiceName": service, "ServicePort": str(config.service_port), "Weight": weight}
        for service, weight in weights
    ]
    forwarding: dict[str, Any] = {"TargetGroups": groups}
    sticky = config.stickiness_config
    if sticky is not None and sticky.enabled:
        if not 1 <= sticky.duration_seconds <= 604800:
            raise TrafficError(f"{PATH}.stickinessConfig.durationSeconds: must be in 1..604800 (seven days)")
        forwarding["TargetGroupStickinessConfig"] = {
            "Enabled": True,
            "DurationSeconds": sticky.duration_seconds,
        }
    return _text({"Type": "forward", "ForwardConfig": forwarding})


def _parse(config: Config) -> AlbRouting:
    parsed = parse(AlbRouting, dict(config), PATH)
    if parsed.service_port <= 0:
        raise TrafficError(f"{PATH}.servicePort: must be the port of the Services")
    return parsed


def _names(config: AlbRouting) -> tuple[str, ...]:
    return ing.names(config.ingress, config.ingresses, PATH, "ingress")


def _root(config: AlbRouting, intent: TrafficIntent) -> str:
    return config.root_service or intent.stable_service


def _action(config: AlbRouting, name: str) -> str:
    return f"{config.annotation_prefix or DEFAULT_PREFIX}/actions.{name}"


def _condition(config: AlbRouting, name: str) -> str:
    return f"{config.annotation_prefix or DEFAULT_PREFIX}/conditions.{name}"


def _read(obj: Manifest, text: str, intent: TrafficIntent) -> int:
    try:
        groups = orjson.loads(text)["ForwardConfig"]["TargetGroups"]
        weights = {group["ServiceName"]: whole(group.get("Weight", 0), title(obj)) for group in groups}
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise TrafficError(f"{title(obj)}: the action annotation is no forward action ({error})") from error
    return share(weights.get(intent.canary_service, 0), sum(weights.values()), intent.max_weight)


def _annotate(config: AlbRouting, body: Manifest, intent: TrafficIntent) -> None:
    found = dict(annotations_of(body))
    root = _action(config, _root(config, intent))
    managed = _managed(body)
    for key in managed.get(intent.rollout, ()):
        if key != root:
            found.pop(key, None)
    keys = [root]
    if intent.canary_weight is not None:
        weights = [(intent.canary_service, intent.canary_weight)]
        weights += [(d.service, d.weight) for d in intent.additional]
        found[root] = forward(config, [*weights, (intent.stable_service, stable_weight(intent))])
    theirs = _of_others(managed, intent)
    for route in intent.header_routes:
        key = _action(config, route.name)
        if key in theirs:
            raise TrafficError(
                f"{title(body)}: annotation {key} belongs to another Rollout (annotation {MANAGED}); rename "
                f"the managed route {route.name!r} of one of them"
            )
        found[key] = forward(config, [(intent.canary_service, 100)])
        found[_condition(config, route.name)] = _conditions(route)
        keys += [key, _condition(config, route.name)]
    if root in found:
        managed[intent.rollout] = keys
        found[MANAGED] = orjson.dumps(managed, option=orjson.OPT_SORT_KEYS).decode()
    body["metadata"]["annotations"] = found


def _of_others(managed: Mapping[str, Sequence[str]], intent: TrafficIntent) -> set[str]:
    """Return the annotations that other rollouts on this Ingress wrote."""
    return {key for name, keys in managed.items() if name != intent.rollout for key in keys}


def _managed(obj: Manifest) -> dict[str, list[str]]:
    text = annotations_of(obj).get(MANAGED, "") or "{}"
    try:
        decoded = orjson.loads(text)
    except orjson.JSONDecodeError:
        decoded = None
    if not isinstance(decoded, dict) or not all(isinstance(keys, list | None) for keys in decoded.values()):
        raise TrafficError(
            f"{title(obj)}: annotation {MANAGED} is no JSON object of lists, as "
            '{"rollout":["annotation"]}; remove it'
        )
    return {name: [str(key) for key in keys or ()] for name, keys in decoded.items()}


def _conditions(route: HeaderRoute) -> str:
    if not route.matches:
        raise TrafficError(
            f"setHeaderRoute {route.name!r}: a header route without a match takes all requests"
        )
    found = []
    for match in route.matches:
        if match.exact is None:
            raise TrafficError(
                f"setHeaderRoute {route.name!r}: alb matches exact header values only; use exact"
            )
        values = {"httpHeaderName": match.header, "values": [match.exact]}
        found.append({"field": "http-header", "httpHeaderConfig": values})
    return _text(found)


def _text(value: Any) -> str:
    """Return compact JSON with the three characters escaped that Go's encoder escapes."""
    text = orjson.dumps(value).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _place_paths(config: AlbRouting, body: Manifest, intent: TrafficIntent) -> None:
    """Put a path for each header route before all others, and remove those of former ones."""
    wanted = [route.name for route in intent.header_routes]
    wanted.sort(key=lambda name: _rank(name, intent.managed_routes))
    theirs = _of_others(_managed(body), intent)
    ours = {name for name in (*wanted, *intent.managed_routes) if _action(config, name) not in theirs}
    for rule in items(body["spec"], "rules", f"{title(body)} spec"):
        listed = (rule.get("http") or {}).get("paths")
        if listed is None:
            continue
        own = [path for path in listed if not (_by_annotation(path) and ing.service_of(path) in ours)]
        leads = any(ing.service_of(path) == _root(config, intent) for path in own)
        rule["http"]["paths"] = ([_path(name) for name in wanted] if leads else []) + own


def _rank(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)


def _by_annotation(path: Mapping[str, Any]) -> bool:
    port = ((path.get("backend") or {}).get("service") or {}).get("port") or {}
    return bool(port.get("name") == "use-annotation")


def _path(name: str) -> Manifest:
    service = {"name": name, "port": {"name": "use-annotation"}}
    return {"path": "/*", "pathType": "ImplementationSpecific", "backend": {"service": service}}
