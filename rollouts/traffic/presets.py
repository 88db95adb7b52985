"""Meshes and gateways that need no code: each is a row of names, served as plugin ``rollouts.dev/<name>``.

The configuration is ``{name, namespace?, stableName?, canaryName?}``: the object, and what its backends call
the two versions where that is not the Services' names (an upstream, a subset). Kong splits by HTTPRoute and
is served by the Gateway API router.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollouts.api.base import ApiModel
from rollouts.traffic.config import ROOT, parse, require
from rollouts.traffic.router import Config, Need, TrafficIntent
from rollouts.traffic.weighted import Backends, ByDescription


class PresetConfig(ApiModel):
    """Configuration of every preset."""

    name: str = ""
    namespace: str | None = None
    stable_name: str | None = None
    canary_name: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Where one kind of object holds its weighted backends; fields as in ``Backends``."""

    group: str
    kind: str
    lists: tuple[str, ...]
    service: str = "name"


class Preset(ByDescription):
    """One row, served as a router."""

    def __init__(self, name: str, row: Row) -> None:
        self.name = f"rollouts.dev/{name}"  # type: ignore[misc]  # each instance is another plugin
        self._row = row

    def describe(self, config: Config, intent: TrafficIntent) -> Backends:
        """Return the row for the configured object."""
        path = f'{ROOT}.plugins["{self.name}"]'
        parsed = parse(PresetConfig, dict(config), path)
        row = self._row
        name = require(parsed.name, f"{path}.name", f"the {row.kind}")
        namespace = parsed.namespace or intent.namespace
        return Backends(
            need=Need(group=row.group, kind=row.kind, namespace=namespace, name=name),
            path=f"{path}.name",
            lists=row.lists,
            service=row.service,
            stable=parsed.stable_name or "",
            canary=parsed.canary_name or "",
        )


_GLOO = "routeAction.multi.destinations"

ROWS = {
    "contour": Row("projectcontour.io", "HTTPProxy", ("spec.routes[*].services",)),
    "openshift-route": Row("route.openshift.io", "Route", ("spec.to", "spec.alternateBackends")),
    "gloo": Row(
        "gateway.solo.io",
        "VirtualService",
        (f"spec.virtualHost.routes[*].{_GLOO}",),
        service="destination.kube.ref.name",
    ),
    "gloo-upstreams": Row(
        "gateway.solo.io",
        "VirtualService",
        (f"spec.virtualHost.routes[*].{_GLOO}",),
        service="destination.upstream.name",
    ),
    "gloo-route-table": Row(
        "gateway.solo.io", "RouteTable", (f"spec.routes[*].{_GLOO}",), service="destination.kube.ref.name"
    ),
    "consul": Row("consul.hashicorp.com", "ServiceSplitter", ("spec.splits",), service="service"),
    "consul-subsets": Row(
        "consul.hashicorp.com", "ServiceSplitter", ("spec.splits",), service="serviceSubset"
    ),
}

PRESETS: tuple[Preset, ...] = tuple(Preset(name, row) for name, row in ROWS.items())
