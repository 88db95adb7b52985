"""Mirror steps through a real Envoy, counted at the pods: copies reach the canary, answers come from stable.

Envoy draws lots for each request, so a share is asserted within five standard deviations. A copy for every
request and a copy for none are exact.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import pytest

from tests.cluster.harness import apply
from tests.cluster.processes import wait_until
from tests.cluster.samples import Object
from tests.dataplane.envoy import ENVOY, HTTP, EnvoyGateway
from tests.dataplane.users import Users
from tests.dataplane.world import DataPlane, Shop

HOST = "twin.test"
SLACK = 3
"""Requests under way when a measurement begins or ends."""


def mirror(percentage: int) -> Object:
    match = [{"path": {"prefix": "/"}}]
    return {"setMirrorRoute": {"name": "copies", "match": match, "percentage": percentage}}


STEPS: list[Object] = [
    {"setCanaryScale": {"replicas": 1}},
    mirror(100),
    {"pause": {}},
    mirror(30),
    {"pause": {}},
    {"setWeight": 20},
    {"pause": {}},
    {"setMirrorRoute": {"name": "copies"}},
    {"pause": {}},
]


@dataclass(frozen=True)
class Seen:
    """What reached the pods: users' requests at the new version, all of them, and copies."""

    new: int
    total: int
    copies: int

    def assert_shares(self, *, new: int, copies: int) -> None:
        """Fail unless both are these percentages of the users' requests."""
        for seen, percent in ((self.new, new), (self.copies, copies)):
            share = percent / 100
            slack = SLACK + 5 * sqrt(self.total * share * (1 - share))
            assert self.total > 200, self
            assert abs(seen - self.total * share) <= slack, (self, percent)


@dataclass
class Twin:
    """A Rollout behind Envoy, and its users."""

    shop: Shop
    users: Users

    def measure(self, seconds: float = 1.5) -> Seen:
        """Return what reaches the pods in the coming time. Copies never reach the stable version."""
        pods, since = self.shop.plane.pods, time.monotonic()
        time.sleep(seconds)
        direct = pods.shares("twin", since, time.monotonic())
        copies = pods.shares("twin", since, time.monotonic(), mirrored=True)
        assert not copies["v1"], copies
        return Seen(direct["v2"], direct.total(), copies["v2"])

    def wait_for_copies(self, *, some: bool) -> None:
        """Wait until there are copies, or none: a mirror step does not wait for the data plane."""
        wait_until(lambda: bool(self.measure(0.3).copies) == some, seconds=15, what=f"copies: {some}")

    def go_on(self, step: int) -> None:
        """Promote to the next pause."""
        self.shop.patch_status({"pauseConditions": None})
        self.shop.wait_for_step(step)


@pytest.fixture
def twin(plane: DataPlane) -> Iterator[Twin]:
    refs = [
        {"name": "twin-stable", "port": 80, "weight": 100},
        {"name": "twin-canary", "port": 80, "weight": 0},
    ]
    route = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "twin"},
        "spec": {"hostnames": [HOST], "parentRefs": [{"name": "envoy"}], "rules": [{"backendRefs": refs}]},
    }
    apply(plane.cluster, plane.namespace, [route])
    shop = Shop(plane, "twin", route, "httpRoute", STEPS, managed=["copies"])
    shop.create()
    shop.wait_for_pods()
    binary = ENVOY.find()
    assert binary is not None
    gateway = EnvoyGateway(binary, plane.cluster, plane.namespace, "twin", plane.folder).start()
    shop.wait_for_phase("Healthy")
    users = plane.users(HOST, port=HTTP)
    yield Twin(shop, users)
    users.leave()
    gateway.stop()
    shop.route.stop()


def test_mirror_steps_copy_requests_to_the_canary_and_no_answer_comes_from_a_copy(twin: Twin) -> None:
    shop = twin.shop
    shop.trust_only_data_planes()
    shop.update("v2")
    shop.wait_for_step(2)
    twin.wait_for_copies(some=True)
    twin.measure().assert_shares(new=0, copies=100)

    twin.go_on(4)
    wait_until(lambda: twin.measure(0.3).copies < 50, seconds=15, what="fewer copies")
    twin.measure().assert_shares(new=0, copies=30)

    twin.go_on(6)
    twin.measure().assert_shares(new=20, copies=30)

    twin.go_on(8)
    twin.wait_for_copies(some=False)
    twin.measure().assert_shares(new=20, copies=0)

    shop.patch_status({"abort": True})
    shop.wait_for_phase("Degraded")
    shop.wait_for_share("v2", 0)
    assert [rule.get("name") for rule in shop.route.states[-1]["spec"]["rules"]] == [None]
    assert set(twin.users.answers) == {200}, (twin.users.answers, twin.users.failures[:5])
