"""From spec.strategy.canary.trafficRouting to routers."""

from __future__ import annotations

from typing import ClassVar

import pytest

from rollouts.traffic.gateway_api import GatewayApi
from rollouts.traffic.registry import routers_for, third_party_routers
from rollouts.traffic.router import TrafficError
from tests.unit.traffic.routes import PLUGIN


class Third(GatewayApi):
    """A router of somebody else."""

    name: ClassVar[str] = "example.com/third"


def test_plugins_are_served_by_name_in_a_fixed_order() -> None:
    config = {
        "plugins": {"example.com/third": {"b": 1}, PLUGIN: {"httpRoute": "web"}},
        "maxTrafficWeight": 10,
    }
    found = routers_for(config, {"example.com/third": Third()})
    assert [(router.name, part) for router, part in found] == [
        (PLUGIN, {"httpRoute": "web"}),
        ("example.com/third", {"b": 1}),
    ]


def test_routers_with_a_field_come_before_plugins() -> None:
    config = {"plugins": {PLUGIN: {}}, "traefik": {}, "nginx": {}, "istio": {}, "managedRoutes": None}
    assert [router.name for router, _ in routers_for(config)] == ["istio", "nginx", "traefik", PLUGIN]


def test_no_traffic_routing_gives_no_router() -> None:
    assert routers_for({}) == ()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param({"gatewayAPI": {}}, 'plugins["argoproj-labs/gatewayAPI"]', id="invented-field"),
        pytest.param({"plugins": {"x/y": {}}}, 'plugins["x/y"]: no such traffic router', id="unknown-plugin"),
        pytest.param({"appmesh": {}}, "trafficRouting.appmesh: unknown field", id="other-case"),
        pytest.param({"plugins": []}, "", id="empty-plugins"),
        pytest.param({"plugins": {PLUGIN: "web"}}, "must be an object, found str", id="no-object"),
        pytest.param({"linkerd": {}}, "trafficRouting.linkerd: unknown field", id="unknown-field"),
    ],
)
def test_what_nobody_answers_is_an_error(config: dict, words: str) -> None:
    if not words:
        assert routers_for(config) == ()
        return
    with pytest.raises(TrafficError) as refusal:
        routers_for(config)
    assert words in str(refusal.value)
    assert "spec.strategy.canary.trafficRouting" in str(refusal.value)


def test_nothing_is_registered_by_installed_packages_here() -> None:
    assert third_party_routers() == {}
