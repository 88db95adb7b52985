"""A real Prometheus decides: good versions are promoted, bad ones go back by themselves.

All deliveries of a world run at the same time, since most of their time is waiting for samples.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from rollouts.embedded.gateway.load import shares
from tests.cluster.conftest import World
from tests.cluster.deliveries import APP, Delivery, blue_green_routes, canary_route
from tests.cluster.processes import wait_until
from tests.cluster.samples import Object, analysis, canary, error_rate_template

pytestmark = pytest.mark.lane("real-cluster", "prometheus")

TEMPLATE = "error-rate"
BAD = 0.5
SECONDS = 150.0


def canary_with_analysis(namespace: str) -> Object:
    steps = [{"setWeight": 50}, {"analysis": analysis(TEMPLATE, namespace)}, {"setWeight": 80}]
    return canary(steps, name=APP)


def blue_green(**more: object) -> Object:
    services = {"activeService": f"{APP}-active", "previewService": f"{APP}-preview"}
    return {"blueGreen": {**services, "scaleDownDelaySeconds": 20, **more}}


def before(namespace: str) -> Object:
    return blue_green(prePromotionAnalysis=analysis(TEMPLATE, namespace))


def after(namespace: str) -> Object:
    return blue_green(postPromotionAnalysis=analysis(TEMPLATE, namespace))


@dataclass(frozen=True)
class Case:
    strategy: Callable[[str], Object]
    error_rate: float


CASES = {
    "canary-good": Case(canary_with_analysis, 0.0),
    "canary-bad": Case(canary_with_analysis, BAD),
    "before-good": Case(before, 0.0),
    "before-bad": Case(before, BAD),
    "after-good": Case(after, 0.0),
    "after-bad": Case(after, BAD),
}


@dataclass
class Running:
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    audit_mark: int = 0


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[Running]:
    running = Running(audit_mark=world.machinery.cluster.audit.mark())
    prometheus = world.machinery.prometheus.url
    for name, case in CASES.items():
        delivery = Delivery(world.machinery, case.strategy)
        running.deliveries[name] = delivery
        colours = ("stable", "canary") if name.startswith("canary") else ("active", "preview")
        routes = [canary_route(delivery.host)] if name.startswith("canary") else blue_green_routes(delivery)
        delivery.create(
            [f"{APP}-{colour}" for colour in colours], routes, [error_rate_template(TEMPLATE, prometheus)]
        )
    for delivery in running.deliveries.values():
        delivery.serve()
    for name, case in CASES.items():
        running.deliveries[name].update("v2", error_rate=case.error_rate)
    yield running
    for delivery in running.deliveries.values():
        delivery.end()


def run_phases(delivery: Delivery) -> list[str]:
    return [str((run.get("status") or {}).get("phase")) for run in delivery.children("analysisruns")]


def served_by(delivery: Delivery) -> set[str]:
    return set(shares(delivery.loads[delivery.host].recent()))


def wait_for_users_on(delivery: Delivery, version: str) -> None:
    wait_until(lambda: served_by(delivery) == {version}, seconds=60, what=f"all users on {version}")


def errors_of_users(delivery: Delivery) -> int:
    totals = delivery.loads[delivery.host].totals
    return sum(number for (_, code), number in totals.items() if code != 200)


@pytest.mark.parametrize("name", ["canary-good", "before-good", "after-good"])
def test_a_good_version_is_promoted_and_no_user_sees_an_error(running: Running, name: str) -> None:
    delivery = running.deliveries[name]
    final = delivery.wait_for_phase("Healthy", seconds=SECONDS)
    assert final["status"]["stableRS"] == final["status"]["currentPodHash"]
    assert run_phases(delivery) == ["Successful"]
    wait_for_users_on(delivery, "v2")
    assert errors_of_users(delivery) == 0


def test_a_bad_canary_is_aborted_and_traffic_goes_back(running: Running) -> None:
    delivery = running.deliveries["canary-bad"]
    final = delivery.wait_for_phase("Degraded", seconds=SECONDS)
    assert final["status"]["abort"] is True
    assert final["status"]["stableRS"] != final["status"]["currentPodHash"]
    assert run_phases(delivery) == ["Failed"]
    wait_for_users_on(delivery, "v1")
    assert errors_of_users(delivery) > 0, "without errors there was nothing to find"


def test_a_version_that_fails_before_promotion_never_reaches_users(running: Running) -> None:
    delivery = running.deliveries["before-bad"]
    delivery.wait_for_phase("Degraded", seconds=SECONDS)
    assert run_phases(delivery) == ["Failed"]
    totals = delivery.loads[delivery.host].totals
    assert {version for version, _ in totals} == {"v1"}
    assert errors_of_users(delivery) == 0


def test_a_version_that_fails_after_promotion_gives_users_back(running: Running) -> None:
    delivery = running.deliveries["after-bad"]
    final = delivery.wait_for_phase("Degraded", seconds=SECONDS)
    assert run_phases(delivery) == ["Failed"]
    selectors = delivery.history.distinct(
        lambda state: ((state.get("status") or {}).get("blueGreen") or {}).get("activeSelector")
    )
    old, new = final["status"]["stableRS"], final["status"]["currentPodHash"]
    assert selectors[-3:] == [old, new, old]
    wait_for_users_on(delivery, "v1")


def test_every_call_of_the_controller_is_allowed(running: Running, world: World) -> None:
    for delivery in running.deliveries.values():
        delivery.history.wait(
            lambda state: (
                state["metadata"]["generation"] > 1
                and (state.get("status") or {}).get("phase") in ("Healthy", "Degraded")
            ),
            seconds=SECONDS,
            what="end",
        )
    world.machinery.cluster.audit.assert_nothing_forbidden(world.controller.user, since=running.audit_mark)
    world.machinery.background.check()
