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
from rollouts.verification.verifier import CannotTell, Pods, Shares, Wanted, difference, misled, shares

_ROUTES = "/config_dump?resource=dynamic_route_configs"
_CLUSTERS = "/clusters?format=json"
_WORDS = re.compile(r"[A-Za-z0-9-]+")


class EnvoyAdmin:
    """Asks the admin endpoint of every replica."""

    name: ClassVar[str] = "Envoy's admin endpoint"
    pause: ClassVar[float] = 1.0

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas

    def covers(self, wanted: Wanted) -> frozenset[str]:
        """Return every controller but Traefik, where they have reported on an HTTP or gRPC route."""
        found = wanted.controllers if wanted.kind in ("HTTPRoute", "GRPCRoute") else ()
        return frozenset(found) - {TRAEFIK}

    async def differs(self, wanted: Wanted, pods: Pods) -> str:
        """Compare the splits among the Rollout's Services with the rules, then the hosts, at each replica."""
        for replica, dump in await self._replicas.get(_ROUTES):
            seen = set(_splits(wanted, dump))
            if not seen:
                raise CannotTell(f"{replica}: no route leads to {' or '.join(wanted.services)} by its name")
            problem = difference(wanted, seen)
            if problem:
                return f"{replica}: {wanted}: {problem}"
        versions = await pods()
        for replica, dump in await self._replicas.get(_CLUSTERS):
            problem = misled(wanted, _hosts(wanted, dump), versions)
            if problem:
                return f"{replica}: {wanted}: {problem}"
        return ""

    async def close(self) -> None:
        """Close all connections."""
        await self._replicas.close()


def _splits(wanted: Wanted, dump: Any) -> Iterator[Shares]:
    """Yield the shares of each route that leads to one of the Rollout's Services."""
    for route in _routes(dump):
        action = route.get("route") or {}
        clusters = (action.get("weighted_clusters") or {}).get("clusters") or ()
        if not clusters and action.get("cluster"):
            clusters = ({"name": action["cluster"], "weight": 1},)
        weights: dict[str, int] = {}
        for cluster in clusters:
            for name in _services(wanted, cluster):
                weights[name] = weights.get(name, 0) + int(cluster.get("weight", 0))
        if weights:
            yield shares(weights, wanted.services)


def _services(wanted: Wanted, cluster: Mapping[str, Any]) -> list[str]:
    """Return the Rollout's Services whose namespace and name are words of a cluster's name."""
    seen = Counter(_WORDS.findall(str(cluster.get("name", ""))))
    return [name for name in wanted.services if Counter(name.split("/")) <= seen]


def _hosts(wanted: Wanted, dump: Any) -> Mapping[str, list[str]]:
    """Return the addresses behind each of the Rollout's Services."""
    found: dict[str, list[str]] = {}
    for cluster in dump.get("cluster_statuses") or ():
        for name in _services(wanted, cluster):
            for host in cluster.get("host_statuses") or ():
                place = (host.get("address") or {}).get("socket_address") or {}
                found.setdefault(name, []).append(str(place.get("address", "")))
    return found


def _routes(dump: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(dump, Mapping):
        raise CannotTell("the answer is no dump of a configuration")
    for entry in dump.get("configs") or ():
        config = entry.get("route_config") or {}
        for host in config.get("virtual_hosts") or ():
            yield from host.get("routes") or ()
