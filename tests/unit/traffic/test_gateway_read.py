"""What the Gateway API router reads from live routes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rollouts.kube.objects import Manifest, format_time
from rollouts.testing.router_contract import NOW
from rollouts.traffic.gateway_api import GatewayApi
from rollouts.traffic.gateway_config import GROUP
from rollouts.traffic.gateway_status import SILENCE
from rollouts.traffic.router import Confidence, TrafficError, TrafficState
from tests.unit.traffic.routes import HEADER, INTENT, MIRROR, parent, route, rule

WRITTEN, ACCEPTED = Confidence.WRITTEN, Confidence.ACCEPTED


def read(*live: Manifest, maximum: int = 100) -> TrafficState:
    config = {"httpRoutes": [{"name": obj["metadata"]["name"]} for obj in live]}
    return GatewayApi().read(config, live, replace(INTENT, max_weight=maximum), NOW)


@pytest.mark.parametrize(
    ("stable", "canary", "maximum", "seen"),
    [
        pytest.param(80, 20, 100, 20, id="ours"),
        pytest.param(800, 200, 1000, 200, id="another-maximum"),
        pytest.param(None, None, 100, 50, id="defaults-split-in-half"),
        pytest.param(2, 1, 100, 34, id="rounded-up"),
        pytest.param(0, 0, 100, 0, id="nothing"),
    ],
)
def test_the_canary_weight_is_the_share_in_the_rule(
    stable: int | None, canary: int | None, maximum: int, seen: int
) -> None:
    assert read(route([rule(stable, canary)]), maximum=maximum).canary_weight == seen


def test_where_routes_differ_the_highest_weight_counts_and_the_message_says_so() -> None:
    state = read(route([rule(90, 10)]), route([rule(70, 30)], name="api"))
    assert state.canary_weight == 30
    assert "HTTPRoute shop/web rules[0] has 10" in state.message


def test_a_route_without_our_services_has_no_weight() -> None:
    assert read(route([{"backendRefs": []}])).canary_weight is None


@pytest.mark.parametrize(
    ("parents", "reached", "attainable", "words"),
    [
        pytest.param([], WRITTEN, WRITTEN, "", id="nobody-reports"),
        pytest.param([parent()], ACCEPTED, ACCEPTED, "", id="accepted"),
        pytest.param([parent(3)], ACCEPTED, ACCEPTED, "", id="newer"),
        pytest.param([parent(), parent(1)], WRITTEN, ACCEPTED, "has seen generation 1 of 2", id="behind"),
        pytest.param([parent(accepted="False")], WRITTEN, ACCEPTED, "Accepted=False R: about", id="refused"),
        pytest.param([parent(resolved="False")], WRITTEN, ACCEPTED, "ResolvedRefs=False R", id="unresolved"),
        pytest.param([parent(None)], WRITTEN, WRITTEN, "", id="no-generation"),
        pytest.param([parent(), parent(None)], ACCEPTED, ACCEPTED, "", id="one-never-reports"),
    ],
)
def test_confidence_follows_the_parents(
    parents: list, reached: Confidence, attainable: Confidence, words: str
) -> None:
    state = read({**route([rule()]), "status": {"parents": parents}})
    assert (state.confidence, state.attainable) == (reached, attainable)
    assert words in state.message
    assert bool(words) == bool(state.message)


def test_a_partly_invalid_route_is_not_accepted() -> None:
    entry = parent()
    entry["conditions"].append({"type": "PartiallyInvalid", "status": "True", "message": "Dropped Rule 1"})
    state = read({**route([rule()]), "status": {"parents": [entry]}})
    assert state.confidence == WRITTEN
    assert "Dropped Rule 1" in state.message


def test_the_weakest_route_decides() -> None:
    good = {**route([rule()]), "status": {"parents": [parent()]}}
    silent = route([rule()], name="silent")
    assert read(good, silent).attainable == WRITTEN


@pytest.mark.parametrize(
    ("age", "attainable", "words"),
    [
        pytest.param(timedelta(seconds=9), ACCEPTED, "parent 'gateway' has not reported yet", id="new"),
        pytest.param(SILENCE, WRITTEN, "", id="old"),
    ],
)
def test_a_parent_that_says_nothing_is_waited_for_only_on_a_new_route(
    age: timedelta, attainable: Confidence, words: str
) -> None:
    created = NOW - age
    state = read(route([rule()], creationTimestamp=format_time(created)))
    assert (state.confidence, state.attainable) == (WRITTEN, attainable)
    assert words in state.message
    assert state.recheck_at == (created + SILENCE if words else None)


def test_every_parent_that_the_route_asks_for_is_waited_for() -> None:
    two = [{"name": "gateway"}, {"name": "gateway", "sectionName": "internal"}]
    live = route([rule()], creationTimestamp=format_time(NOW))
    live["spec"]["parentRefs"] = two
    live["status"] = {"parents": [parent()]}
    assert read(live).confidence == WRITTEN
    live["status"]["parents"].append({**parent(), "parentRef": {**two[1], "group": GROUP, "kind": "Gateway"}})
    assert read(live).confidence == ACCEPTED


@pytest.mark.parametrize(
    ("config", "controllers", "seconds"),
    [
        pytest.param({}, ("traefik.io/gateway-controller",), 2.5, id="default-covers-traefik"),
        pytest.param({}, ("rollouts.dev/embedded-gateway",), 0, id="reports-when-in-force"),
        pytest.param({}, ("rollouts.dev/embedded-gateway", "example.com/gw"), 2.5, id="slowest-decides"),
        pytest.param({}, (), 2.5, id="nobody-known"),
        pytest.param({"settleSeconds": 0.5}, ("example.com/gw",), 0.5, id="as-the-user-says"),
    ],
)
def test_data_planes_get_time_after_acceptance(
    config: dict, controllers: tuple[str, ...], seconds: float
) -> None:
    live = route([rule()])
    live["status"] = {"parents": [{**parent(), "controllerName": name} for name in controllers]}
    state = GatewayApi().read({"httpRoute": "web", **config}, (live,), INTENT, NOW)
    assert state.settle == timedelta(seconds=seconds)


def test_a_settle_time_that_is_no_time_is_refused() -> None:
    with pytest.raises(TrafficError, match="settleSeconds"):
        GatewayApi().needs({"httpRoute": "web", "settleSeconds": -1}, INTENT)


def test_a_mirror_is_refused_where_the_implementation_would_answer_errors() -> None:
    live = route([rule()])
    live["status"] = {"parents": [{**parent(), "controllerName": "traefik.io/gateway-controller"}]}
    with pytest.raises(TrafficError, match="Traefik serves this route"):
        GatewayApi().plan({"httpRoute": "web"}, (live,), replace(INTENT, mirror_routes=(MIRROR,)))
    assert GatewayApi().plan({"httpRoute": "web"}, (live,), replace(INTENT, header_routes=(HEADER,)))
