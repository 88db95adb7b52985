"""Which routers a Rollout uses: from ``spec.strategy.canary.trafficRouting`` to routers with their config."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, cast

from rollouts.traffic.alb import Alb
from rollouts.traffic.ambassador import Ambassador
from rollouts.traffic.apisix import Apisix
from rollouts.traffic.app_mesh import AppMesh
from rollouts.traffic.config import ROOT
from rollouts.traffic.gateway_api import GatewayApi
from rollouts.traffic.istio import Istio
from rollouts.traffic.nginx import Nginx
from rollouts.traffic.presets import PRESETS
from rollouts.traffic.router import Config, TrafficError, TrafficRouter
from rollouts.traffic.smi import Smi
from rollouts.traffic.weighted import Traefik, Weighted

ENTRY_POINT_GROUP = "rollouts.traffic_routers"

_FIELDS: tuple[TrafficRouter, ...] = (
    Istio(), Nginx(), Alb(), Smi(), Ambassador(), AppMesh(), Traefik(), Apisix()
)  # fmt: skip
_PLUGINS: tuple[TrafficRouter, ...] = (GatewayApi(), Weighted(), *PRESETS)

FIELDS: Mapping[str, TrafficRouter] = MappingProxyType({router.name: router for router in _FIELDS})
"""Routers that have a field of their own in ``trafficRouting``, in the order in which they are served."""

PLUGINS: Mapping[str, TrafficRouter] = MappingProxyType({router.name: router for router in _PLUGINS})
"""Routers that are configured under ``trafficRouting.plugins``."""

_OTHER_FIELDS = frozenset({"plugins", "managedRoutes", "maxTrafficWeight"})
_NONE: Mapping[str, TrafficRouter] = MappingProxyType({})


def routers_for(
    traffic_routing: Mapping[str, Any], third_party: Mapping[str, TrafficRouter] = _NONE
) -> tuple[tuple[TrafficRouter, Config], ...]:
    """Return the configured routers: those with a field first, then plugins by name.

    ``third_party`` is what ``third_party_routers`` found. Raises TrafficError for a field or a plugin that
    nobody answers.
    """
    _refuse_unknown(traffic_routing)
    found: list[tuple[TrafficRouter, Config]] = []
    for name, router in FIELDS.items():
        config = traffic_routing.get(name)
        if config is not None:
            found.append((router, _mapping(config, f"{ROOT}.{name}")))
    plugins = _mapping(traffic_routing.get("plugins") or {}, f"{ROOT}.plugins")
    served = {**third_party, **PLUGINS}
    for name in sorted(plugins):
        path = f'{ROOT}.plugins["{name}"]'
        if name not in served:
            raise TrafficError(
                f"{path}: no such traffic router; known are {_names(served)}. Correct the name, or install "
                f"a package that registers it as entry point {ENTRY_POINT_GROUP}"
            )
        found.append((served[name], _mapping(plugins[name], path)))
    return tuple(found)


def third_party_routers() -> Mapping[str, TrafficRouter]:
    """Load the routers that installed packages register as entry points. Call once, at start-up.

    An entry point's name is the plugin's name, its object a TrafficRouter or a class without arguments.
    Raises TrafficError for one that cannot be loaded or takes the name of a router of ours.
    """
    found: dict[str, TrafficRouter] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name in PLUGINS:
            raise TrafficError(
                f"entry point {point.name!r} of {point.value} takes the name of a built-in router"
            )
        try:
            loaded = point.load()
            router = loaded() if isinstance(loaded, type) else loaded
        except (ImportError, AttributeError, TypeError) as error:
            raise TrafficError(
                f"entry point {point.name!r} of {point.value} cannot be loaded: {error}"
            ) from error
        missing = [verb for verb in ("needs", "read", "plan") if not callable(getattr(router, verb, None))]
        if missing:
            raise TrafficError(
                f"entry point {point.name!r} of {point.value} is no router: it lacks {missing}"
            )
        found[point.name] = cast("TrafficRouter", router)
    return found


def _refuse_unknown(traffic_routing: Mapping[str, Any]) -> None:
    for name in traffic_routing:
        if name in _OTHER_FIELDS or name in FIELDS:
            continue
        hint = f'; configure the Gateway API under {ROOT}.plugins["{GatewayApi.name}"]'
        raise TrafficError(
            f"{ROOT}.{name}: unknown field" + (hint if name.lower().startswith("gateway") else "; remove it")
        )


def _mapping(value: Any, path: str) -> Config:
    if not isinstance(value, Mapping):
        raise TrafficError(f"{path}: must be an object, found {type(value).__name__}")
    return value


def _names(routers: Mapping[str, TrafficRouter]) -> str:
    return ", ".join(sorted(routers)) or "none yet"
