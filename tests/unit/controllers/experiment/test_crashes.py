"""Every write may be the last, or its answer may be lost: the end is the same, and nothing is done twice."""

from __future__ import annotations

import pytest

from rollouts.kube import errors, objects
from tests.unit.controllers.experiment.world import World, analysis, experiment, template


class Lost(Exception):
    """The process is gone, or believes that the write failed."""


def build() -> World:
    required = analysis("x", requiredForCompletion=True)
    versions = (template("a", "web:v1", service={}), template("b", "web:v1", replicas=2))
    return experiment(*versions, analyses=[required, analysis("y")], duration="1m")


def run(verdict: str, fail_at: int | None, *, before: bool) -> World:
    world, count = build(), 0

    def crash(what: str) -> None:
        nonlocal count
        count += 1
        if count - 1 == fail_at:
            raise Lost(what)

    if before:
        world.api.before_write = crash
    else:
        world.api.after_write = crash
    for _ in range(200):
        version = world.api.version
        try:
            world.reconcile()
        except (Lost, errors.KubeError):
            continue
        world.ready_pods()
        for name, obj in world.named(objects.ANALYSIS_RUNS).items():
            stopped = obj["spec"].get("terminate")
            if not (obj.get("status") or {}).get("phase") and (name.startswith("exp-x") or stopped):
                world.verdict(name, verdict if name.startswith("exp-x") else "Successful")
        names = {
            entry["name"]: entry.get("serviceName") for entry in world.status.get("templateStatuses", ())
        }
        if world.phase == "Running":
            assert names["a"] == "exp-a"
        if world.api.version == version:
            if not world.requeue_at or world.requeue_at <= world.api.now:
                break
            world.wait((world.requeue_at - world.api.now).total_seconds())
    return world


def end_state(world: World) -> dict[str, object]:
    hashes = {entry["name"]: entry["podTemplateHash"] for entry in world.status["templateStatuses"]}
    return {
        "phase": world.phase, "sizes": world.sizes(), "states": world.states(), "phases": world.phases(),
        "runs": set(world.named(objects.ANALYSIS_RUNS)), "services": set(world.named(objects.SERVICES)),
        "conditions": world.conditions(), "hashes": hashes,
    }  # fmt: skip


@pytest.mark.parametrize("before", [False, True], ids=["answer lost", "never sent"])
@pytest.mark.parametrize("verdict", ["Successful", "Failed", "Inconclusive"])
def test_a_crash_at_any_write_ends_the_same(verdict: str, before: bool) -> None:
    plain = run(verdict, None, before=before)
    wanted = end_state(plain)
    assert (plain.phase, plain.sizes()) == (verdict, {"exp-a": 0, "exp-b": 0})
    assert wanted["runs"] == {"exp-x", "exp-y"}
    assert len(plain.api.writes) > 10
    for at in range(len(plain.api.writes)):
        assert end_state(run(verdict, at, before=before)) == wanted, f"crash at write {at}"


def test_when_nothing_changes_nothing_is_written() -> None:
    world = run("Successful", None, before=False)
    writes = len(world.api.writes)
    world.wait(3600)
    world.reconcile()
    assert len(world.api.writes) == writes
