"""What each command writes: the fields that the field's other tools write too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rollouts.cli import patches
from rollouts.cli.patches import NothingToDo, Patch
from rollouts.kube import objects
from tests.unit.controllers.rollout.world import basic

STEPS = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}


def rollout(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    hashes = {"currentPodHash": "new", "stableRS": "old"}
    return {"spec": {"strategy": STEPS, **spec}, "status": {**hashes, **(status or {})}}


PROMOTED = {"currentPodHash": "same", "stableRS": "same", "currentStepIndex": 2}
HELD = {"pauseConditions": [{"reason": "CanaryPauseStep"}], "controllerPause": True, "currentStepIndex": 1}
UNSURE = {**HELD, "pauseConditions": [{"reason": "InconclusiveAnalysisRun"}]}


@pytest.mark.parametrize(
    ("plan", "live", "spec", "status"),
    [
        pytest.param(patches.abort, rollout(), {}, {"abort": True}, id="abort"),
        pytest.param(patches.abort, rollout({"abort": True}), {}, {}, id="aborted already"),
        pytest.param(patches.retry, rollout({"abort": True}), {}, {"abort": False}, id="retry"),
        pytest.param(patches.retry, rollout(), {}, {}, id="nothing to retry"),
        pytest.param(patches.promote_full, rollout(PROMOTED), {}, {}, id="promoted in full already"),
        pytest.param(patches.promote, rollout(PROMOTED), {}, {}, id="promoted already"),
        pytest.param(patches.skip_step, rollout(), {}, {"currentStepIndex": 1}, id="skip the first step"),
        pytest.param(
            patches.skip_step, rollout({"currentStepIndex": 2}), {}, {"currentStepIndex": 2},
            id="not past the last step",
        ),
        pytest.param(patches.skip_all_steps, rollout(HELD), {}, {"currentStepIndex": 2}, id="skip all steps"),
        pytest.param(patches.pause, rollout(), {"paused": True}, {}, id="pause"),
        pytest.param(patches.resume, rollout(paused=True), {"paused": False}, {}, id="resume"),
        pytest.param(patches.promote, rollout(HELD), {}, {"pauseConditions": None}, id="promote a pause"),
        pytest.param(
            patches.promote, rollout(HELD, paused=True), {"paused": False}, {"pauseConditions": None},
            id="promote a pause of both kinds",
        ),
        pytest.param(patches.promote, rollout(paused=True), {"paused": False}, {}, id="promote a hold"),
        pytest.param(
            patches.promote, rollout(UNSURE), {},
            {"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2},
            id="promote an inconclusive analysis",
        ),
        pytest.param(
            patches.promote, rollout({"currentStepIndex": 0}), {},
            {"pauseConditions": None, "currentStepIndex": 1},
            id="skip a step",
        ),
        pytest.param(patches.promote_full, rollout(), {}, {"promoteFull": True}, id="promote in full"),
        pytest.param(patches.terminate_run, {"status": {}}, {"terminate": True}, {}, id="stop"),
    ],
)  # fmt: skip
def test_a_command_patches_what_the_controller_reacts_to(
    plan: Callable[[Any], Patch], live: dict[str, Any], spec: dict[str, Any], status: dict[str, Any]
) -> None:
    patch = plan(live)
    assert (patch.spec, patch.status) == (spec, status)


@pytest.mark.parametrize(
    ("plan", "live", "why"),
    [
        pytest.param(patches.abort, rollout(PROMOTED), "no update is under way", id="abort"),
        pytest.param(patches.retry_experiment, {"status": {"phase": "Running"}}, "not ended", id="retry"),
        pytest.param(
            patches.skip_step, rollout(strategy={"blueGreen": {}}), "blue-green", id="steps of a blue-green"
        ),
        pytest.param(
            patches.skip_all_steps, rollout(strategy={"canary": {}}), "no steps to skip", id="no steps"
        ),
        pytest.param(patches.resume, rollout(HELD), "is ended by `promote`", id="resume"),
        pytest.param(patches.promote, rollout({"currentStepIndex": 2}), "has no step left", id="promote"),
        pytest.param(
            patches.promote, rollout({"abort": True, "currentStepIndex": 0}), "`retry` it", id="aborted"
        ),
        pytest.param(patches.terminate_run, {"status": {"phase": "Failed"}}, "ended already", id="terminate"),
    ],
)
def test_a_command_that_makes_no_sense_now_says_why(
    plan: Callable[[Any], Patch], live: dict[str, Any], why: str
) -> None:
    with pytest.raises(NothingToDo, match=why):
        plan(live)


def test_undo_restores_the_template_of_the_revision_before_without_the_hash() -> None:
    world = basic()
    world.settle()
    first = world.rollout["spec"]["template"]
    world.deploy("web:v2")
    world.settle()
    patch = patches.undo(world.rollout, world.cache.list(objects.REPLICASETS), 0)
    test, replace = patch.json_patch
    assert test == {
        "op": "test", "path": "/metadata/resourceVersion", "value": objects.resource_version(world.rollout)
    }  # fmt: skip
    assert replace == {"op": "replace", "path": "/spec/template", "value": first}


def test_undo_to_the_present_revision_changes_nothing_and_to_an_unknown_one_says_which_there_are() -> None:
    world = basic()
    world.settle()
    world.deploy("web:v2")
    world.settle()
    sets = world.cache.list(objects.REPLICASETS)
    kept = patches.undo(world.rollout, sets, 2)
    assert (kept.done, kept.json_patch) == ("keeps its template: revision 2 is what it has already", ())
    with pytest.raises(NothingToDo, match=r"no revision 9\. There are: 1, 2"):
        patches.undo(world.rollout, sets, 9)


def test_an_experiment_that_has_ended_is_run_again_without_what_it_found() -> None:
    assert patches.retry_experiment({"status": {"phase": "Failed"}}).whole == {"status": None}


def test_a_template_that_lives_elsewhere_is_not_patched_here() -> None:
    live = rollout(workloadRef={"kind": "Deployment", "name": "web"})
    with pytest.raises(NothingToDo, match="Deployment web"):
        patches.set_images(live, {"web": "web:v2"})


TEMPLATE = {
    "spec": {
        "containers": [{"name": "web", "image": "web:v1"}, {"name": "proxy", "image": "proxy:v1"}],
        "initContainers": [{"name": "setup", "image": "setup:v1"}],
    }
}


@pytest.mark.parametrize(
    ("images", "changed"),
    [
        pytest.param({"proxy": "proxy:v2"}, {"/spec/template/spec/containers/1/image": "proxy:v2"}, id="one"),
        pytest.param(
            {"setup": "s:2"}, {"/spec/template/spec/initContainers/0/image": "s:2"}, id="an init container"
        ),
        pytest.param({"web": "web:v1"}, {}, id="no change"),
        pytest.param(
            {"*": "web:v1"},
            {
                "/spec/template/spec/containers/1/image": "web:v1",
                "/spec/template/spec/initContainers/0/image": "web:v1",
            },
            id="all",
        ),
    ],
)
def test_images_are_set_by_container(images: dict[str, str], changed: dict[str, str]) -> None:
    operations = patches.set_images(rollout(template=TEMPLATE), images).json_patch
    assert {op["path"]: op["value"] for op in operations if op["op"] == "replace"} == changed


def test_an_unknown_container_is_answered_with_those_that_exist() -> None:
    with pytest.raises(NothingToDo, match="There are: web, proxy, setup"):
        patches.set_images(rollout(template=TEMPLATE), {"wbe": "web:v2"})
