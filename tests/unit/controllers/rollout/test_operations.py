"""References to workloads, restarts, and how long an update took."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rollouts.controllers.rollout.apply import Apply
from rollouts.controllers.rollout.decide import decide
from rollouts.controllers.rollout.observe import with_pods
from rollouts.kube import objects
from tests.unit.controllers.rollout.world import KEY, World, basic, blue_green, rollout_spec

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "legacy"},
    "spec": {
        "replicas": 4,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
        },
    },
}


def referencing(scale_down: str = "never", *, deployed: bool = True) -> World:
    spec = rollout_spec({"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}})
    del spec["template"], spec["selector"]
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "legacy", "scaleDown": scale_down}
    world = World({**spec, "workloadRef": ref})
    if deployed:
        world.api.put(objects.DEPLOYMENTS, DEPLOYMENT)
    return world


def legacy_size(world: World) -> int:
    return int(world.api.objects[(objects.DEPLOYMENTS, "legacy")]["spec"]["replicas"])


def set_image(world: World, image: str) -> None:
    containers = [{"name": "web", "image": image}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    world.api.change(objects.DEPLOYMENTS, "legacy", patch)


def test_template_comes_from_the_referenced_workload() -> None:
    world = referencing()
    world.settle()
    assert world.sizes() == {"v1": 4}
    assert world.phase == "Healthy"
    assert world.status["workloadObservedGeneration"] == "1"
    assert world.rollout["metadata"]["annotations"]["rollout.argoproj.io/workload-generation"] == "1"
    assert "template" not in world.rollout["spec"]


def test_a_new_image_in_the_workload_starts_an_update() -> None:
    world = referencing()
    world.settle()
    set_image(world, "web:v2")
    world.settle()
    assert world.sizes() == {"v1": 3, "v2": 1}
    assert world.status["workloadObservedGeneration"] == "2"


def test_a_new_image_after_an_abort_is_picked_up() -> None:
    world = referencing()
    world.settle()
    set_image(world, "web:v2")
    world.settle()
    world.user(abort=True)
    world.settle()
    assert world.phase == "Degraded"
    set_image(world, "web:v3")
    world.settle()
    assert (world.phase, world.sizes()["v3"]) == ("Paused", 1)


def test_missing_workload_makes_the_spec_invalid_until_it_is_there() -> None:
    world = referencing(deployed=False)
    world.reconcile()
    assert world.phase == "Degraded"
    assert 'deployments.apps "legacy" not found' in world.status["message"]
    world.api.put(objects.DEPLOYMENTS, DEPLOYMENT)
    world.settle()
    assert world.phase == "Healthy"


def test_on_success_takes_the_workloads_pods_once_healthy() -> None:
    world = referencing("onsuccess")
    world.settle(pods=False)
    assert legacy_size(world) == 4
    world.settle()
    assert legacy_size(world) == 0


def test_progressively_moves_pods_one_by_one_and_back() -> None:
    world = referencing("progressively")
    world.settle(pods=False)
    pod_hash = world.hash("v1")
    world.ready_pods({pod_hash: 3})
    world.settle(pods=False)
    assert legacy_size(world) == 1
    world.ready_pods({pod_hash: 1})
    world.settle(pods=False)
    assert legacy_size(world) == 3
    world.settle()
    assert legacy_size(world) == 0


def test_a_workload_that_somebody_scales_up_later_is_left_alone() -> None:
    world = referencing("onsuccess")
    world.settle()
    set_image(world, "web:v2")
    world.settle()
    world.user(pauseConditions=None)
    world.settle()
    world.api.change(objects.DEPLOYMENTS, "legacy", {"spec": {"replicas": 2}})
    world.settle()
    assert legacy_size(world) == 2


# -- restart --


def put_pods(world: World, count: int) -> None:
    (rs,) = world.cache.list(objects.REPLICASETS)
    owner = {"kind": "ReplicaSet", "uid": objects.uid_of(rs), "name": "x", "controller": True}
    for number in range(count):
        world.api.put(objects.PODS, {"metadata": {"name": f"p{number}", "ownerReferences": [owner]}})


def reconcile_with_pods(world: World) -> list[str]:
    """Return the names of the pods that are evicted."""
    evicted: list[str] = []

    class Api(type(world.api)):  # type: ignore[misc]
        async def create(self, resource: Any, namespace: Any, body: Any, **options: Any) -> Any:
            assert options["subresource"] == "eviction"
            evicted.append(options["name"])

    snapshot = with_pods(world.snapshot(), world.cache.list(objects.PODS))
    api = world.api
    api.__class__, before = Api, api.__class__
    try:
        apply = Apply(api, snapshot, lambda e: None, world._resource_of, world._reached)  # type: ignore[arg-type]
        asyncio.run(apply.run(decide(snapshot)))
    finally:
        api.__class__ = before
    return evicted


def test_restart_evicts_old_pods_a_few_at_a_time() -> None:
    world = basic(maxUnavailable=2)
    world.settle()
    put_pods(world, 4)
    world.wait(10)
    world.spec(restartAt=objects.format_time(world.now))
    assert reconcile_with_pods(world) == ["p0", "p1"]


def test_restart_of_blue_green_evicts_as_many_as_may_be_missing() -> None:
    world = blue_green(replicas=4, maxUnavailable=3)
    world.settle()
    put_pods(world, 4)
    world.wait(10)
    world.spec(restartAt=objects.format_time(world.now))
    assert reconcile_with_pods(world) == ["p0", "p1", "p2"]


def test_restart_waits_for_missing_pods() -> None:
    world = basic(maxUnavailable=1)
    world.settle()
    put_pods(world, 4)
    world.wait(10)
    world.spec(restartAt=objects.format_time(world.now))
    world.ready_pods({world.hash("v1"): 3})
    assert reconcile_with_pods(world) == []


def test_restart_is_done_when_no_pod_is_older() -> None:
    world = basic()
    world.settle()
    world.wait(10)
    moment = objects.format_time(world.now)
    world.spec(restartAt=moment)
    world.wait(1)
    put_pods(world, 4)
    assert reconcile_with_pods(world) == []
    assert world.status["restartedAt"] == moment


def test_restart_in_the_future_waits_for_its_moment() -> None:
    world = basic()
    world.settle()
    world.spec(restartAt="2026-01-01T13:00:00Z")
    world.reconcile()
    assert world.requeue_at is not None
    assert objects.format_time(world.requeue_at) == "2026-01-01T13:00:00Z"


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        ("2026-01-01T00:00:00Z", ("Progressing", "rollout is restarting")),
        ("2027-01-01T00:00:00Z", ("Healthy", None)),
    ],
    ids=["come", "to come"],
)
def test_first_restart_is_progress_from_its_moment_on(moment: str, phase: tuple[str, str | None]) -> None:
    world = basic()
    world.settle()
    world.spec(restartAt=moment)
    world.reconcile()
    assert (world.status["phase"], world.status.get("message")) == phase


# -- duration --


def test_duration_of_an_update_counts_what_people_held() -> None:
    world = basic([{"setWeight": 25}, {"pause": {}}])
    world.settle()
    assert world.status["duration"]["completionStatus"] == "Promoted"
    world.deploy("web:v2")
    world.settle()
    world.wait(90)
    world.user(pauseConditions=None)
    world.settle()
    duration = world.status["duration"]
    assert duration["totalManualPauseDurationSeconds"] == 90
    assert duration["completionStatus"] == "Promoted"
    assert "manualPauseStartedAt" not in duration


def test_duration_tells_how_an_update_ended() -> None:
    world = basic([{"setWeight": 25}, {"pause": {}}])
    world.settle()
    world.deploy("web:v2")
    world.settle()
    world.user(abort=True)
    world.settle()
    assert world.status["duration"]["completionStatus"] == "Aborted"
    world.user(abort=False)
    world.settle()
    assert "finishedAt" not in world.status["duration"]
    world.user(promoteFull=True)
    world.settle()
    assert world.status["duration"]["completionStatus"] == "FastPromoted"
    assert KEY.name == "web"


# -- restart of a single pod --


def test_restart_of_a_single_pod_starts_its_successor_first() -> None:
    world = basic(replicas=1)
    world.settle()
    put_pods(world, 1)
    world.wait(10)
    world.spec(restartAt=objects.format_time(world.now))
    assert reconcile_with_pods(world) == []
    assert world.sizes() == {"v1": 2}
    assert reconcile_with_pods(world) == []
    world.ready_pods()
    assert reconcile_with_pods(world) == ["p0"]
    del world.api.objects[(objects.PODS, "p0")]
    assert reconcile_with_pods(world) == []
    reconcile_with_pods(world)
    assert world.sizes() == {"v1": 1}
    assert world.status["restartedAt"] == world.rollout["spec"]["restartAt"]


def test_restart_of_a_single_pod_without_surge_evicts_it() -> None:
    world = basic(replicas=1, maxSurge=0)
    world.settle()
    put_pods(world, 1)
    world.wait(10)
    world.spec(restartAt=objects.format_time(world.now))
    assert reconcile_with_pods(world) == ["p0"]
    assert world.sizes() == {"v1": 1}


# -- serial mode --


def serial() -> World:
    world = basic([{"setWeight": 25}, {"pause": {}}])
    world.api.change(
        objects.ROLLOUTS, KEY.name, {"metadata": {"annotations": {"rollouts.dev/serial": "true"}}}
    )
    world.settle()
    world.deploy("web:v2")
    world.settle()
    world.deploy("web:v3")
    world.settle()
    return world


def test_serial_mode_lets_the_running_update_end_first() -> None:
    world = serial()
    assert world.sizes() == {"v1": 3, "v2": 1}
    assert world.status["currentPodHash"] == world.hash("v2")
    assert any("serial" in wait for wait in world.decide().waits)
    world.user(pauseConditions=None)
    world.settle()
    assert world.sizes() == {"v1": 0, "v2": 3, "v3": 1}
    assert (world.phase, world.status["stableRS"]) == ("Paused", world.hash("v2"))


def test_serial_mode_starts_the_newer_version_after_an_abort() -> None:
    world = serial()
    world.user(abort=True)
    world.settle()
    assert world.sizes()["v3"] == 1
    assert world.status["currentPodHash"] == world.hash("v3")
