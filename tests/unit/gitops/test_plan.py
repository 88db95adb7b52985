"""Order of a sync, sync options and prune guards."""

from typing import Any

import pytest

from rollouts.gitops.comparison import Rules, aggregate_health, compare, in_sync
from rollouts.gitops.health.model import Level
from rollouts.gitops.plan.options import of_object, parse, unknown
from rollouts.gitops.plan.order import Phase, hook_phases, wave_of
from rollouts.gitops.plan.prune import allowed, refusal
from rollouts.gitops.plan.stages import stages
from rollouts.gitops.render.directory import Origin, Rendered
from rollouts.gitops.targets import Served, Targets, build
from rollouts.kube.api import ServedResource
from rollouts.kube.objects import (
    APPLICATIONS,
    CONFIGMAPS,
    CRDS,
    DEPLOYMENTS,
    NAMESPACES,
    SERVICES,
    Manifest,
    ObjectKey,
)

SERVED = Served(
    ServedResource(resource, frozenset({"list", "patch"}))
    for resource in (CONFIGMAPS, CRDS, DEPLOYMENTS, NAMESPACES, SERVICES, APPLICATIONS)
)


def manifest(
    kind: str, name: str, api: str = "v1", notes: dict[str, str] | None = None, **rest: Any
) -> Manifest:
    meta = {"name": name, **({"annotations": notes} if notes else {})}
    return {"apiVersion": api, "kind": kind, "metadata": meta, **rest}


def wanted(*manifests: Manifest) -> Targets:
    rendered = [Rendered(one, Origin("app/x.yaml", index)) for index, one in enumerate(manifests)]
    return build(rendered, SERVED, instance="shop", namespace="ns")


def wave(number: int) -> dict[str, str]:
    return {"argocd.argoproj.io/sync-wave": str(number)}


def hook(name: str) -> dict[str, str]:
    return {"argocd.argoproj.io/hook": name}


def names(targets: Targets, live: dict[ObjectKey, Manifest] | None = None) -> list[list[str]]:
    ordered = stages(compare(targets, live or {}, Rules()), only=None)
    return [[task.key.name for task in stage.tasks] for stage in ordered]


def test_phases_then_waves_then_kinds_then_names() -> None:
    targets = wanted(
        manifest("Service", "b"),
        manifest("Deployment", "a", "apps/v1"),
        manifest("ConfigMap", "z"),
        manifest("ConfigMap", "late", notes=wave(2)),
        manifest("ConfigMap", "early", notes=wave(-1)),
        manifest("ConfigMap", "before", notes=hook("PreSync")),
        manifest("ConfigMap", "after", notes=hook("PostSync")),
        manifest("ConfigMap", "never", notes=hook("Skip")),
    )
    assert names(targets) == [["before"], ["early"], ["z", "b", "a"], ["late"], ["after"]]


def test_what_is_pruned_goes_last_and_highest_waves_first() -> None:
    old = {
        ObjectKey(CONFIGMAPS, "ns", name): {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "ns", "annotations": wave(number)},
        }
        for name, number in (("low", 0), ("high", 5))
    }
    assert names(wanted(manifest("ConfigMap", "new", notes=wave(9))), old) == [["new"], ["high"], ["low"]]


def test_a_kind_that_the_same_commit_defines_waits_for_its_definition() -> None:
    definition = manifest(
        "CustomResourceDefinition",
        "things.example.com",
        "apiextensions.k8s.io/v1",
        spec={
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [{"name": "v1"}],
        },
    )
    targets = wanted(manifest("Thing", "one", "example.com/v1"), definition, manifest("Namespace", "ns"))
    assert [target.problem for target in targets.objects] == ["", "", ""]
    assert names(targets) == [["ns", "things.example.com"], ["one"]]


def test_only_listed_objects_are_synced_and_no_hooks() -> None:
    targets = wanted(
        manifest("ConfigMap", "a"), manifest("ConfigMap", "b"), manifest("ConfigMap", "h", notes=hook("Sync"))
    )
    found = stages(compare(targets, {}, Rules()), only=frozenset({("", "ConfigMap", "", "b")}))
    assert [[task.key.name for task in stage.tasks] for stage in found] == [["b"]]


def test_of_an_object_that_occurs_twice_the_last_counts_and_people_are_told() -> None:
    targets = wanted(manifest("ConfigMap", "a", data={"x": "1"}), manifest("ConfigMap", "a", data={"x": "2"}))
    assert [target.manifest["data"] for target in targets.objects] == [{"x": "2"}]
    assert targets.warnings[0].type == "RepeatedResourceWarning"
    assert "app/x.yaml (object 1) and in app/x.yaml (object 2)" in targets.warnings[0].message


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (manifest("Thing", "a", "example.com/v1"), "does not serve example.com/v1 Thing; install"),
        (manifest("Deployment", "a", "apps/v1beta1"), "does not serve apps/v1beta1 Deployment, but apps/v1"),
        (manifest("ConfigMap", "a", notes=hook("Sometimes")), "unknown hook type: Sometimes"),
    ],
    ids=["unknown kind", "other version", "unknown hook"],
)
def test_an_object_that_cannot_be_applied_says_why(one: Manifest, words: str) -> None:
    targets = wanted(one, manifest("ConfigMap", "fine"))
    problems = {target.key.name: target.problem for target in targets.objects}
    assert words in problems["a"]
    assert problems["fine"] == ""
    assert names(targets) == [["fine"]]


def test_objects_are_compared_with_what_is_live() -> None:
    targets = wanted(manifest("ConfigMap", "a", data={"x": "1"}), manifest("ConfigMap", "b"))
    a, b = (target.manifest for target in targets.objects)
    keys = list(targets.by_key)
    same = dict(zip(keys, (a, b), strict=True))
    assert in_sync(compare(targets, same, Rules()))
    changed = {**same, keys[0]: {**a, "data": {"x": "2"}}}
    found = compare(targets, changed, Rules())
    assert [one.differences for one in found] == [(("data", "x"),), ()]
    assert not in_sync(found)


def test_an_object_that_a_controller_owns_is_not_pruned() -> None:
    owned = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "child", "ownerReferences": [{"controller": True, "uid": "1"}]},
    }
    assert compare(Targets(), {ObjectKey(CONFIGMAPS, "ns", "child"): owned}, Rules()) == ()


def test_missing_objects_make_the_application_missing_only_when_nothing_is_live() -> None:
    targets = wanted(manifest("ConfigMap", "a"), manifest("ConfigMap", "b"))
    assert aggregate_health(compare(targets, {}, Rules())).level is Level.MISSING
    first = targets.objects[0]
    one_live = compare(targets, {first.key: first.manifest}, Rules())
    assert aggregate_health(one_live).level is Level.HEALTHY


@pytest.mark.parametrize(("text", "number"), [("3", 3), ("-2", -2), ("x", 0), ("", 0), (" 1 ", 1)])
def test_waves(text: str, number: int) -> None:
    assert wave_of({"metadata": {"annotations": {"argocd.argoproj.io/sync-wave": text}}}) == number


def test_a_hook_may_run_in_several_phases() -> None:
    obj = {"metadata": {"annotations": hook("PreSync, PostSync")}}
    assert hook_phases(obj) == (Phase.PRE_SYNC, Phase.POST_SYNC)


def test_an_objects_own_options_win() -> None:
    obj = {"metadata": {"annotations": {"argocd.argoproj.io/sync-options": "Prune=false,Replace=true"}}}
    found = of_object(obj, parse(["Prune=true", "PrunePropagationPolicy=background"]))
    assert found.no("Prune")
    assert found.yes("Replace")
    assert found.propagation == "Background"
    assert parse([]).propagation == "Foreground"


def test_options_that_nobody_acts_on_are_named() -> None:
    assert unknown(parse(["Prune=true", "Validat=false", "Force=true"])) == ["Force", "Validat"]


@pytest.mark.parametrize(
    ("tracked", "limit", "most"),
    [(4, "", 10), (100, "", 50), (100, "20", 20), (100, "80%", 80), (100, "none", None), (100, "many", 50)],
)
def test_how_many_objects_may_be_pruned(tracked: int, limit: str, most: int | None) -> None:
    assert allowed(tracked, limit) == most


def refused(**changed: Any) -> str:
    values = {"wanted": 60, "tracked": 100, "to_prune": 5, "limit": "", "allow_empty": False, "revision": "c"}
    return refusal(**{**values, **changed})


def test_a_small_share_is_pruned_and_a_large_one_needs_a_person() -> None:
    assert refused() == ""
    assert "60 of 100 objects are gone from Git, the limit is 50" in refused(to_prune=60)
    assert refused(to_prune=60, limit="60%") == ""


def test_everything_is_pruned_only_when_that_is_allowed() -> None:
    assert "auto-sync will wipe out all resources" in refused(wanted=0, tracked=3, to_prune=3)
    assert refused(wanted=0, tracked=3, to_prune=3, allow_empty=True) == ""
    assert refused(wanted=0, to_prune=0) == ""
