"""A retry is a new attempt: nothing of the old one lets it skip what it has to pass."""

from __future__ import annotations

import pytest

from tests.unit.controllers.rollout.test_analysis import ANALYSIS, with_template
from tests.unit.controllers.rollout.world import World, basic, blue_green


def aborted(strategy: str) -> World:
    """Return a world whose v2 has failed its first analysis; its pods are still there for a while."""
    world = with_template(blue_green(**{strategy: ANALYSIS}))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    (name,) = world.runs()
    world.finish_run(name, "Failed", "too many errors")
    world.settle()
    assert world.phase == "Degraded"
    assert world.sizes()["v2"] == 2
    return world


@pytest.mark.parametrize("strategy", ["prePromotionAnalysis", "postPromotionAnalysis"])
def test_a_retry_within_the_scale_down_delay_is_analysed_anew(strategy: str) -> None:
    world = aborted(strategy)
    world.user(abort=None)
    world.settle()
    assert len(world.runs()) == 2
    assert world.hash("v2") != world.status["stableRS"]


@pytest.mark.parametrize("strategy", ["prePromotionAnalysis", "postPromotionAnalysis"])
def test_a_version_that_failed_is_no_quick_way_back(strategy: str) -> None:
    world = aborted(strategy)
    world.deploy("web:v3")
    world.reconcile()
    world.reconcile()
    world.deploy("web:v2")
    world.settle()
    assert world.hash("v2") != world.status["stableRS"]
    assert world.runs()[max(world.runs())].get("status", {}).get("phase") is None


@pytest.mark.parametrize("phase", ["Failed", "Error", "Running"])
@pytest.mark.parametrize("where", ["step", "background", "both"])
@pytest.mark.parametrize("scaled", [False, True])
def test_each_try_of_a_canary_has_runs_of_its_own_and_forgets_none(
    phase: str, where: str, scaled: bool
) -> None:
    """A run that a person's abort has stopped may not have answered yet: it does not decide either."""
    third = {"pause": {}} if where == "background" else {"analysis": ANALYSIS}
    background = {"analysis": {**ANALYSIS, "startingStep": 2}} if where != "step" else {}
    steps = [{"setWeight": 50}, {"pause": {}}, third, {"setWeight": 100}]
    world = with_template(basic(steps, **background))
    world.spec(analysis={"unsuccessfulRunHistoryLimit": 9})
    world.settle()
    world.deploy("web:v2")
    world.settle()
    go_on(world)
    tried = [end_try(world, phase)]
    for _ in range(2):
        if scaled:
            world.spec(replicas=world.rollout["spec"]["replicas"] + 1)
        world.user(abort=False)
        world.settle()
        assert (world.phase, bool(world.status.get("abort"))) == ("Paused", False)
        assert len(world.runs()) == sum(map(len, tried)), "none before its step"
        go_on(world)
        tried.append(end_try(world, "Failed"))
    assert len(set().union(*tried)) == sum(map(len, tried)), "no run of two tries"
    assert {len(runs) for runs in tried} == {2 if where == "both" else 1}
    assert set(world.runs()) == set().union(*tried)
    for name in tried[0]:
        run = world.runs()[name]
        assert (run["status"]["phase"], run["metadata"]["annotations"]["rollout.argoproj.io/revision"]) == (
            phase, "2",
        )  # fmt: skip


def go_on(world: World) -> None:
    world.user(pauseConditions=None)
    world.settle()


def end_try(world: World, phase: str) -> set[str]:
    """Let the try's runs end so, or a person end it while they run; return their names."""
    canary = world.status["canary"]
    fields = ("currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus")
    runs = {canary[field]["name"] for field in fields if field in canary}
    for name in runs:
        world.finish_run(name, phase)
    if phase == "Running":
        world.user(abort=True)
    world.settle()
    assert (world.phase, world.status["abort"]) == ("Degraded", True)
    return runs


@pytest.mark.parametrize("phase", ["Failed", "Error", "Running"])
@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("gone", [False, True])
def test_a_retried_blue_green_is_analysed_after_a_new_switch(phase: str, by_hand: bool, gone: bool) -> None:
    """The old verdict does not abort the new try, whether or not the preview's pods are still there."""
    world = with_template(blue_green(postPromotionAnalysis=ANALYSIS, autoPromotionEnabled=not by_hand))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    for _ in range(3):
        if by_hand:
            assert (world.phase, world.selects("active")) == ("Paused", "v1")
            go_on(world)
        assert world.selects("active") == "v2"
        name = world.status["blueGreen"]["postPromotionAnalysisRunStatus"]["name"]
        world.finish_run(name, phase)
        if phase == "Running":
            world.user(abort=True)
        world.settle()
        assert (world.phase, world.selects("active")) == ("Degraded", "v1")
        if gone:
            world.wait(31)
            world.settle()
            assert world.sizes()["v2"] == 0
        world.user(abort=False)
        for _ in range(3):
            world.reconcile()
            assert not world.status.get("abort")
            assert not gone or world.selects("active") == "v1"
        world.settle()
    assert len(world.runs()) == 3 + (not by_hand)
