"""Traefik: its API shows the weighted services of the configuration that is in force.

Measured with Traefik 3.7.15: a rule is the service
``<kind>-<namespace>-<name>-gw-<gateway>-ep-<entry point>-<rule>-<digest>-wrr@kubernetesgateway``, once for
each match and listener, and its members end in ``-svc-<namespace>-<service>-<number>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from rollouts.verification.addresses import Replicas
from rollouts.verification.verifier import CannotTell, Pods, Shares, Wanted, misled, shares, shown
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

    def covers(self, wanted: Wanted) -> frozenset[str]:
        """Return Traefik, where it has reported on a route."""
        found = {CONTROLLER} if wanted.kind in ROUTES else set()
        return frozenset(found.intersection(wanted.controllers))

    async def differs(self, wanted: Wanted, pods: Pods) -> str:
        """Compare the weighted services of the route with its rules, then their servers, at each replica."""
        prefix = f"-{_normal(wanted.namespace)}-{_normal(wanted.name)}-gw-"
        query = f"?search={quote(prefix)}&per_page={_PAGE}"
        path = f"/api/{_PROTOCOLS[wanted.kind]}/services{query}"
        for replica, services in await self._replicas.get(path):
            if not isinstance(services, list) or len(services) >= _PAGE:
                raise CannotTell(f"{replica}: not a list of fewer than {_PAGE} services")
            own = [
                service
                for service in services
                if str(service.get("name", "")).startswith(f"{wanted.kind.lower()}{prefix}")
            ]
            found = list(_split(wanted, own))
            if not found:
                raise CannotTell(f"{replica}: no weighted service has the name of {wanted}")
            problem = _difference(wanted, found) or misled(wanted, _servers(wanted, own), await pods())
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


def _split(wanted: Wanted, services: Sequence[Any]) -> Iterator[tuple[int, Shares]]:
    """Yield the shares of each weighted service of the route that has one of the Rollout's Services."""
    for service in services:
        tail = _TAIL.search(service["name"])
        if tail is None:
            continue
        weights: dict[str, int] = {}
        for member in (service.get("weighted") or {}).get("services") or ():
            name = _service(wanted, str(member.get("name", "")))
            if name:
                weights[name] = weights.get(name, 0) + int(member.get("weight", 1))
        if weights:
            yield int(tail["rule"]), shares(weights, wanted.services)


def _servers(wanted: Wanted, services: Sequence[Any]) -> Mapping[str, Sequence[str]]:
    """Return the addresses behind each of the Rollout's Services."""
    found: dict[str, list[str]] = {}
    for service in services:
        name = _service(wanted, service["name"].partition("@")[0])
        for server in (service.get("loadBalancer") or {}).get("servers") or () if name else ():
            place = str(server.get("url") or f"tcp://{server.get('address', '')}")
            found.setdefault(name, []).append(urlsplit(place).hostname or "")
    return found


def _service(wanted: Wanted, member: str) -> str:
    """Return the Rollout's Service that the name of a member stands for, "" for none."""
    found = _MEMBER.search(member)
    names = {_normal(name): name for name in wanted.services}
    return names.get(found["service"], "") if found is not None else ""


def _normal(name: str) -> str:
    """Return a name as Traefik writes it into those of services."""
    return "-".join(re.findall(r"[A-Za-z0-9]+", name))
