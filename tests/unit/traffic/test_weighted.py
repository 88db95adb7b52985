"""The router contract on routers that are described by data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import FOREIGN, Live, RouterCase, RouterContract
from rollouts.traffic.router import TrafficError, TrafficIntent
from rollouts.traffic.weighted import Traefik, Weighted
from tests.unit.traffic.routes import HEADER, INTENT

PAIR = ("web-stable", "web-canary")


def thing(api_version: str, kind: str, spec: Any) -> Manifest:
    meta = {"name": "web", "namespace": "shop", "resourceVersion": "2", "labels": {"team": FOREIGN}}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec}


def entries(field: str = "name", *names: str) -> list[Manifest]:
    return [{field: name, "weight": 50, "port": 80} for name in names or PAIR]


def traefik(spec: Any = None) -> Manifest:
    spec = {"weighted": {"services": entries(), "sticky": FOREIGN}} if spec is None else spec
    return thing("traefik.io/v1alpha1", "TraefikService", spec)


def contour() -> Manifest:
    routes = [{"services": entries()}, {"services": entries("name", "docs")}]
    return thing("projectcontour.io/v1", "HTTPProxy", {"routes": routes, "virtualhost": {"fqdn": FOREIGN}})


CONTOUR = {
    "apiGroup": "projectcontour.io",
    "kind": "HTTPProxy",
    "name": "web",
    "backends": "spec.routes[*].services",
}


class TestTraefik(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        def weights(live: Live, intent: TrafficIntent) -> Sequence[Mapping[str, int]]:
            return [{s["name"]: s["weight"] for s in live[0]["spec"]["weighted"]["services"]}]

        bad = (
            {},
            {"weighted": {}},
            {"weighted": 1},
            {"weighted": {"services": 1}},
            {"weighted": {"services": [1]}},
        )
        return RouterCase(
            router=Traefik(),
            config={"weightedTraefikServiceName": "web"},
            live=(traefik(),),
            intent=INTENT,
            weights=weights,
            malformed=tuple((traefik(spec),) for spec in bad),
            bad_configs=({}, {"weightedTraefikServiceName": 1}, {"weightedTraefikServiceName": "a", "x": 1}),
        )


class TestAnyMesh(RouterContract):
    @pytest.fixture
    def case(self) -> RouterCase:
        def weights(live: Live, intent: TrafficIntent) -> Sequence[Mapping[str, int]]:
            return [{s["name"]: s["weight"] for s in live[0]["spec"]["routes"][0]["services"]}]

        return RouterCase(
            router=Weighted(),
            config=CONTOUR,
            live=(contour(),),
            intent=INTENT,
            weights=weights,
            malformed=tuple(
                ({**contour(), "spec": spec},) for spec in (None, {"routes": "x"}, {"routes": [3]})
            ),
            bad_configs=({}, {**CONTOUR, "backends": "spec.routes[0].services"}, {**CONTOUR, "kind": ""}),
            max_weights=(100, 1000),
        )


def test_what_weights_alone_cannot_express_is_refused() -> None:
    with pytest.raises(TrafficError, match="weights of stable and canary only"):
        Weighted().plan(CONTOUR, (contour(),), replace(INTENT, header_routes=(HEADER,)))
