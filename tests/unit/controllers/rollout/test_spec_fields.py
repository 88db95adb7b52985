"""Fields of the spec, one behaviour each: what a user turns and what turns with it."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.kube import objects
from rollouts.workloads import labels
from tests.unit.controllers.rollout.test_analysis import ANALYSIS, METRIC, with_template
from tests.unit.controllers.rollout.test_ephemeral_metadata import template_labels, with_pods
from tests.unit.controllers.rollout.world import World, basic, blue_green, rollout_spec, routed

STEPS = [{"setWeight": 25}, {"pause": {}}]


def whole(world: World, *versions: str) -> World:
    """Bring versions in one after the other, each promoted by hand."""
    world.settle()
    for version in versions:
        world.wait(60)
        world.deploy(f"web:{version}")
        world.settle()
        world.user(promoteFull=True)
        world.settle()
        assert world.phase == "Healthy"
    return world


def replica_set(world: World, tag: str) -> objects.Manifest:
    name = f"web-{world.hash(tag)}"
    return next(rs for rs in world.cache.list(objects.REPLICASETS) if objects.name_of(rs) == name)


# -- the Rollout itself -------------------------------------------------------------------------------------


def test_min_ready_seconds_reach_the_replica_set() -> None:
    world = World(rollout_spec({"canary": {}}, minReadySeconds=7))
    world.settle()
    assert replica_set(world, "v1")["spec"]["minReadySeconds"] == 7


@pytest.mark.parametrize(("revisions", "phase"), [(1, "Healthy"), (0, "Paused")])
def test_a_way_back_within_the_rollback_window_skips_the_steps(revisions: int, phase: str) -> None:
    world = World(rollout_spec({"canary": {"steps": STEPS}}, rollbackWindow={"revisions": revisions}))
    whole(world, "v2")
    world.wait(60)
    world.deploy("web:v1")
    world.settle()
    assert world.phase == phase


def test_a_way_back_from_beyond_the_rollback_window_runs_the_steps() -> None:
    world = World(rollout_spec({"canary": {"steps": STEPS}}, rollbackWindow={"revisions": 1}))
    whole(world, "v2", "v3")
    world.wait(60)
    world.deploy("web:v1")
    world.settle()
    assert world.phase == "Paused"


def test_finished_runs_beyond_the_limits_are_deleted() -> None:
    limits = {"successfulRunHistoryLimit": 1, "unsuccessfulRunHistoryLimit": 0}
    steps = [{"setWeight": 25}, {"analysis": ANALYSIS}]
    world = with_template(World(rollout_spec({"canary": {"steps": steps}}, analysis=limits)))
    world.settle()
    for number, phase in ((2, "Failed"), (3, "Successful"), (4, "Successful")):
        world.wait(60)
        world.deploy(f"web:v{number}")
        world.settle()
        (open_run,) = (name for name, run in world.runs().items() if not run.get("status"))
        world.finish_run(open_run, phase)
        world.settle()
    (left,) = world.runs().values()
    assert left["metadata"]["labels"][labels.POD_TEMPLATE_HASH] == world.hash("v4")


# -- counts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "first"),
    [
        ({"maxSurge": 0, "maxUnavailable": 1}, {"v1": 3, "v2": 1}),
        ({"maxSurge": 1, "maxUnavailable": 0}, {"v1": 4, "v2": 1}),
    ],
    ids=["one is missing", "one more"],
)
def test_the_first_move_of_an_update_is_what_the_bounds_allow(
    limits: dict[str, Any], first: dict[str, int]
) -> None:
    world = basic([{"setWeight": 50}, {"pause": {}}], **limits)
    world.settle()
    world.deploy("web:v2")
    world.settle(pods=False)
    assert world.sizes() == first


def test_a_routed_version_has_at_least_the_pods_that_the_strategy_asks_for() -> None:
    world = routed([{"setWeight": 1}, {"pause": {}}], replicas=10, minPodsPerReplicaSet=3)
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert world.sizes() == {"v1": 10, "v2": 3}
    assert world.weights() == (99, 1)


def test_set_canary_scale_by_weight_and_back_to_the_weight_of_the_traffic() -> None:
    steps = [
        {"setCanaryScale": {"weight": 75}}, {"setWeight": 25}, {"pause": {}},
        {"setCanaryScale": {"matchTrafficWeight": True}}, {"pause": {}},
    ]  # fmt: skip
    world = routed(steps)
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert (world.sizes()["v2"], world.weights()) == (3, (75, 25))
    world.user(pauseConditions=None)
    world.settle()
    assert (world.sizes()["v2"], world.weights()) == (1, (75, 25))


@pytest.mark.parametrize(
    ("threshold", "enough"),
    [({"type": "Percent", "value": 50}, 2), ({"type": "Pods", "value": 1}, 1)],
    ids=["percent", "pods"],
)
def test_the_step_is_done_once_enough_of_the_canary_is_available(
    threshold: dict[str, Any], enough: int
) -> None:
    world = routed([{"setWeight": 50}, {"pause": {}}], replicas=8, replicaProgressThreshold=threshold)
    world.settle()
    world.deploy("web:v2")
    world.settle(pods=False)
    pod_hash = world.hash("v2")
    for available, index in ((enough - 1, 0), (enough, 1)):
        for _ in range(8):
            world.ready_pods({pod_hash: available})
            world.settle(pods=False)
        assert world.status["currentStepIndex"] == index, available


@pytest.mark.parametrize(("seconds", "at", "left"), [(5, 4, 4), (5, 6, 0)])
def test_the_old_version_goes_after_its_delay(seconds: int, at: int, left: int) -> None:
    world = routed(STEPS, scaleDownDelaySeconds=seconds)
    whole(world, "v2")
    world.wait(at)
    world.settle()
    assert world.sizes() == {"v1": left, "v2": 4}


@pytest.mark.parametrize(("limit", "left"), [(0, (0, 0)), (1, (0, 4)), (None, (4, 4))])
def test_of_the_old_versions_that_wait_only_so_many_stay(limit: int | None, left: tuple[int, int]) -> None:
    world = routed([], scaleDownDelaySeconds=600, scaleDownDelayRevisionLimit=limit)
    whole(world, "v2", "v3")
    sizes = world.sizes()
    assert (sizes["v1"], sizes["v2"]) == left


@pytest.mark.parametrize(
    ("seconds", "left"), [(5, 0), (0, 1), (None, 0)], ids=["after its seconds", "kept", "after thirty"]
)
def test_an_aborted_canary_behind_a_router_goes_after_its_own_delay(seconds: int | None, left: int) -> None:
    world = routed(STEPS, abortScaleDownDelaySeconds=seconds)
    world.settle()
    world.deploy("web:v2")
    world.settle()
    world.user(abort=True)
    world.settle()
    assert world.sizes()["v2"] == 1
    world.wait(31 if seconds is None else 6)
    world.settle()
    assert world.sizes() == {"v1": 4, "v2": left}


def test_an_aborted_preview_may_be_kept() -> None:
    world = blue_green(autoPromotionEnabled=False, abortScaleDownDelaySeconds=0)
    world.settle()
    world.deploy("web:v2")
    world.settle()
    world.user(abort=True)
    world.settle()
    world.wait(3600)
    world.settle()
    assert world.sizes() == {"v1": 2, "v2": 2}


def test_blue_green_keeps_the_old_version_for_its_seconds_and_only_so_many() -> None:
    world = blue_green(scaleDownDelaySeconds=5, scaleDownDelayRevisionLimit=1)
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert world.sizes() == {"v1": 2, "v2": 2}
    world.deploy("web:v3")
    world.settle()
    assert world.sizes() == {"v1": 0, "v2": 2, "v3": 2}
    world.wait(6)
    world.settle()
    assert world.sizes() == {"v1": 0, "v2": 0, "v3": 2}


def test_the_maximum_of_the_traffic_weight_is_what_all_traffic_means() -> None:
    plugin = {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}}
    steps = [{"setWeight": 250}, {"pause": {}}]
    world = routed(steps, trafficRouting={"plugins": plugin, "maxTrafficWeight": 1000})
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert (world.sizes()["v2"], world.weights()) == (1, (750, 250))


# -- pods ---------------------------------------------------------------------------------------------------

PREFERRED = {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 7}}
REQUIRED: dict[str, Any] = {"requiredDuringSchedulingIgnoredDuringExecution": {}}


@pytest.mark.parametrize(("wanted", "weight"), [(PREFERRED, 7), (REQUIRED, None)], ids=["preferred", "must"])
@pytest.mark.parametrize("make", [basic, blue_green])
def test_the_new_version_keeps_away_from_the_nodes_of_stable(
    make: Any, wanted: dict[str, Any], weight: int | None
) -> None:
    world = make(antiAffinity=wanted)
    world.settle()
    assert "affinity" not in replica_set(world, "v1")["spec"]["template"]["spec"]
    world.deploy("web:v2")
    world.settle()
    rules = replica_set(world, "v2")["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    (kind,) = wanted
    (term,) = rules[kind]
    if weight is not None:
        assert term["weight"] == weight
        term = term["podAffinityTerm"]
    (rule,) = term["labelSelector"]["matchExpressions"]
    assert rule["key"] == labels.POD_TEMPLATE_HASH
    assert rule["values"] == [world.hash("v1")]


def test_blue_green_marks_active_and_preview_pods() -> None:
    world = with_pods(
        blue_green(
            autoPromotionEnabled=False,
            activeMetadata={"labels": {"role": "active"}},
            previewMetadata={"labels": {"role": "preview"}},
        )
    )
    world.settle()
    assert template_labels(world, "v1")["role"] == "active"
    world.deploy("web:v2")
    world.settle()
    assert template_labels(world, "v2")["role"] == "preview"
    world.user(pauseConditions=None)
    world.settle()
    assert template_labels(world, "v2")["role"] == "active"


# -- analysis -----------------------------------------------------------------------------------------------


def test_the_background_analysis_starts_at_its_step() -> None:
    steps = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]
    world = with_template(basic(steps, analysis={**ANALYSIS, "startingStep": 2}))
    world.settle()
    world.deploy("web:v2")
    world.settle()
    assert not world.runs()
    world.user(pauseConditions=None)
    world.settle()
    (run,) = world.runs().values()
    assert run["metadata"]["labels"][labels.ROLLOUT_TYPE] == "Background"


def test_rules_metadata_and_fields_of_the_rollout_reach_the_run() -> None:
    analysis = {
        "templates": [{"templateName": "all", "clusterScope": True}],
        "args": [
            {"name": "service", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "old", "valueFrom": {"podTemplateHashValue": "Stable"}},
        ],
        "dryRun": [{"metricName": "errors"}],
        "measurementRetention": [{"metricName": "errors", "limit": 3}],
        "analysisRunMetadata": {"labels": {"team": "shop"}, "annotations": {"why": "step"}},
    }
    world = basic([{"setWeight": 25}, {"analysis": analysis}])
    metric = {**METRIC, "name": "errors", "successCondition": "'{{args.service}}{{args.old}}' != ''"}
    metric["provider"] = {"prometheus": {"address": "http://prometheus", "query": "errors"}}
    spec = {"args": [{"name": "service"}, {"name": "old"}], "metrics": [metric]}
    world.api.put(objects.CLUSTER_ANALYSIS_TEMPLATES, {"metadata": {"name": "all"}, "spec": spec})
    world.settle()
    world.deploy("web:v2")
    world.settle()
    (run,) = world.runs().values()
    assert {arg["name"]: arg["value"] for arg in run["spec"]["args"]} == {
        "service": "web", "old": world.hash("v1"),
    }  # fmt: skip
    assert run["spec"]["dryRun"] == [{"metricName": "errors"}]
    assert run["spec"]["measurementRetention"] == [{"metricName": "errors", "limit": 3}]
    assert run["metadata"]["labels"]["team"] == "shop"
    assert run["metadata"]["annotations"]["why"] == "step"
