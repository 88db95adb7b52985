"""A retry is a new attempt: nothing of the old one lets it skip what it has to pass."""

from __future__ import annotations

import pytest

from tests.unit.controllers.rollout.test_analysis import ANALYSIS, with_template
from tests.unit.controllers.rollout.world import World, blue_green


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
