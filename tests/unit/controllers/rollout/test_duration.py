"""How long an update took and how it ended: what ``status.duration`` says at each end that one can have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rollouts.kube import objects
from tests.unit.controllers.rollout.world import World, basic, blue_green, rollout_spec

STEPS = [{"setWeight": 50}, {"pause": {}}]
Duration = dict[str, Any]


def canary(**spec: Any) -> World:
    return World(rollout_spec({"canary": {"steps": STEPS}}, replicas=1, **spec))


def preview(*, delay: int = 0, **spec: Any) -> World:
    world = blue_green(replicas=1, autoPromotionEnabled=False, scaleDownDelaySeconds=delay)
    world.spec(**spec)
    return world


def paused_at(world: World, tag: str) -> Duration:
    """Bring a version to the pause before the end, a minute after whatever was before."""
    world.wait(60)
    world.deploy(f"web:{tag}")
    world.settle()
    assert world.phase == "Paused", world.status.get("message")
    return dict(world.status["duration"])


def promoted(world: World, *tags: str) -> World:
    world.settle()
    for tag in tags:
        paused_at(world, tag)
        world.user(pauseConditions=None)
        world.settle()
        assert world.phase == "Healthy"
    return world


def ended(world: World) -> Duration:
    """Return the duration once the Rollout has come to an end, with what every end must have."""
    found = dict(world.status["duration"])
    assert found["finishedAt"] >= found["rolloutStartedAt"]
    assert "manualPauseStartedAt" not in found
    return found


@pytest.mark.parametrize("make", [lambda: basic(STEPS), lambda: blue_green()], ids=["canary", "blue-green"])
def test_a_first_deploy_is_promoted_without_a_pause(make: Callable[[], World]) -> None:
    found = ended(promoted(make()))
    assert found["completionStatus"] == "Promoted"
    assert "totalManualPauseDurationSeconds" not in found


@pytest.mark.parametrize("make", [canary, preview], ids=["canary", "blue-green"])
def test_a_persons_pause_counts_from_the_new_version_on(make: Callable[..., World]) -> None:
    world = promoted(make())
    world.spec(paused=True)
    world.settle()
    began = paused_at(world, "v2")
    assert began["manualPauseStartedAt"] == began["rolloutStartedAt"] == objects.format_time(world.now)
    world.wait(7)
    world.spec(paused=False)
    world.settle()
    world.user(pauseConditions=None)
    world.settle()
    found = ended(world)
    assert (found["completionStatus"], found["totalManualPauseDurationSeconds"]) == ("Promoted", 7)


@pytest.mark.parametrize("make", [canary, preview], ids=["canary", "blue-green"])
@pytest.mark.parametrize(
    ("request_", "status"), [({"promoteFull": True}, "FastPromoted"), ({"abort": True}, "Aborted")]
)
def test_a_pause_of_no_length_is_counted_as_well(
    make: Callable[..., World], request_: dict[str, Any], status: str
) -> None:
    world = promoted(make())
    paused_at(world, "v2")
    world.user(**request_)
    world.settle()
    found = ended(world)
    assert (found["completionStatus"], found["totalManualPauseDurationSeconds"]) == (status, 0)


@pytest.mark.parametrize("make", [canary, preview], ids=["canary", "blue-green"])
def test_a_version_that_overtakes_another_begins_anew(make: Callable[..., World]) -> None:
    world = promoted(make())
    before = paused_at(world, "v2")
    after = paused_at(world, "v3")
    assert before["rolloutStartedAt"] < after["rolloutStartedAt"]
    world.user(pauseConditions=None)
    world.settle()
    assert ended(world)["completionStatus"] == "Promoted"


@pytest.mark.parametrize("make", [canary, preview], ids=["canary", "blue-green"])
def test_the_way_back_to_stable_ends_what_the_update_began(make: Callable[..., World]) -> None:
    world = promoted(make())
    before = paused_at(world, "v2")
    world.wait(5)
    world.deploy("web:v1")
    world.settle()
    found = ended(world)
    assert world.phase == "Healthy"
    assert found["completionStatus"] == "FastRolledBack"
    assert found["rolloutStartedAt"] == before["rolloutStartedAt"]
    assert found["totalManualPauseDurationSeconds"] == 5


@pytest.mark.parametrize("make", [canary, preview], ids=["canary", "blue-green"])
def test_the_way_back_to_stable_after_an_abort_is_one_of_its_own(make: Callable[..., World]) -> None:
    world = promoted(make())
    before = paused_at(world, "v2")
    world.user(abort=True)
    world.settle()
    world.wait(5)
    world.deploy("web:v1")
    world.settle()
    found = ended(world)
    assert found["completionStatus"] == "FastRolledBack"
    assert found["rolloutStartedAt"] > before["rolloutStartedAt"]


@pytest.mark.parametrize("make", [canary, preview], ids=["canary", "blue-green"])
def test_a_way_back_from_an_update_within_the_window_is_fast(make: Callable[..., World]) -> None:
    world = promoted(make(rollbackWindow={"revisions": 1}), "v2")
    paused_at(world, "v3")
    world.deploy("web:v1")
    world.settle()
    assert (world.phase, ended(world)["completionStatus"]) == ("Healthy", "FastRolledBack")


@pytest.mark.parametrize("make", [canary, preview], ids=["canary", "blue-green"])
def test_a_way_back_from_beyond_the_window_says_so_before_it_ends(make: Callable[..., World]) -> None:
    world = promoted(make(rollbackWindow={"revisions": 1}), "v2", "v3")
    before = paused_at(world, "v4")
    under_way = paused_at(world, "v1")
    assert under_way["completionStatus"] == "RolledBack"
    assert "finishedAt" not in under_way
    assert under_way["rolloutStartedAt"] == before["rolloutStartedAt"]
    world.user(pauseConditions=None)
    world.settle()
    assert ended(world)["completionStatus"] == "RolledBack"


def test_a_way_back_to_pods_that_still_stand_is_fast() -> None:
    world = promoted(preview(delay=300), "v2")
    paused_at(world, "v3")
    world.deploy("web:v1")
    world.settle()
    assert (world.phase, world.selects("active")) == ("Healthy", "v1")
    assert ended(world)["completionStatus"] == "FastRolledBack"


@pytest.mark.parametrize("make", [canary, preview], ids=["canary", "blue-green"])
def test_a_retry_begins_anew_and_scaling_does_not(make: Callable[..., World]) -> None:
    world = promoted(make())
    before = paused_at(world, "v2")
    world.user(abort=True)
    world.settle()
    world.wait(2)
    world.user(abort=False)
    world.settle()
    again = dict(world.status["duration"])
    assert again["rolloutStartedAt"] > before["rolloutStartedAt"]
    assert not {"finishedAt", "completionStatus"} & set(again)
    world.wait(2)
    world.spec(replicas=2)
    world.settle()
    assert world.status["duration"] == again
