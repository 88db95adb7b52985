"""Which pods there are and what the status tells at the moments at which scripts look at a canary."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rollouts.kube.objects import (
    ANALYSIS_TEMPLATES,
    Manifest,
    format_time,
)
from rollouts.simulation.backend import BAD
from rollouts.simulation.scenarios import ROUTING
from tests.simulation.moments import (
    CRASHES,
    CRASHES_TOO,
    PAUSE,
    READY_AFTER_TEN,
    SLOW,
    TIGHT,
    counts,
    deployed,
    listening,
    phases,
    play,
    pods,
    update,
    waiting,
    weight,
)


@pytest.mark.parametrize(
    ("limits", "container", "told"),
    [
        ({"maxSurge": "100%"}, CRASHES, [(7, 4, 3), (11, 8, 3), (7, 4, 3)]),
        ({"maxSurge": "100%"}, {"env": [{"name": "a", "value": "b"}]}, [(7, 4, 3)]),
        ({"maxSurge": 2, "maxUnavailable": 0}, CRASHES, [(6, 2, 4), (10, 6, 4), (6, 2, 4)]),
    ],
    ids=["twice as many", "twice as many that work", "two more"],
)
def test_counts_on_the_way_are_told_also_while_it_is_scaled(
    limits: Manifest, container: Manifest, told: Sequence[tuple[int, int, int]]
) -> None:
    async def story() -> None:
        async with deployed({"canary": limits}, 4) as world:
            await update(world, container)
            for replicas, (total, new, old) in zip((4, 8, 4), told, strict=False):
                await world.spec(replicas=replicas)
                await world.until(lambda status, total=total: status.get("replicas") == total, f"{total}")
                assert pods(world) == {"1": old, "2": new}

    play(story)


def test_scaled_at_a_pause_both_versions_keep_their_share() -> None:
    async def story() -> None:
        async with deployed({"canary": {"steps": [weight(25), PAUSE]}}, 1) as world:
            await update(world)
            await world.phase("Paused")
            assert pods(world) == {"1": 1, "2": 1}
            for replicas, new in ((8, 2), (4, 1)):
                await world.spec(replicas=replicas)
                await world.until(lambda st, n=replicas: st.get("availableReplicas") == n, f"{replicas}")
                assert pods(world) == {"1": replicas - new, "2": new}

    play(story)


def test_a_weight_that_falls_takes_pods_only_as_others_become_available() -> None:
    steps = [weight(100), PAUSE, weight(0), PAUSE, weight(100)]
    failing = {"analysis": {"templates": [{"templateName": "errors"}]}}

    async def story() -> None:
        limits = {"maxSurge": 2, "maxUnavailable": 0}
        async with deployed({"canary": {"steps": [*steps, failing], **limits}}, 3, SLOW) as world:
            world.backend.value = BAD
            await update(world)
            await world.phase("Paused")
            assert pods(world) == {"2": 3}
            await world.status(pauseConditions=None)
            await world.rest(2)
            assert pods(world) == {"1": 2, "2": 3}
            await world.until(lambda st: st["currentStepIndex"] == 3 and st["phase"] == "Paused", "no weight")
            assert pods(world) == {"1": 3}
            await world.status(pauseConditions=None)
            await world.phase("Degraded")
            await world.rest(2)
            assert pods(world) == {"1": 2, "2": 3}
            assert len(world.mirror.all("analysisruns")) == 1

    play(story)


def test_each_wait_that_is_too_long_is_told_and_ends_well_around_a_pause() -> None:
    async def story() -> None:
        strategy = {"canary": {"steps": [weight(20), PAUSE]}}
        spec = {"progressDeadlineSeconds": 5, "phase": "Degraded"}
        async with deployed(strategy, 3, READY_AFTER_TEN, **spec) as world:
            await world.phase("Healthy")
            await update(world)
            await world.phase("Degraded")
            await world.phase("Paused")
            assert pods(world) == {"1": 3, "2": 1}
            await world.status(pauseConditions=None)
            await world.phase("Degraded")
            await world.phase("Healthy")
            assert pods(world) == {"2": 3}

    play(story)


def test_a_pause_longer_than_the_progress_deadline_is_never_told_as_a_failure() -> None:
    async def story() -> None:
        steps = [weight(32), {"pause": {"duration": "30s"}}, weight(67)]
        async with deployed({"canary": {"steps": steps}}, 3, progressDeadlineSeconds=5) as world:
            await update(world)
            seen: list[str] = []
            async for phase in phases(world, "Healthy"):
                seen.append(phase)
            assert seen == ["Progressing", "Paused", "Progressing", "Healthy"]

    play(story)


def test_a_third_version_behind_services_takes_the_place_of_the_second() -> None:
    async def story() -> None:
        services = {"canaryService": "canary", "stableService": "stable"}
        strategy = {"canary": {"steps": [weight(20), PAUSE], **services}}
        async with deployed(strategy, 3, READY_AFTER_TEN, progressDeadlineSeconds=5) as world:
            for left in ({"1": 3, "2": 1}, {"1": 3, "3": 1}):
                await update(world)
                await world.phase("Paused")
                assert pods(world) == left
            assert world.mirror.selects("canary") == world.state["currentPodHash"]

    play(story)


@pytest.mark.parametrize(
    ("first", "then", "left"),
    [
        ({}, [(CRASHES, {"1": 4, "2": 1}), (CRASHES_TOO, {"1": 4, "3": 1})], "Degraded"),
        (CRASHES, [(CRASHES_TOO, {"1": 4, "2": 1})], "Degraded"),
        (CRASHES, [({}, {"2": 4})], "Healthy"),
    ],
    ids=["good to bad to bad", "bad to bad", "bad to good"],
)
@pytest.mark.parametrize("steps", [[], [weight(50), {"pause": {"duration": "5s"}}]], ids=["plain", "steps"])
def test_versions_that_crash_take_no_more_pods_than_the_limits_allow(
    first: Manifest, then: Sequence[tuple[Manifest, dict[str, int]]], left: str, steps: list[Manifest]
) -> None:
    async def story() -> None:
        strategy = {"canary": {**TIGHT, "steps": steps}}
        begins = "Degraded" if first else "Healthy"
        async with deployed(strategy, 4, first, phase=begins, progressDeadlineSeconds=10) as world:
            for container, expected in then:
                await update(world, container or {"command": None})
                seen = [phase async for phase in phases(world, left)]
                assert seen[0] == "Progressing"
                assert pods(world) == expected

    play(story)


def test_a_restart_takes_as_many_pods_as_may_be_missing_and_tells_it() -> None:
    async def story() -> None:
        strategy = {"canary": {"maxUnavailable": "75%", "steps": [weight(25), PAUSE]}}
        async with deployed(strategy, 4, SLOW) as world:
            await update(world)
            await world.phase("Paused")
            await world.rest(1)
            await world.spec(restartAt=format_time(world.clock.now()))
            await world.rest(2)
            assert counts(world) == (4, 1, 1, 1)

    play(story)


def test_behind_a_router_a_version_that_comes_back_has_no_deadline_and_the_one_it_replaces_has() -> None:
    async def story() -> None:
        services = {"canaryService": "canary", "stableService": "stable", "trafficRouting": ROUTING}
        async with deployed(
            {"canary": {"scaleDownDelayRevisionLimit": 1, **services}}, 1, progressDeadlineSeconds=5
        ) as world:
            seen = []
            for version in ("v2", "v3", "v2"):
                await world.deploy(version)
                await world.phase("Healthy")
                await world.rest(1)
                seen.append(waiting(world))
            assert seen == [
                {"1": (1, True), "2": (1, False)},
                {"1": (0, False), "2": (1, True), "3": (1, False)},
                {"1": (0, False), "3": (1, True), "4": (1, False)},
            ]
            await world.rest(10)
            assert world.state["phase"] == "Healthy", "a version that waits for its end is no missed deadline"

    play(story)


def test_a_template_that_appears_makes_a_rollout_without_pods_healthy_at_once() -> None:
    async def story() -> None:
        missing = {"templates": [{"templateName": "missing"}]}
        async with deployed({"canary": {"analysis": missing}}, 0, phase="Degraded") as world:
            metric = {"name": "m", "interval": "5s", "provider": {"prometheus": {"query": "m"}}}
            await world.create(
                ANALYSIS_TEMPLATES, {"metadata": {"name": "missing"}, "spec": {"metrics": [metric]}}
            )
            before = world.clock.monotonic()
            await world.phase("Healthy")
            assert world.clock.monotonic() - before < 1

    play(story)


CHECKED = {"analysis": {"templates": [{"templateName": "errors"}], "args": []}}


def test_the_way_back_within_the_window_needs_no_analysis_and_from_beyond_it_one() -> None:
    label = {"name": "team", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['team']"}}}
    steps = [weight(50), {"analysis": {**CHECKED["analysis"], "args": [label]}}]

    async def story() -> None:
        async with deployed({"canary": {"steps": steps}}, 2, rollbackWindow={"revisions": 2}) as world:
            made = []
            for version in ("v2", "v3", "v4", "v3", "v6", "v2"):
                await world.rest(2)
                await world.deploy(version)
                await world.phase("Healthy")
                made.append(len(world.mirror.all("analysisruns")))
            assert made == [1, 2, 3, 3, 4, 5]

    play(story)


def test_full_promotion_starts_no_analysis_whatever_it_skips() -> None:
    steps = [{"pause": {"duration": "24h"}}, {"analysis": {"templates": [{"templateName": "long"}]}}, PAUSE]
    metric = {"name": "m", "interval": "24h", "count": 2, "provider": {"prometheus": {"query": "m"}}}
    background = {"templates": [{"templateName": "errors"}], "startingStep": 4}

    async def story() -> None:
        strategy = {"canary": {"analysis": background, "steps": [*steps, CHECKED]}}
        async with deployed(strategy, 1, phase="Degraded") as world:
            await world.create(
                ANALYSIS_TEMPLATES, {"metadata": {"name": "long"}, "spec": {"metrics": [metric]}}
            )
            await world.phase("Healthy")
            await update(world)
            await world.phase("Paused")
            await world.status(pauseConditions=None)
            await world.rest(2)
            assert (world.state["currentStepIndex"], world.state["phase"]) == (1, "Progressing")
            await world.status(currentStepIndex=2)
            await world.phase("Paused")
            await world.status(abort=True)
            await world.rest(1)
            await world.status(promoteFull=True)
            await world.phase("Healthy")
            await world.rest(2)
            assert len(world.mirror.all("analysisruns")) == 1

    play(story)


def test_a_canary_that_is_scaled_by_hand_follows_the_weight_again_when_told() -> None:
    scaled = [{"setCanaryScale": {name: value}} for name, value in (
        ("weight", 25), ("replicas", 3), ("matchTrafficWeight", True),
    )]  # fmt: skip
    long, short = {"pause": {"duration": "100s"}}, {"pause": {"duration": "5s"}}
    steps = [PAUSE, scaled[0], long, weight(50), long, scaled[1], PAUSE, scaled[2], short]

    async def story() -> None:
        services = {"canaryService": "canary", "stableService": "stable", "trafficRouting": ROUTING}
        async with deployed({"canary": {"steps": steps, **services}}, 4) as world:
            await update(world)
            seen = []
            for index in (0, 2, 4, 6, 8):
                await world.until(
                    lambda st, i=index: st["currentStepIndex"] == i and st["phase"] == "Paused",
                    f"step {index}",
                )
                seen.append(pods(world).get("2", 0))
                assert pods(world)["1"] == 4
                await world.status(pauseConditions=None)
            assert seen == [0, 1, 1, 3, 2]
            await world.phase("Healthy")
            assert pods(world) == {"1": 4, "2": 4}

    play(story)


@pytest.mark.parametrize(
    ("canary", "left"),
    [
        ({"steps": [weight(50), PAUSE]}, 0),
        ({"steps": [{"setCanaryScale": {"replicas": 1}}, PAUSE], "abortScaleDownDelaySeconds": 1}, 0),
        ({"steps": [{"setCanaryScale": {"replicas": 1}}, PAUSE], "abortScaleDownDelaySeconds": 0}, 1),
    ],
    ids=["no router", "behind a router", "kept"],
)
def test_the_abort_is_told_when_the_canary_service_is_back_on_stable(canary: Manifest, left: int) -> None:
    routed = {"trafficRouting": ROUTING} if "abortScaleDownDelaySeconds" in canary else {}

    async def story() -> None:
        services = {"canaryService": "canary", "stableService": "stable", **routed}
        async with deployed({"canary": {**canary, **services}}, 1) as world:
            await update(world)
            await world.phase("Paused")
            assert world.mirror.selects("canary") == world.state["currentPodHash"]
            await world.status(abort=True)
            await world.phase("Degraded")
            assert world.mirror.selects("canary") == world.state["stableRS"]
            await world.rest(3)
            assert pods(world).get("2", 0) == left
            assert waiting(world)["2"] == (left, False)

    play(story)


def test_what_happens_is_told_in_the_order_that_scripts_know() -> None:
    async def story() -> None:
        steps = [weight(50), {"pause": {"duration": "3s"}}]
        async with deployed({"canary": {"steps": steps}}, 1, phase="") as world:
            heard = listening(world)
            await world.phase("Healthy")
            await update(world)
            await world.phase("Paused")
            assert pods(world) == {"1": 1, "2": 1}
            await world.status(abort=True)
            await world.phase("Degraded")
            await world.status(abort=False)
            await world.phase("Paused")
            assert pods(world) == {"1": 1, "2": 1}
            await world.phase("Healthy")
            assert pods(world) == {"2": 1}
            await world.rest(1)
            assert heard == [
                "RolloutAddedToInformer", "RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted",
                "ScalingReplicaSet", "RolloutCompleted", "RolloutUpdated", "NewReplicaSetCreated",
                "RolloutNotCompleted", "ScalingReplicaSet", "RolloutStepCompleted", "RolloutPaused",
                "ScalingReplicaSet", "RolloutAborted", "ScalingReplicaSet", "RolloutStepCompleted",
                "RolloutPaused", "RolloutStepCompleted", "RolloutResumed", "ScalingReplicaSet",
                "RolloutCompleted",
            ]  # fmt: skip

    play(story)
