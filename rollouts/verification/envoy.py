"""Envoy: its admin endpoint shows the routes that were delivered to it.

Implementations name their clusters in ways of their own, but Istio, Contour, kgateway and Cilium all put the
namespace and the Service's name into them as whole words; that is what is looked for. Where the clusters are
named after rules, as Envoy Gateway does it, the answer is that it cannot be told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from rollouts.verification.addresses import Replicas
from rollouts.verification.traefik import CONTROLLER as TRAEFIK
from rollouts.verification.verifier import CannotTell, Shares, Wanted, difference, shares

_PATH = "/config_dump?resource=dynamic_route_configs"
_WORDS = re.compile(r"[A-Za-z0-9-]+")


class EnvoyAdmin:
    """Asks the admin endpoint of every replica."""

    name: ClassVar[str] = "Envoy's admin endpoint"
    pause: ClassVar[float] = 1.0

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas

    def covers(self, wanted: Wanted) -> bool:
        """Tell whether the route may be an Envoy's: HTTP or gRPC, and not of Traefik alone."""
        return wanted.kind in ("HTTPRoute", "GRPCRoute") and set(wanted.controllers) != {TRAEFIK}

    async def differs(self, wanted: Wanted) -> str:
        """Compare the splits among the Rollout's Services with the rules, at each replica."""
        for replica, dump in await self._replicas.get(_PATH):
            seen = set(_splits(wanted, dump))
            if not seen:
                raise CannotTell(f"{replica}: no route leads to {' or '.join(wanted.services)} by its name")
            problem = difference(wanted, seen)
            if problem:
                return f"{replica}: {wanted}: {problem}"
        return ""

    async def close(self) -> None:
        """Close all connections."""
        await self._replicas.close()


def _splits(wanted: Wanted, dump: Any) -> Iterator[Shares]:
    """Yield the shares of each route that leads to one of the Rollout's Services."""
    words = {name: Counter(name.split("/")) for name in wanted.services}
    for route in _routes(dump):
        action = route.get("route") or {}
        clusters = (action.get("weighted_clusters") or {}).get("clusters") or ()
        if not clusters and action.get("cluster"):
            clusters = ({"name": action["cluster"], "weight": 1},)
        weights: dict[str, int] = {}
        for cluster in clusters:
            seen = Counter(_WORDS.findall(str(cluster.get("name", ""))))
            for name, needed in words.items():
                if needed <= seen:
                    weights[name] = weights.get(name, 0) + int(cluster.get("weight", 0))
        if weights:
            yield shares(weights, wanted.services)


def _routes(dump: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(dump, Mapping):
        raise CannotTell("the answer is no dump of a configuration")
    for entry in dump.get("configs") or ():
        config = entry.get("route_config") or {}
        for host in config.get("virtual_hosts") or ():
            yield from host.get("routes") or ()
