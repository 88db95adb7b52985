"""Traefik: its API shows the weighted services of the configuration that is in force.

Measured with Traefik 3.7.15: a rule is the service
``<kind>-<namespace>-<name>-gw-<gateway>-ep-<entry point>-<rule>-<digest>-wrr@kubernetesgateway``, once for
each match and listener, and its members end in ``-svc-<namespace>-<service>-<number>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from rollouts.verification.addresses import Replicas
from rollouts.verification.verifier import CannotTell, Shares, Wanted, shares, shown
from rollouts.verification.wanted import ROUTES

CONTROLLER = "traefik.io/gateway-controller"
_PAGE = 1000
_TAIL = re.compile(r"-(?P<rule>\d+)-[0-9a-f]{20}-wrr@kubernetesgateway\Z")
_MEMBER = re.compile(r"-svc-(?P<service>.+)-\d+\Z")
_PROTOCOLS = {"HTTPRoute": "http", "GRPCRoute": "http", "TCPRoute": "tcp", "TLSRoute": "tcp"}


class TraefikApi:
    """Asks the API of every replica."""

    name: ClassVar[str] = "Traefik's API"
    pause: ClassVar[float] = 0.5

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas

    def covers(self, wanted: Wanted) -> bool:
        """Tell whether a Traefik has reported on the route."""
        return wanted.kind in ROUTES and CONTROLLER in wanted.controllers

    async def differs(self, wanted: Wanted) -> str:
        """Compare the weighted services of the route with its rules, at each replica."""
        prefix = f"-{_normal(wanted.namespace)}-{_normal(wanted.name)}-gw-"
        query = f"?search={quote(prefix)}&per_page={_PAGE}"
        path = f"/api/{_PROTOCOLS[wanted.kind]}/services{query}"
        for replica, services in await self._replicas.get(path):
            if not isinstance(services, list) or len(services) >= _PAGE:
                raise CannotTell(f"{replica}: not a list of fewer than {_PAGE} services")
            found = list(_split(wanted, f"{wanted.kind.lower()}{prefix}", services))
            if not found:
                raise CannotTell(f"{replica}: no weighted service has the name of {wanted}")
            problem = _difference(wanted, found)
            if problem:
                return f"{replica}: {problem}"
        return ""

    async def close(self) -> None:
        """Close all connections."""
        await self._replicas.close()


def _difference(wanted: Wanted, found: Sequence[tuple[int, Shares]]) -> str:
    rules = dict(wanted.rules)
    missing = dict(rules)
    for rule, have in found:
        want = rules.get(rule, ())
        if have != want:
            return f"rule {rule} of {wanted} has {shown(have)}, written is {shown(want)}"
        missing.pop(rule, None)
    if not missing:
        return ""
    rule, want = next(iter(missing.items()))
    return f"rule {rule} of {wanted} is not there yet, written is {shown(want)}"


def _split(wanted: Wanted, prefix: str, services: list[Any]) -> Iterator[tuple[int, Shares]]:
    """Yield the shares of each weighted service of the route that has one of the Rollout's Services."""
    names = {_normal(name): name for name in wanted.services}
    for service in services:
        title = str(service.get("name", "")) if isinstance(service, Mapping) else ""
        tail = _TAIL.search(title)
        if tail is None or not title.startswith(prefix):
            continue
        weights: dict[str, int] = {}
        for member in (service.get("weighted") or {}).get("services") or ():
            found = _MEMBER.search(str(member.get("name", "")))
            name = names.get(found["service"]) if found is not None else None
            if name is not None:
                weights[name] = weights.get(name, 0) + int(member.get("weight", 1))
        if weights:
            yield int(tail["rule"]), shares(weights, wanted.services)


def _normal(name: str) -> str:
    """Return a name as Traefik writes it into those of services."""
    return "-".join(re.findall(r"[A-Za-z0-9]+", name))
