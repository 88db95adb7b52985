"""A new version waits while an error budget that the Rollout names is spent; a way back never does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from analysis.slo.gate import OVERRIDE_ANNOTATION
from rollouts.api.conditions import get_condition
from rollouts.kube import objects
from rollouts.workloads import labels
from tests.unit.controllers.rollout.world import KEY, World, basic, blue_green, routed

STEPS = [{"setWeight": 50}, {"pause": {}}]
BOTH = pytest.mark.parametrize(
    "make", [lambda: basic(STEPS), lambda: routed(STEPS), lambda: blue_green(autoPromotionEnabled=False)]
)


def objective(world: World, state: str, name: str = "checkout", **spec: Any) -> None:
    """Put an objective in place, or let its status say something else."""
    status = {
        "state": state,
        "message": f"the budget of {name} is {state}",
        "checkedAt": objects.format_time(world.now),
        "observedGeneration": 1,
    }
    if (objects.SERVICE_LEVEL_OBJECTIVES, name) in world.api.objects:
        world.api.change(objects.SERVICE_LEVEL_OBJECTIVES, name, {"status": status})
        return
    body = {"metadata": {"name": name}, "spec": spec, "status": status}
    world.api.put(objects.SERVICE_LEVEL_OBJECTIVES, body)


def note(world: World, **annotations: str | None) -> None:
    names = {"gate": labels.BUDGET_GATE, "override": labels.BUDGET_OVERRIDE}
    given = {names[key]: value for key, value in annotations.items()}
    world.api.change(objects.ROLLOUTS, KEY.name, {"metadata": {"annotations": given}})


def gated(state: str, make: Callable[[], World] = lambda: basic(STEPS), **spec: Any) -> World:
    """Return a world whose first version is healthy and whose second was pushed with this budget."""
    world = make()
    note(world, gate="checkout")
    objective(world, state, **spec)
    world.settle()
    assert world.phase == "Healthy", "the first version never waits"
    world.deploy("web:v2")
    world.settle()
    return world


def condition(world: World, kind: str = "WaitsForBudget") -> tuple[str, str]:
    found = get_condition(world.status.get("conditions"), kind) or {}
    return found.get("status", ""), found.get("reason", "")


def told(world: World, reason: str) -> list[str]:
    return [event.message for event in world.events if event.reason == reason]


@BOTH
def test_a_spent_budget_holds_a_new_version_before_it_has_a_pod(make: Callable[[], World]) -> None:
    world = gated("blocked", make)
    assert list(world.sizes()) == ["v1"]
    assert world.phase == "Paused"
    assert (
        world.status["message"] == "waits for the error budget: checkout: the budget of checkout is blocked"
    )
    assert "pauseConditions" not in world.status
    assert world.status["observedGeneration"] == str(world.rollout["metadata"]["generation"])
    assert condition(world) == ("True", "BudgetBlocked")
    assert condition(world, "Completed") == ("False", "RolloutWaitsForBudget")
    assert condition(world, "Healthy")[0] == "False"
    assert len(told(world, "RolloutWaitsForBudget")) == 1
    for _ in range(5):
        world.wait(3600)
        objective(world, "blocked")
        world.settle()
    assert list(world.sizes()) == ["v1"]
    assert len(told(world, "RolloutWaitsForBudget")) == 1


@BOTH
def test_it_starts_when_the_budget_is_there_again(make: Callable[[], World]) -> None:
    world = gated("blocked", make)
    objective(world, "ok")
    world.settle()
    assert world.sizes()["v2"] > 0
    assert condition(world) == ("False", "BudgetOk")
    assert told(world, "BudgetOk")
    assert "started update to revision 2" in told(world, "RolloutNotCompleted")[-1]
    assert condition(world, "Completed") == ("False", "RolloutCompleted")
    objective(world, "blocked")
    before = world.sizes()
    world.settle()
    assert world.sizes() == before, "the gate stands before the start only"


def test_a_good_budget_is_not_worth_a_word() -> None:
    world = gated("ok")
    assert world.sizes()["v2"] == 2
    assert condition(world) == ("", "")
    assert not {"BudgetOk", "RolloutWaitsForBudget"} & set(world.reasons())


def test_without_the_annotation_nothing_is_asked() -> None:
    world = basic(STEPS)
    objective(world, "blocked")
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert world.sizes()["v2"] == 2


def test_little_budget_starts_with_a_warning_that_stays_with_the_version() -> None:
    world = gated("guarded")
    assert world.sizes()["v2"] == 2
    (message,) = told(world, "BudgetGuarded")
    assert "the budget of checkout is guarded" in message
    (made,) = [rs for rs in world.cache.list(objects.REPLICASETS) if ":v2" in str(rs["spec"])]
    assert objects.annotations_of(made)[labels.BUDGET_VERDICT] == message
    assert labels.BUDGET_GATE not in objects.annotations_of(made)


def test_the_worst_of_several_budgets_speaks() -> None:
    world = basic(STEPS)
    note(world, gate=" checkout, latency ,")
    objective(world, "ok")
    objective(world, "blocked", "latency")
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert world.status["message"] == "waits for the error budget: latency: the budget of latency is blocked"


def test_an_override_starts_it_and_is_told_with_reason_and_end() -> None:
    world = gated("blocked")
    until = objects.format_time(world.now + timedelta(hours=1))
    note(world, override=f"fixes the outage; until={until}")
    world.settle()
    assert world.sizes()["v2"] == 2
    (message,) = told(world, "BudgetOverridden")
    assert message.startswith(f"started by an override until {until}: fixes the outage")
    assert condition(world) == ("False", "BudgetOverridden")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("why; until=2026-01-01T11:59:00Z", "the override ended at 2026-01-01T11:59:00Z"),
        ("just because", "the override is not valid: metadata.annotations[rollouts.dev/budget-override]"),
    ],
    ids=["ended", "without an end"],
)
def test_an_override_that_is_over_or_cannot_be_read_is_named_and_does_nothing(
    override: str, words: str
) -> None:
    world = gated("blocked")
    note(world, override=override)
    world.settle()
    assert list(world.sizes()) == ["v1"]
    assert words in world.status["message"]


def test_the_annotation_has_the_name_that_the_library_reads() -> None:
    assert labels.BUDGET_OVERRIDE == OVERRIDE_ANNOTATION


def test_taking_the_change_back_ends_the_wait() -> None:
    world = gated("blocked")
    world.deploy("web:v1")
    world.settle()
    assert (world.phase, condition(world)) == ("Healthy", ("False", "NothingToStart"))
    assert condition(world, "Completed")[0] == condition(world, "Healthy")[0] == "True"


def test_the_way_back_to_a_version_that_ran_is_never_held() -> None:
    world = gated("ok")
    world.user(promoteFull=True)
    world.settle()
    assert world.phase == "Healthy"
    objective(world, "blocked")
    world.deploy("web:v1")
    world.settle()
    assert world.sizes()["v1"] == 2
    assert "RolloutWaitsForBudget" not in world.reasons()


def test_a_retry_of_an_aborted_version_is_not_held() -> None:
    world = gated("ok")
    world.user(abort=True)
    world.settle()
    assert world.sizes()["v2"] == 0
    objective(world, "blocked")
    world.user(abort=False)
    world.settle()
    assert world.sizes()["v2"] == 2


def test_an_update_under_way_goes_on_while_a_newer_version_waits() -> None:
    world = gated("ok")
    objective(world, "blocked")
    world.deploy("web:v3")
    world.settle()
    assert world.phase == "Paused"
    assert world.sizes() == {"v1": 2, "v2": 2}
    world.user(pauseConditions=None)
    world.settle()
    assert world.sizes() == {"v1": 0, "v2": 4}
    assert condition(world) == ("True", "BudgetBlocked")
    objective(world, "ok")
    world.settle()
    assert world.sizes()["v3"] == 2


def test_a_retry_does_not_start_a_version_that_the_spec_no_longer_names() -> None:
    world = gated("ok")
    world.user(abort=True)
    world.settle()
    objective(world, "blocked")
    world.deploy("web:v3")
    world.settle()
    world.user(abort=False)
    world.settle()
    assert world.sizes() == {"v1": 4, "v2": 0}
    assert len(told(world, "RetryRefused")) == 1
    objective(world, "ok")
    world.settle()
    assert world.sizes()["v3"] == 2
    assert not world.status.get("abort")


def test_a_way_back_that_a_newer_version_overtakes_is_no_retry() -> None:
    world = gated("ok")
    world.user(abort=True)
    world.settle()
    objective(world, "blocked")
    world.spec(paused=True)
    world.deploy("web:v1")
    world.reconcile()
    world.deploy("web:v3")
    world.settle()
    world.spec(paused=False)
    world.settle()
    assert "RetryRefused" not in world.reasons()
    assert (world.sizes(), world.phase) == ({"v1": 4, "v2": 0}, "Paused")
    assert not world.status.get("abort")


def test_the_present_version_is_looked_after_during_the_wait() -> None:
    world = gated("blocked", lambda: basic(STEPS))
    world.spec(replicas=6)
    world.settle()
    assert world.sizes() == {"v1": 6}
    assert world.phase == "Paused"


@pytest.mark.parametrize("seen", ["unknown", "missing", "changed", "stale"])
def test_without_data_it_waits_for_a_while_and_starts_with_a_warning(seen: str) -> None:
    world = basic(STEPS)
    note(world, gate="checkout")
    if seen != "missing":
        objective(world, "unknown" if seen == "unknown" else "ok")
    world.settle()
    if seen == "changed":
        world.api.change(objects.SERVICE_LEVEL_OBJECTIVES, "checkout", {"spec": {"objective": 0.9}})
    if seen == "stale":
        world.wait(31 * 60)
    world.deploy("web:v2")
    world.settle()
    assert (world.phase, condition(world)) == ("Paused", ("True", "BudgetUnknown"))
    assert "at most until" in world.status["message"]
    assert world.requeue_at is not None
    world.wait(290)
    world.settle()
    assert list(world.sizes()) == ["v1"]
    assert world.requeue_at <= world.now + timedelta(seconds=10)
    world.wait(11)
    world.settle()
    assert world.sizes()["v2"] == 2
    assert told(world, "BudgetUnknown")


def test_without_data_it_can_be_held_for_good() -> None:
    world = gated("unknown", gate={"onNoData": {"action": "hold"}})
    world.wait(24 * 3600)
    world.settle()
    assert list(world.sizes()) == ["v1"]
    assert "at most" not in world.status["message"]


def test_the_wait_without_data_begins_when_the_data_are_lost() -> None:
    world = gated("blocked")
    world.wait(3600)
    objective(world, "unknown")
    world.settle()
    assert list(world.sizes()) == ["v1"], "an hour of blocked is no hour without data"
    world.wait(301)
    world.settle()
    assert world.sizes()["v2"] == 2


def test_a_person_who_pauses_the_rollout_is_named_first() -> None:
    world = gated("blocked")
    world.spec(paused=True)
    world.settle()
    assert (world.phase, world.status["message"]) == ("Paused", "manually paused")
    assert condition(world)[0] == "True"


def test_an_invalid_spec_comes_before_the_budget() -> None:
    world = gated("blocked")
    world.api.change(objects.ROLLOUTS, KEY.name, {"metadata": {"annotations": {labels.BAKE: "soon"}}})
    world.settle()
    assert world.phase == "Degraded"
    assert world.status["message"].startswith("InvalidSpec")
