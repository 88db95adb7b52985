"""Whole rollouts through a real Traefik, counted at the pods, under load that never stops.

Two Rollouts share one HTTPRoute; a third is called over gRPC and a fourth reached by TCP. ``shop`` has more
than 200 requests a second, nearly half of them on a new connection each. Traefik spreads requests in a fixed
order, so shares are asserted as numbers: off by no more than what is under way at the borders of a
measurement.

The first controller goes by what routes say of themselves and waits as long as Traefik may take. The one
after it asks Traefik: from then on steps wait for nothing else, and are measured once they have passed.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.cluster.harness import apply
from tests.cluster.samples import Object
from tests.dataplane.connections import GrpcConnection
from tests.dataplane.traefik import API, TCP
from tests.dataplane.users import Users
from tests.dataplane.world import DataPlane, Shop

HOST, CALLED = "shared.test", "calls.test"
METHOD = "/shop.Orders/Place"
STEPS: list[Object] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]
OTHER_STEPS: list[Object] = [{"setWeight": 30}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]
SLACK = 3
"""Requests under way when a measurement begins or ends."""


def backends(name: str) -> list[Object]:
    return [
        {"name": f"{name}-stable", "port": 80, "weight": 100},
        {"name": f"{name}-canary", "port": 80, "weight": 0},
    ]


def shared_route() -> Object:
    """Return a route with a rule for each of the two Rollouts."""
    path = {"path": {"type": "PathPrefix", "value": "/other"}}
    rules = [{"matches": [path], "backendRefs": backends("other")}, {"backendRefs": backends("shop")}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "shared"},
        "spec": {
            "hostnames": [HOST],
            "parentRefs": [{"name": "gateway", "sectionName": "web"}],
            "rules": rules,
        },
    }


def grpc_route() -> Object:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GRPCRoute",
        "metadata": {"name": "calls"},
        "spec": {
            "hostnames": [CALLED],
            "parentRefs": [{"name": "gateway", "sectionName": "web"}],
            "rules": [{"backendRefs": backends("calls")}],
        },
    }


def tcp_route() -> Object:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1alpha2",
        "kind": "TCPRoute",
        "metadata": {"name": "raw"},
        "spec": {
            "parentRefs": [{"name": "gateway", "sectionName": "tcp"}],
            "rules": [{"backendRefs": backends("raw")}],
        },
    }


@dataclass
class Town:
    """Two Rollouts behind one HTTPRoute, others behind a GRPCRoute and a TCPRoute, and all their users."""

    shop: Shop
    other: Shop
    calls: Shop
    raw: Shop
    users: list[Users] = field(default_factory=list)
    delays: list[str] = field(default_factory=list)

    def assert_nothing_lost(self) -> None:
        """Fail when any request of any user was not answered well."""
        for users in self.users:
            assert set(users.answers) == {200}, (users.answers, users.failures[:5])

    def delay(self, what: str, seconds: float) -> None:
        """Note how long a weight took from the write to the pods."""
        self.delays.append(f"{what}: {seconds * 1000:.0f} ms from the write to the pods")


@pytest.fixture(scope="module")
def town(plane: DataPlane, request: pytest.FixtureRequest) -> Iterator[Town]:
    shared, calls, raw = shared_route(), grpc_route(), tcp_route()
    apply(plane.cluster, plane.namespace, [shared, calls, raw])
    town = Town(
        shop=Shop(plane, "shop", shared, "httpRoute", STEPS),
        other=Shop(plane, "other", shared, "httpRoute", OTHER_STEPS),
        calls=Shop(plane, "calls", calls, "grpcRoute", OTHER_STEPS, protocol="kubernetes.io/h2c"),
        raw=Shop(plane, "raw", raw, "tcpRoute", OTHER_STEPS),
    )
    shops = (town.shop, town.other, town.calls, town.raw)
    for shop in shops:
        shop.create()
    for shop in shops:
        shop.wait_for_phase("Healthy")
    town.users = [
        plane.users(HOST, "/", kept=120, fresh=100),
        plane.users(HOST, "/other", kept=20, fresh=30),
        plane.users(CALLED, METHOD, speak=GrpcConnection, kept=40, fresh=40),
        plane.users("any", port=TCP, kept=0, fresh=50),
    ]
    yield town
    for users in town.users:
        users.leave()
    for shop in shops:
        shop.route.stop()
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + "\n".join(town.delays))


def assert_share(seen: Counter[str], version: str, percent: int) -> None:
    """Fail unless a version got its share of a measurement, to the request."""
    total = seen.total()
    assert total > 50, seen
    assert abs(seen[version] - total * percent / 100) <= SLACK, (seen, percent)


def test_a_killed_controller_and_its_successor_promote_with_exact_shares(
    town: Town, plane: DataPlane
) -> None:
    shop = town.shop
    shop.update("v2")
    shop.wait_for_step(1)
    assert_share(shop.measure(), "v2", 20)
    written = shop.written(20)
    town.delay("0 to 20", min(shop.arrivals("v2", 0)) - written)

    plane.controller.process.stop(first=signal.SIGKILL)
    shop.patch_status({"pauseConditions": None})
    assert_share(shop.measure(), "v2", 20)
    plane.start_controller(verify_traefik=f"http://127.0.0.1:{API}")
    shop.wait_for_step(3)
    assert_share(shop.measure(), "v2", 50)

    shop.patch_status({"pauseConditions": None})
    shop.wait_for_phase("Healthy")
    assert_share(shop.measure(), "v2", 100)
    town.delay("50 to 100", max(shop.arrivals("v1", 0)) - shop.written(100))
    town.assert_nothing_lost()


def test_two_rollouts_that_step_on_one_route_at_the_same_time_each_have_their_exact_shares(
    town: Town,
) -> None:
    shop, other = town.shop, town.other
    for each in (shop, other):
        each.trust_only_data_planes()
    shop.update("v3")
    other.update("v2")
    for step, of_shop, of_other in ((1, 20, 30), (3, 50, 60)):
        shop.wait_for_step(step)
        other.wait_for_step(step)
        assert_share(shop.measure(), "v3", of_shop)
        assert_share(other.measure(), "v2", of_other)
        if step == 1:
            for each in (shop, other):
                each.patch_status({"pauseConditions": None})
    town.assert_nothing_lost()


def test_an_abort_takes_all_traffic_back_while_another_rollout_keeps_its_share_of_the_route(
    town: Town,
) -> None:
    shop, other = town.shop, town.other
    assert shop.get()["status"]["phase"] == "Paused", "it stands where the test before has left it"

    asked = shop.patch_status({"abort": True})
    shop.wait_for_phase("Degraded")
    shop.wait_for_share("v3", 0)
    assert_share(other.measure(), "v2", 60)
    assert_share(shop.measure(), "v3", 0)
    gone = max(shop.arrivals("v3", asked))
    town.delay("50 to 0 on abort", gone - shop.written(0))
    town.delays.append(f"abort: {(gone - asked) * 1000:.0f} ms from the user's word to the last request")

    other.patch_status({"promoteFull": True})
    other.wait_for_phase("Healthy")
    other.wait_for_share("v2", 100)
    assert_share(other.measure(), "v2", 100)
    town.assert_nothing_lost()


def test_calls_of_a_grpc_route_are_split_exactly_and_all_come_back_on_abort(town: Town) -> None:
    calls = town.calls
    calls.trust_only_data_planes()
    calls.update("v2")
    calls.wait_for_step(1)
    assert_share(calls.measure(), "v2", 30)
    calls.patch_status({"pauseConditions": None})
    calls.wait_for_step(3)
    assert_share(calls.measure(), "v2", 60)
    calls.patch_status({"abort": True})
    calls.wait_for_phase("Degraded")
    calls.wait_for_share("v2", 0)
    assert_share(calls.measure(), "v2", 0)
    town.assert_nothing_lost()


def test_connections_of_a_tcp_route_are_split_exactly(town: Town) -> None:
    raw = town.raw
    raw.trust_only_data_planes()
    raw.update("v2")
    raw.wait_for_step(1)
    assert_share(raw.measure(), "v2", 30)
    raw.patch_status({"abort": True})
    raw.wait_for_phase("Degraded")
    raw.wait_for_share("v2", 0)
    assert_share(raw.measure(), "v2", 0)
    town.assert_nothing_lost()
