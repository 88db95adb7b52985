"""Canaries end to end on the real API server, the controller a process of its own under the shipped roles."""

from collections.abc import Iterator

import pytest

from rollouts.embedded.gateway.load import shares
from tests.cluster.conftest import World
from tests.cluster.deliveries import APP, Delivery, canary_route
from tests.cluster.processes import wait_until
from tests.cluster.samples import canary

STEPS = [{"setWeight": 25}, {"pause": {"duration": "2s"}}, {"setWeight": 60}, {"pause": {"duration": "2s"}}]


@pytest.fixture
def delivery(world: World) -> Iterator[Delivery]:
    delivery = Delivery(world.machinery, canary(STEPS, name=APP))
    yield delivery
    delivery.end()


def test_a_good_version_takes_the_traffic_in_steps(delivery: Delivery, world: World) -> None:
    start = delivery.cluster.audit.mark()
    delivery.begin([f"{APP}-stable", f"{APP}-canary"], [canary_route(delivery.host)])
    load = delivery.loads[delivery.host]
    wait_until(lambda: set(shares(load.recent())) == {"v1"}, seconds=60, what="traffic on v1")

    delivery.update("v2")
    final = delivery.wait_for_phase("Healthy", seconds=60)

    assert final["status"]["stableRS"] == final["status"]["currentPodHash"]
    indexes = delivery.history.distinct(lambda state: (state.get("status") or {}).get("currentStepIndex"))
    assert indexes[-5:] == [0, 1, 2, 3, 4]
    wait_until(lambda: set(shares(load.recent())) == {"v2"}, seconds=60, what="all traffic on v2")
    assert {code for (_, code), number in load.totals.items() if number} == {200}
    delivery.cluster.audit.assert_nothing_forbidden(world.controller.user, since=start)


def test_a_users_abort_brings_all_traffic_back_to_the_old_version(delivery: Delivery, world: World) -> None:
    delivery.begin([f"{APP}-stable", f"{APP}-canary"], [canary_route(delivery.host)])
    load = delivery.loads[delivery.host]
    delivery.update("v2")
    wait_until(lambda: "v2" in shares(load.recent()), seconds=60, what="traffic on v2")

    delivery.patch_status({"abort": True})
    final = delivery.wait_for_phase("Degraded")

    assert final["status"]["stableRS"] != final["status"]["currentPodHash"]
    wait_until(lambda: set(shares(load.recent())) == {"v1"}, seconds=60, what="all traffic on v1")
    assert {code for (_, code), number in load.totals.items() if number} == {200}
