"""Services that a Rollout names: what they select must be pods of the version that they are for."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.conditions import INVALID_SPEC
from rollouts.kube import objects
from rollouts.workloads import labels
from tests.unit.controllers.rollout.world import World, blue_green, routed


def select(world: World, service: str, **selector: str) -> World:
    world.api.change(objects.SERVICES, service, {"spec": {"selector": selector}})
    return world


def problem(world: World) -> str:
    """Return what is wrong with the spec, "" for nothing."""
    conditions = world.decide().status.get("conditions") or ()
    return next((str(c["message"]) for c in conditions if c["type"] == INVALID_SPEC), "")


@pytest.mark.parametrize("role", ["stable", "canary"])
def test_a_service_of_a_canary_may_select_what_only_its_version_carries(role: str) -> None:
    metadata: Any = {f"{name}Metadata": {"labels": {"role": name}} for name in ("stable", "canary")}
    assert problem(select(routed(**metadata), role, role=role)) == ""


@pytest.mark.parametrize("role", ["active", "preview"])
def test_a_service_of_a_blue_green_may_select_what_only_its_version_carries(role: str) -> None:
    metadata: Any = {f"{name}Metadata": {"labels": {"role": name}} for name in ("active", "preview")}
    assert problem(select(blue_green(**metadata), role, role=role)) == ""


def test_a_label_that_the_other_version_carries_is_none_of_its_own() -> None:
    world = select(routed(stableMetadata={"labels": {"role": "stable"}}), "canary", role="stable")
    assert 'Service "canary" has unmatch label "role" in rollout' in problem(world)


def test_a_wrong_selector_is_told_before_a_foreign_owner() -> None:
    world = select(routed(), "stable", app="other")
    owner = {"metadata": {"annotations": {labels.MANAGED_BY: "other"}}}
    world.api.change(objects.SERVICES, "stable", owner)
    assert 'has unmatch label "app"' in problem(world)
