"""The router contract on all four kinds of route."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import pytest

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import FOREIGN, Live, RouterCase, RouterContract
from rollouts.traffic.gateway_api import GatewayApi
from rollouts.traffic.router import Destination, TrafficIntent
from tests.unit.traffic.routes import HEADER, INTENT, MIRROR, parent, prefix, ref, route, rule, shares


def weights(live: Live, intent: TrafficIntent) -> Sequence[Mapping[str, int]]:
    """Return the shares of every rule that splits and is not managed."""
    return [
        shares(r)
        for obj in live
        for r in obj["spec"]["rules"]
        if len(r["backendRefs"]) > 1 and r.get("name") not in intent.managed_routes
    ]


def malformed(good: Manifest) -> tuple[Live, ...]:
    """Return the route broken in ways that an API server without a schema could hand out."""
    spoilt = []
    for change in (
        {"spec": None},
        {"spec": {"rules": "none"}},
        {"spec": {"rules": []}},
        {"spec": {"rules": [None]}},
        {"spec": {"rules": [{"backendRefs": {}}]}},
        {"spec": {"rules": [{"backendRefs": ["web-stable"]}]}},
        {"spec": {"rules": [{"backendRefs": [ref("web-stable", 1)]}]}},
        {"spec": {"rules": [{"backendRefs": [ref("web-stable", 1), ref("web-canary", weight="2")]}]}},
        {"spec": {"rules": [{"backendRefs": [ref("web-stable", 1), ref("web-canary"), ref("web-canary")]}]}},
    ):
        spoilt.append(({**copy.deepcopy(good), **change},))
    return tuple(spoilt)


def case_of(kind: str, field: str, live: Manifest) -> RouterCase:
    named = kind in ("HTTPRoute", "GRPCRoute")
    return RouterCase(
        router=GatewayApi(),
        config={field: "web"},
        live=({**live, "status": {"parents": [parent()]}},),
        intent=INTENT,
        weights=weights,
        header_routes=(HEADER,) if named else (),
        mirror_routes=(MIRROR,) if named else (),
        additional=(Destination(service="web-exp", weight=7, pod_hash="abc", port=80),),
        malformed=malformed(live),
        bad_configs=(
            {},
            {field: 3},
            {f"{field}s": "web"},
            {f"{field}s": [{}]},
            {field: "web", "new": 1},
        ),
        max_weights=(100, 1000),
    )


class TestHttpRoute(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        rules = [
            rule(matches=[prefix("/")], timeouts={"request": FOREIGN}),
            {"matches": [prefix("/docs")], "backendRefs": [ref("docs", 1, filters=[{"type": FOREIGN}])]},
            rule(None, None, matches=[prefix("/api"), prefix("/v2")], name="api"),
        ]
        return case_of("HTTPRoute", "httpRoute", route(rules))


class TestGrpcRoute(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        rules = [rule(matches=[{"method": {"service": FOREIGN}}]), rule()]
        return case_of("GRPCRoute", "grpcRoute", route(rules, "GRPCRoute"))


class TestTcpRoute(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        return case_of("TCPRoute", "tcpRoute", route([rule()], "TCPRoute"))


class TestTlsRoute(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        return case_of("TLSRoute", "tlsRoute", route([rule()], "TLSRoute"))


class TestSeveralRoutes(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        live = (
            route([rule(matches=[prefix("/")])]),
            route([rule(matches=[prefix("/shop")])], name="shop"),
            route([rule()], "TCPRoute", name="raw"),
            route([rule()], "TLSRoute", name="tls", labels={"app": "web"}),
        )
        config = {
            "httpRoutes": [{"name": "web", "useHeaderRoutes": True}, {"name": "shop"}],
            "tcpRoutes": [{"name": "raw"}],
            "tlsRouteSelector": {"matchLabels": {"app": "web"}},
        }
        return RouterCase(
            router=GatewayApi(),
            config=config,
            live=live,
            intent=INTENT,
            weights=weights,
            header_routes=(HEADER,),
            mirror_routes=(MIRROR,),
            additional=(Destination(service="web-exp", weight=7, pod_hash="abc", port=80),),
            malformed=tuple((*live[:2], *bad) for bad in malformed(live[2])),
        )
