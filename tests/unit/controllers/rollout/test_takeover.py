"""A cluster that another controller leaves in mid-work is taken over: nothing restarts, nothing moves.

Each world is brought into a state, then every trace of this controller is replaced by what the peer writes:
other hashes, another step hash, no marks of ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from rollouts.kube import objects
from rollouts.workloads import labels
from tests.unit.controllers.rollout.test_analysis import ANALYSIS, with_template
from tests.unit.controllers.rollout.world import KEY, World, basic, blue_green, hash_of, routed

STEPS = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]


def foreign(world: World) -> World:
    """Rewrite everything as another controller would have written it."""
    text = json.dumps([[r.plural, n, o] for (r, n), o in world.api.objects.items()])
    by_plural = {r.plural: r for r, _ in world.api.objects}
    for number, rs in enumerate(world.cache.list(objects.REPLICASETS)):
        text = text.replace(hash_of(rs), f"foreign{number}")
    world.api.objects.clear()
    for plural, name, obj in json.loads(text):
        notes = obj["metadata"].get("annotations", {})
        for key in [key for key in notes if key.startswith("rollouts.dev/")]:
            del notes[key]
        if by_plural[plural] == objects.ROLLOUTS and "status" in obj:
            obj["status"]["currentStepHash"] = "otherwise"
            obj["status"].pop("duration", None)
        renamed = obj["metadata"]["name"]
        world.api.objects[(by_plural[plural], renamed)] = obj
        assert renamed == name or "foreign" in renamed
    return world


def updated(make: Callable[[], World]) -> World:
    world = make()
    world.settle()
    world.deploy("web:v2")
    world.settle()
    return world


def aborted() -> World:
    world = updated(lambda: routed(STEPS))
    world.user(abort=True)
    world.settle()
    return world


def second_pause() -> World:
    world = updated(lambda: routed(STEPS))
    world.user(pauseConditions=None)
    world.settle()
    return world


def running_analysis() -> World:
    world = with_template(basic([{"setWeight": 25}, {"analysis": ANALYSIS}, {"pause": {}}]))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    world.finish_run(next(iter(world.runs())), "Running")
    world.settle()
    return world


STATES: dict[str, Callable[[], World]] = {
    "healthy": lambda: _settled(basic(STEPS)),
    "paused without a router": lambda: updated(lambda: basic(STEPS)),
    "paused behind a router": second_pause,
    "aborted, before the scale-down": aborted,
    "analysis under way": running_analysis,
    "blue-green preview": lambda: updated(lambda: blue_green(autoPromotionEnabled=False)),
    "blue-green, old version waits": lambda: updated(blue_green),
}


def _settled(world: World) -> World:
    world.settle()
    return world


def picture(world: World) -> dict[str, object]:
    routes = [obj["spec"] for (kind, _), obj in world.api.objects.items() if kind == objects.HTTP_ROUTES]
    services = world.cache.list(objects.SERVICES)
    return {
        "sizes": world.sizes(),
        "phase": world.phase,
        "index": world.status.get("currentStepIndex"),
        "runs": sorted(world.runs()),
        "revision": world.rollout["metadata"]["annotations"][labels.REVISION],
        "routes": json.dumps(routes),
        "services": json.dumps([service["spec"] for service in services]),
    }


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_created_deleted_scaled_or_moved(state: str) -> None:
    world = foreign(STATES[state]())
    before = picture(world)
    world.api.writes.clear()
    world.settle()
    assert picture(world) == before
    # The Gateway API router marks its route once; the rules stay as they are.
    assert set(world.api.writes) <= {f"patch Rollout {KEY.name}/status", "replace HTTPRoute web"}


def test_an_update_that_was_taken_over_goes_on_to_its_end() -> None:
    world = foreign(second_pause())
    world.settle()
    world.user(pauseConditions=None)
    world.settle()
    assert world.phase == "Healthy"
    assert world.weights() == (100, 0)
    assert world.status["stableRS"].startswith("foreign")
    assert len(world.sizes()) == 2


def test_a_verdict_that_arrives_after_the_take_over_decides() -> None:
    world = foreign(running_analysis())
    world.settle()
    world.finish_run(next(iter(world.runs())), "Failed", "too many errors")
    world.settle()
    assert world.phase == "Degraded"
    assert len(world.runs()) == 1


def test_steps_that_change_after_the_take_over_start_over() -> None:
    world = foreign(second_pause())
    world.settle()
    world.spec(strategy={"canary": {"steps": [{"setWeight": 10}, {"pause": {}}, {"pause": {}}]}})
    world.settle()
    assert world.status["currentStepIndex"] == 1
    assert world.weights() == (90, 10)
