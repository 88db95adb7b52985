"""The router contract on every preset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import FOREIGN, Live, RouterCase, RouterContract, applied
from rollouts.traffic.presets import PRESETS, ROWS, Preset
from rollouts.traffic.registry import routers_for
from rollouts.traffic.router import TrafficError, TrafficIntent
from rollouts.traffic.weighted import Weighted
from tests.unit.traffic.routes import INTENT

BY_NAME = {preset.name.removeprefix("rollouts.dev/"): preset for preset in PRESETS}


def backends(service: str) -> list[Manifest]:
    found = []
    for name, weight in (("web-stable", 100), ("web-canary", 0)):
        backend: Manifest = {"weight": weight, "extra": FOREIGN}
        node = backend
        *outer, last = service.split(".")
        for key in outer:
            node = node.setdefault(key, {})
        node[last] = name
        found.append(backend)
    return found


def spec_of(name: str) -> Any:
    """Return a spec of the preset's kind with both backends."""
    listed = backends(ROWS[name].service)
    destinations = {"routeAction": {"multi": {"destinations": listed}}}
    if name == "contour":
        return {"routes": [{"services": listed}, {"services": [{"name": "docs"}]}]}
    if name == "openshift-route":
        return {"to": listed[0], "alternateBackends": listed[1:]}
    if name == "gloo-route-table":
        return {"routes": [destinations]}
    if name.startswith("gloo"):
        return {"virtualHost": {"routes": [destinations, {"redirectAction": {}}]}}
    return {"splits": listed}


def object_of(name: str, spec: Any) -> Manifest:
    row = ROWS[name]
    meta = {"name": "web", "namespace": "shop", "resourceVersion": "3"}
    return {"apiVersion": f"{row.group}/v1", "kind": row.kind, "metadata": meta, "spec": spec}


def weights(live: Live, intent: TrafficIntent) -> Sequence[Mapping[str, int]]:
    found: dict[str, int] = {}

    def walk(node: Any) -> None:
        if isinstance(node, dict) and "weight" in node:
            found[str(node)] = node["weight"]
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for child in children:
            walk(child)

    walk(live[0]["spec"])
    return [found]


class TestPresets(RouterContract):
    @pytest.fixture(params=list(ROWS))
    def case(self, request: pytest.FixtureRequest) -> RouterCase:
        name: str = request.param
        preset = BY_NAME[name]
        return RouterCase(
            router=preset,
            config={"name": "web"},
            live=(object_of(name, spec_of(name)),),
            intent=INTENT,
            weights=weights,
            malformed=tuple((object_of(name, spec),) for spec in (None, {}, "x")),
            bad_configs=({}, {"name": 1}, {"name": "web", "backends": "spec"}),
        )


def test_versions_may_have_names_of_their_own_in_backends() -> None:
    splits = [{"serviceSubset": "v1", "weight": 100}, {"serviceSubset": "v2", "weight": 0}]
    live: Live = (object_of("consul-subsets", {"splits": splits}),)
    config = {
        "plugins": {"rollouts.dev/consul-subsets": {"name": "web", "stableName": "v1", "canaryName": "v2"}}
    }
    ((router, part),) = routers_for(config)
    assert isinstance(router, Preset)
    (after,) = applied(live, router.plan(part, live, replace(INTENT, canary_weight=30)))
    assert [split["weight"] for split in after["spec"]["splits"]] == [70, 30]


def test_a_backend_that_is_missing_is_named_with_the_place_where_it_belongs() -> None:
    live = (object_of("openshift-route", {"to": {"name": "web-stable"}}),)
    with pytest.raises(TrafficError, match=r"spec.to and spec.alternateBackends: nothing names both"):
        BY_NAME["openshift-route"].plan({"name": "web"}, live, replace(INTENT, canary_weight=30))


def test_a_new_mesh_with_backends_in_several_places_is_a_few_lines_of_settings() -> None:
    settings = {
        "apiGroup": "example.com",
        "kind": "Split",
        "name": "web",
        "backends": ["spec.primary", "spec.others"],
        "serviceField": "target.service",
        "weightField": "percent",
    }
    spec = {
        "primary": {"target": {"service": "web-stable"}, "percent": 100},
        "others": [{"target": {"service": "web-canary"}, "percent": 0}],
    }
    meta = {"name": "web", "namespace": "shop", "resourceVersion": "3"}
    live: Live = ({"apiVersion": "example.com/v1", "kind": "Split", "metadata": meta, "spec": spec},)
    (after,) = applied(live, Weighted().plan(settings, live, replace(INTENT, canary_weight=30)))
    assert after["spec"]["primary"]["percent"] == 70
    assert after["spec"]["others"][0]["percent"] == 30
