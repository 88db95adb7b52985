"""Steps that somebody else wrote: run, retried, undone, and missing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from rollouts.controllers.rollout.apply import Apply
from rollouts.controllers.rollout.decide import decide
from rollouts.controllers.rollout.observe import with_answers
from rollouts.controllers.rollout.plugin_calls import calls_due
from rollouts.controllers.rollout.step_plugins import StepPlugin, StepPlugins, StepResult
from rollouts.kube import objects
from tests.unit.controllers.rollout.world import World, basic

STEPS = [{"setWeight": 25}, {"plugin": {"name": "acme/gate", "config": {"level": 3}}}, {"pause": {}}]


@dataclass
class Gate:
    """Answers what the test put into ``results``, and remembers the calls."""

    results: list[StepResult] = field(default_factory=list)
    calls: list[tuple[str, Any, Any]] = field(default_factory=list)

    def _answer(self, verb: str, config: Any, state: Any) -> StepResult:
        self.calls.append((verb, config, state))
        return self.results.pop(0) if self.results else StepResult(phase="Successful")

    async def run(self, rollout: Any, config: Any, state: Any) -> StepResult:
        return self._answer("run", config, state)

    async def terminate(self, rollout: Any, config: Any, state: Any) -> StepResult:
        return self._answer("terminate", config, state)

    async def abort(self, rollout: Any, config: Any, state: Any) -> StepResult:
        return self._answer("abort", config, state)


def reconcile(world: World, plugins: StepPlugins) -> None:
    snapshot = world.snapshot()

    async def once() -> None:
        answers = await plugins.call(calls_due(snapshot), snapshot.manifest, world.api, world.now)  # type: ignore[arg-type]
        seen = with_answers(snapshot, answers)
        apply = Apply(world.api, seen, world.events.append, world._resource_of, world._reached)  # type: ignore[arg-type]
        await apply.run(decide(seen))

    asyncio.run(once())


def settle(world: World, plugins: StepPlugins) -> None:
    for _ in range(40):
        before = world.api.version
        reconcile(world, plugins)
        world.ready_pods()
        if world.api.version == before:
            return
    raise AssertionError("not settled")


def updating(gate: Mapping[str, StepPlugin]) -> tuple[World, StepPlugins]:
    world = basic(STEPS)
    plugins = StepPlugins("rollouts", gate)
    settle(world, plugins)
    world.deploy("web:v2")
    settle(world, plugins)
    return world, plugins


def statuses(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.status.get("canary", {}).get("stepPluginStatuses", [])
    return found


def configured(world: World, text: str) -> None:
    body = {"metadata": {"name": "argo-rollouts-config"}, "data": {"stepPlugins": text}}
    world.api.put(objects.CONFIGMAPS, body)


def test_success_goes_on() -> None:
    gate = Gate([StepResult(phase="Successful", state={"ticket": 7})])
    world, _ = updating({"acme/gate": gate})
    assert world.status["currentStepIndex"] == 2
    (entry,) = statuses(world)
    assert (entry["phase"], entry["operation"], entry["status"]) == ("Successful", "Run", {"ticket": 7})
    assert gate.calls == [("run", {"level": 3}, None)]


def test_running_is_asked_again_after_its_back_off_with_its_state() -> None:
    wait = timedelta(seconds=10)
    gate = Gate([StepResult(phase="Running", state={"asked": 1}, requeue_after=wait)])
    world, plugins = updating({"acme/gate": gate})
    assert (world.status["currentStepIndex"], len(gate.calls)) == (1, 1)
    assert statuses(world)[0]["backoff"] == "15s"
    world.wait(14)
    settle(world, plugins)
    assert len(gate.calls) == 1
    world.wait(1)
    settle(world, plugins)
    assert gate.calls[-1] == ("run", {"level": 3}, {"asked": 1})
    assert world.status["currentStepIndex"] == 2
    assert statuses(world)[0]["executions"] == 2


def done(world: World) -> list[tuple[int, str, str]]:
    return [(st["index"], st["operation"], st["phase"]) for st in statuses(world)]


def test_failure_aborts_and_what_ran_before_is_undone_in_the_write_that_degrades() -> None:
    gate = Gate([StepResult(phase="Successful"), StepResult(phase="Failed", message="gate is shut")])
    world = basic([STEPS[1], STEPS[1]])
    plugins = StepPlugins("rollouts", {"acme/gate": gate})
    settle(world, plugins)
    world.deploy("web:v2")
    for _ in range(40):
        reconcile(world, plugins)
        world.ready_pods()
        if world.phase == "Degraded":
            break
    assert done(world) == [(0, "Run", "Successful"), (1, "Run", "Failed"), (0, "Abort", "Successful")]
    settle(world, plugins)
    assert world.sizes() == {"v1": 4, "v2": 0}
    assert [call[0] for call in gate.calls] == ["run", "run", "abort"]


def test_abort_by_a_person_undoes_what_ran_the_last_step_first() -> None:
    gate = Gate([StepResult(phase="Successful"), StepResult(phase="Running")])
    world = basic([STEPS[1], STEPS[1]])
    plugins = StepPlugins("rollouts", {"acme/gate": gate})
    settle(world, plugins)
    world.deploy("web:v2")
    settle(world, plugins)
    world.user(abort=True)
    settle(world, plugins)
    assert done(world)[:2] == [(0, "Run", "Successful"), (1, "Run", "Running")]
    assert done(world)[2:] == [(1, "Abort", "Successful"), (0, "Abort", "Successful")]
    assert world.phase == "Degraded"


@pytest.mark.parametrize("configured", [True, False])
def test_a_step_without_an_answer_misses_the_deadline_and_stays_where_it_is(configured: bool) -> None:
    gate = Gate([StepResult(phase="Running", state={"asked": n}) for n in range(1, 9)])
    world = basic([STEPS[1]])
    plugins = StepPlugins("rollouts", {"acme/gate": gate} if configured else {})
    settle(world, plugins)
    world.spec(progressDeadlineSeconds=15)
    world.deploy("web:v2")
    settle(world, plugins)
    world.wait(17)
    settle(world, plugins)
    assert (world.phase, world.status["currentStepIndex"], world.status.get("abort")) == ("Degraded", 0, None)
    assert world.status["message"].startswith("ProgressDeadlineExceeded: ")
    assert done(world) == ([(0, "Run", "Running")] if configured else [])


def test_the_first_version_calls_nobody() -> None:
    gate = Gate([StepResult(phase="Failed")])
    world = basic([STEPS[1]])
    settle(world, StepPlugins("rollouts", {"acme/gate": gate}))
    assert (world.phase, gate.calls, statuses(world)) == ("Healthy", [], [])


def test_a_new_update_begins_without_the_answers_of_the_last_one() -> None:
    gate = Gate()
    world, plugins = updating({"acme/gate": gate})
    world.user(promoteFull=True)
    settle(world, plugins)
    assert (world.phase, done(world)) == ("Healthy", [(1, "Run", "Successful")])
    world.spec(strategy={"canary": {"steps": [STEPS[1]]}})
    world.deploy("web:v3")
    settle(world, plugins)
    assert (world.phase, done(world)) == ("Healthy", [(0, "Run", "Successful")])


def test_full_promotion_terminates_what_still_runs() -> None:
    gate = Gate([StepResult(phase="Running")])
    world, plugins = updating({"acme/gate": gate})
    world.user(promoteFull=True)
    settle(world, plugins)
    assert [call[0] for call in gate.calls] == ["run", "terminate"]
    assert world.phase == "Healthy"


def test_an_exception_is_an_error_that_is_tried_again() -> None:
    class Broken(Gate):
        async def run(self, rollout: Any, config: Any, state: Any) -> StepResult:
            self.calls.append(("run", config, state))
            raise RuntimeError("no route to gate")

    gate = Broken()
    world, plugins = updating({"acme/gate": gate})
    (entry,) = statuses(world)
    assert (entry["phase"], entry["message"]) == ("Error", "no route to gate")
    world.wait(6)
    settle(world, plugins)
    assert len(gate.calls) == 2
    assert not world.status.get("abort")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"phase": "Perhaps"}, "phase 'Perhaps' is not valid"),
        ({"phase": "Running", "state": 2}, "state is a int; it must be a mapping of JSON values"),
        ({"phase": "Running", "state": {"at": timedelta()}}, "timedelta is not JSON serializable"),
        ({"phase": "Running", "state": {"share": float("nan")}}, "not JSON compliant"),
    ],
)
def test_an_answer_that_has_no_place_in_the_status_is_an_error(answer: dict[str, Any], message: str) -> None:
    gate = Gate([StepResult(phase="Running", state={"asked": 1}), StepResult(**answer)])
    world, plugins = updating({"acme/gate": gate})
    world.wait(6)
    settle(world, plugins)
    (entry,) = statuses(world)
    assert (entry["phase"], entry["status"]) == ("Error", {"asked": 1})
    assert message in entry["message"]
    world.wait(6)
    settle(world, plugins)
    assert world.status["currentStepIndex"] == 2


def test_a_plugin_that_is_not_configured_is_told_and_nothing_else_stops() -> None:
    world, _ = updating({})
    told = [event for event in world.events if event.reason == "ReconciliationError"]
    assert "step plugin acme/gate is not configured" in told[0].message
    assert world.sizes() == {"v1": 3, "v2": 1}
    assert world.status["currentStepIndex"] == 1


def test_a_go_binary_is_named_with_what_to_do() -> None:
    world = basic(STEPS)
    text = "- name: acme/gate\n  location: https://example.com/gate\n"
    world.api.put(
        objects.CONFIGMAPS, {"metadata": {"name": "argo-rollouts-config"}, "data": {"stepPlugins": text}}
    )
    plugins = StepPlugins("rollouts", {})
    settle(world, plugins)
    world.deploy("web:v2")
    settle(world, plugins)
    told = [event.message for event in world.events if event.reason == "ReconciliationError"]
    assert "Go binary at https://example.com/gate" in told[0]
    assert "rollouts.step_plugins" in told[0]


def test_a_disabled_plugin_is_skipped() -> None:
    world = basic(STEPS)
    text = "- name: acme/gate\n  location: file://gate\n  disabled: true\n"
    world.api.put(
        objects.CONFIGMAPS, {"metadata": {"name": "argo-rollouts-config"}, "data": {"stepPlugins": text}}
    )
    gate = Gate()
    plugins = StepPlugins("rollouts", {"acme/gate": gate})
    settle(world, plugins)
    world.deploy("web:v2")
    settle(world, plugins)
    assert world.status["currentStepIndex"] == 2
    assert gate.calls == []
    assert statuses(world)[0]["disabled"] is True


def test_the_status_says_when_it_was_asked_and_when_it_ended() -> None:
    gate = Gate([StepResult(phase="Running", requeue_after=timedelta(seconds=5))])
    world, plugins = updating({"acme/gate": gate})
    began = objects.format_time(world.now)
    assert statuses(world)[0]["startedAt"] == began
    assert "finishedAt" not in statuses(world)[0]
    world.wait(11)
    settle(world, plugins)
    ended = objects.format_time(world.now)
    assert (statuses(world)[0]["updatedAt"], statuses(world)[0]["finishedAt"]) == (ended, ended)
