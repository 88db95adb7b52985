"""Every write may be the last, or its answer may be lost: the end is the same, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rollouts.kube import errors, objects
from tests.unit.controllers.rollout.test_analysis import ANALYSIS, with_template
from tests.unit.controllers.rollout.world import World, basic, blue_green, routed

STEPS = [{"setWeight": 25}, {"analysis": ANALYSIS}, {"setWeight": 50}, {"pause": {"duration": 5}}]


def good_canary(make: Callable[..., World]) -> Callable[[], World]:
    def build() -> World:
        return with_template(make(STEPS))

    return build


SCENARIOS: dict[str, tuple[Callable[[], World], str]] = {
    "canary promoted": (good_canary(basic), "Successful"),
    "canary aborted": (good_canary(basic), "Failed"),
    "routed canary promoted": (good_canary(routed), "Successful"),
    "routed canary aborted": (good_canary(routed), "Failed"),
    "blue-green promoted": (lambda: with_template(blue_green(prePromotionAnalysis=ANALYSIS)), "Successful"),
    "blue-green aborted after the switch": (
        lambda: with_template(blue_green(postPromotionAnalysis=ANALYSIS)),
        "Failed",
    ),
}


class Lost(Exception):
    """The process is gone, or believes that the write failed."""


def run(build: Callable[[], World], verdict: str, fail_at: int | None, *, before: bool = False) -> World:
    """Run a scenario to its end; the write number ``fail_at`` is followed (or preceded) by a crash."""
    world = build()
    count = 0

    def crash(what: str) -> None:
        nonlocal count
        count += 1
        if count - 1 == fail_at:
            raise Lost(what)

    world.settle()
    if before:
        world.api.before_write = crash
    else:
        world.api.after_write = crash
    world.deploy("web:v2")
    for _ in range(200):
        version = world.api.version
        try:
            world.reconcile()
        except (Lost, errors.KubeError):
            continue
        world.ready_pods()
        for name, obj in world.runs().items():
            if not (obj.get("status") or {}).get("phase"):
                world.finish_run(name, verdict, "verdict of the test")
        check_invariants(world)
        if world.api.version == version:
            if not world.requeue_at or world.requeue_at <= world.now or world.now.hour > 12:
                break
            world.wait((world.requeue_at - world.now).total_seconds())
    world.wait(0)
    return world


def check_invariants(world: World) -> None:
    """No Service that users reach selects a version without pods; no weight on one either."""
    snapshot = world.snapshot()
    by_hash = {rs.hash: rs for rs in snapshot.replica_sets}
    for name in ("stable", "active"):
        if (objects.SERVICES, name) in world.api.objects:
            selected = snapshot.service_hash(name)
            assert not selected or by_hash[selected].desired > 0, f"Service {name} selects an empty version"
    if (objects.HTTP_ROUTES, "web") in world.api.objects and world.weights()[1] > 0:
        assert by_hash[snapshot.service_hash("canary")].desired > 0


def end_state(world: World) -> dict[str, object]:
    state: dict[str, object] = {
        "sizes": world.sizes(),
        "phase": world.phase,
        "runs": len(world.runs()),
        "stable": world.status.get("stableRS"),
        "index": world.status.get("currentStepIndex"),
        "revision": world.rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"],
    }
    if (objects.HTTP_ROUTES, "web") in world.api.objects:
        state["weights"] = world.weights()
    for name in ("stable", "canary", "active", "preview"):
        if (objects.SERVICES, name) in world.api.objects:
            state[name] = world.selects(name)
    return state


@pytest.mark.parametrize("before", [False, True], ids=["answer lost", "never sent"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_write_ends_the_same(name: str, before: bool) -> None:
    build, verdict = SCENARIOS[name]
    plain = run(build, verdict, None)
    wanted = end_state(plain)
    assert plain.phase == ("Healthy" if verdict == "Successful" else "Degraded")
    writes = len(plain.api.writes)
    assert writes > 10
    for at in range(writes):
        world = run(build, verdict, at, before=before)
        assert end_state(world) == wanted, f"crash at write {at}"
