"""Config with the version: a changed ConfigMap is a new revision, and an old one has its old content."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.controllers.rollout.tracking import LONGEST, QUIET
from rollouts.kube import errors, objects
from rollouts.kube.objects import CONFIGMAPS, REPLICASETS, Manifest
from rollouts.workloads import configcopies, labels
from rollouts.workloads.template_hash import pod_template_hash
from tests.unit.controllers.rollout.world import KEY, World, basic, hash_of, routed

STEPS = [{"setWeight": 25}, {"pause": {}}]


def tracked(world: World, asked: str = "true", **config: str) -> World:
    """Let the Rollout mount a ConfigMap and track it; it is Healthy then."""
    world.api.put(CONFIGMAPS, {"metadata": {"name": "web"}, "data": config or {"level": "info"}})
    mount(world, "web")
    note = {"metadata": {"annotations": {labels.TRACK_CONFIG: asked}}}
    world.api.change(objects.ROLLOUTS, KEY.name, note)
    world.settle()
    assert world.phase == "Healthy"
    return world


def mount(world: World, name: str, **more: Any) -> None:
    container = {"name": "web", "image": "web:v1", "envFrom": [{"configMapRef": {"name": name, **more}}]}
    world.spec(template={"spec": {"containers": [container]}})


def edit(world: World, **data: str) -> None:
    world.api.change(CONFIGMAPS, "web", {"data": data})


def after_quiet(world: World) -> None:
    world.settle()
    world.wait(QUIET.total_seconds())
    world.settle()


def versions(world: World) -> list[Manifest]:
    return sorted(
        world.cache.list(REPLICASETS), key=lambda rs: int(objects.annotations_of(rs)[labels.REVISION])
    )


def content(world: World, rs: Manifest) -> Any:
    """Return what pods of a version get from the ConfigMap that they name."""
    name = rs["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"]
    return world.api.objects[(CONFIGMAPS, name)]["data"]


def test_without_the_annotation_a_changed_configmap_changes_nothing() -> None:
    world = basic(STEPS)
    world.api.put(CONFIGMAPS, {"metadata": {"name": "web"}, "data": {"level": "info"}})
    mount(world, "web")
    world.settle()
    edit(world, level="debug")
    after_quiet(world)
    (only,) = versions(world)
    assert hash_of(only) == pod_template_hash(world.rollout["spec"]["template"])
    assert [name for kind, name in world.api.objects if kind == CONFIGMAPS] == ["web"]


def test_a_changed_configmap_is_a_new_revision_and_the_old_one_keeps_its_content() -> None:
    world = tracked(basic(STEPS))
    edit(world, level="debug")
    after_quiet(world)
    old, new = versions(world)
    assert (world.phase, old["spec"]["replicas"], new["spec"]["replicas"]) == ("Paused", 3, 1)
    assert (content(world, old), content(world, new)) == ({"level": "info"}, {"level": "debug"})
    copies = [obj for (kind, name), obj in world.api.objects.items() if kind == CONFIGMAPS and name != "web"]
    assert all(copy["immutable"] for copy in copies)
    owners = {copy["metadata"]["ownerReferences"][0]["uid"] for copy in copies}
    assert owners == {objects.uid_of(old), objects.uid_of(new)}, "each goes with its version"


def test_the_content_that_comes_back_is_the_old_version() -> None:
    world = tracked(basic(STEPS))
    stable = world.status["stableRS"]
    edit(world, level="debug")
    after_quiet(world)
    edit(world, level="info")
    after_quiet(world)
    assert (world.phase, world.status["currentPodHash"], len(versions(world))) == ("Healthy", stable, 2)


def test_a_version_begun_before_a_restart_is_gone_on_with() -> None:
    world = tracked(basic(STEPS))
    edit(world, level="debug")
    world.reconcile()
    world.wait(QUIET.total_seconds())
    world.api.before_write = lambda what: _die() if what == "patch Rollout web/status" else None
    with pytest.raises(SystemExit):
        world.reconcile()
    world.api.before_write = lambda what: None
    world.observer = World(world.rollout["spec"]).observer
    world.observer._cache = world.cache
    world.settle()
    assert [objects.annotations_of(rs)[labels.REVISION] for rs in versions(world)] == ["1", "2"]
    assert world.phase == "Paused"


def _die() -> None:
    raise SystemExit


def test_an_undo_brings_the_old_content_back_although_the_source_has_another() -> None:
    world = tracked(basic())
    edit(world, level="debug")
    after_quiet(world)
    old, _ = versions(world)
    pods = old["spec"]["template"]["spec"]
    world.spec(template={"spec": pods})  # what undo writes
    world.settle()
    assert (world.status["stableRS"], world.phase) == (hash_of(old), "Healthy")
    edit(world, level="trace")
    after_quiet(world)
    assert world.status["stableRS"] == hash_of(old), "what names a copy is pinned to it"


def test_a_version_that_an_undo_pinned_keeps_the_copy_alive() -> None:
    world = tracked(basic(), asked="web")
    edit(world, level="debug")
    after_quiet(world)
    old, _ = versions(world)
    pods = {**old["spec"]["template"]["spec"]}
    pods["containers"] = [{**pods["containers"][0], "image": "web:v3"}]
    world.spec(template={"spec": pods})
    world.settle()
    newest = versions(world)[-1]
    assert content(world, newest) == {"level": "info"}
    name = newest["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"]
    owners = world.api.objects[(CONFIGMAPS, name)]["metadata"]["ownerReferences"]
    assert {owner["uid"] for owner in owners} == {objects.uid_of(old), objects.uid_of(newest)}


def test_several_edits_in_a_row_make_one_revision() -> None:
    world = tracked(basic())
    for number in range(5):
        edit(world, level=f"try-{number}")
        world.settle()
        assert (world.phase, len(versions(world))) == ("Progressing", 1)
        assert world.requeue_at is not None
        assert world.requeue_at <= world.now + QUIET
        world.wait(2)
    after_quiet(world)
    _, new = versions(world)
    assert (content(world, new), world.phase) == ({"level": "try-4"}, "Healthy")


def test_edits_without_end_are_followed_all_the_same() -> None:
    world = tracked(basic())
    for number in range(int(LONGEST.total_seconds()) // 2 + 2):
        edit(world, level=f"try-{number}")
        world.settle()
        world.wait(2)
    assert len(versions(world)) == 2


def test_an_image_that_comes_with_its_config_is_one_revision() -> None:
    world = tracked(basic())
    edit(world, level="debug")
    world.settle()
    world.wait(1)
    container = {"name": "web", "image": "web:v2", "envFrom": [{"configMapRef": {"name": "web"}}]}
    world.spec(template={"spec": {"containers": [container]}})
    after_quiet(world)
    _, new = versions(world)
    assert (content(world, new), world.sizes()) == ({"level": "debug"}, {"v1": 0, "v2": 4})


def test_pods_start_only_when_their_config_is_there() -> None:
    world = tracked(routed(STEPS))
    edit(world, level="debug")

    def refuse(what: str) -> None:
        if what.startswith("create ConfigMap"):
            raise errors.Forbidden("no", status=403)

    world.api.before_write = refuse
    world.reconcile()
    world.wait(QUIET.total_seconds())
    world.reconcile()
    for _ in range(3):
        with pytest.raises(errors.Forbidden):
            world.reconcile()
    _, new = versions(world)
    assert new["spec"]["replicas"] == 0
    world.api.before_write = lambda what: None
    world.settle()
    assert versions(world)[-1]["spec"]["replicas"] == 1


def test_what_has_changed_since_it_was_seen_is_not_copied_under_the_old_name() -> None:
    world = tracked(basic())
    edit(world, level="debug")
    world.reconcile()
    world.wait(QUIET.total_seconds())
    world.reconcile()  # the ReplicaSet; its config comes next
    cached = world.cache.get

    def stale(resource: Any, namespace: str, name: str) -> Any:
        found = cached(resource, namespace, name)
        return {**found, "data": {"level": "debug"}} if resource == CONFIGMAPS and name == "web" else found

    world.cache.get = stale  # type: ignore[method-assign]
    edit(world, level="error")
    with pytest.raises(errors.Conflict):
        world.reconcile()
    assert versions(world)[-1]["spec"]["replicas"] == 0


def test_a_deleted_source_changes_nothing_and_a_missing_one_is_told() -> None:
    world = tracked(basic())
    before = world.status["stableRS"]
    del world.api.objects[(CONFIGMAPS, "web")]
    after_quiet(world)
    assert (world.status["stableRS"], world.phase) == (before, "Healthy")
    mount(world, "other")
    world.settle()
    assert world.status["message"].endswith('configmaps "other" not found')
    mount(world, "other", optional=True)
    world.settle()
    assert world.phase == "Healthy"


def test_a_name_that_the_template_does_not_have_is_an_error() -> None:
    world = tracked(basic())
    world.api.change(objects.ROLLOUTS, KEY.name, {"metadata": {"annotations": {labels.TRACK_CONFIG: "webb"}}})
    world.settle()
    assert "names no ConfigMap webb; it names web" in world.status["message"]


def test_without_the_permission_it_says_so() -> None:
    world = tracked(basic())
    world.observer._find_resource = lambda group, kind: None
    world.settle()
    assert "ConfigMaps cannot be read" in world.status["message"]


def test_a_new_leader_and_a_restart_change_nothing() -> None:
    world = tracked(basic())
    writes = len(world.api.writes)
    other = World(world.rollout["spec"])
    world.observer = other.observer
    world.observer._cache = world.cache
    world.settle()
    assert len(world.api.writes) == writes


def test_the_digest_of_a_content_is_the_same_for_ever() -> None:
    """Another digest would restart the pods of everybody who tracks config."""
    whole = {"metadata": {"name": "a"}, "data": {"b": "ä", "a": "1"}, "binaryData": {"c": "AA=="}}
    digest = configcopies.digest_of(whole)
    assert digest == "fbb5e1b7f0aec508c3c0885b69f4513b37d8e8bc7ed9a969ebadfac011cbc13f"
    assert configcopies.digest_of(configcopies.project(whole)) == digest
    assert configcopies.copy_name("web", digest) == f"web-{digest[:12]}"
    long = configcopies.copy_name("a" * 239 + ".b", digest)
    assert (len(long), long[238:]) == (252, f"a-{digest[:12]}")


def test_every_place_where_a_pod_names_a_configmap_is_followed() -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "key", "key": "a", "optional": True}}}]
    pod = {
        "volumes": [
            {"name": "a", "configMap": {"name": "volume"}},
            {"name": "b", "projected": {"sources": [{"configMap": {"name": "projected"}}, {"secret": {}}]}},
            {"name": "c", "emptyDir": {}},
        ],
        "initContainers": [{"name": "i", "envFrom": [{"configMapRef": {"name": "init"}}, {"prefix": "x"}]}],
        "containers": [{"name": "c", "env": [*env, {"name": "B", "value": "1"}]}, "no object"],
    }
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
    found = configcopies.references(template)
    assert found == {"volume": False, "projected": False, "init": False, "key": True}
    moved = configcopies.with_copies(template, {name: f"{name}-1" for name in found})
    assert set(configcopies.references(moved)) == {"volume-1", "projected-1", "init-1", "key-1"}
    assert configcopies.with_copies(moved, {f"{name}-1": name for name in found}) == template
