"""Which pods there are and what the status tells at the moments at which people and scripts look."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rollouts.kube.objects import (
    ANALYSIS_TEMPLATES,
    ROLLOUTS,
    Manifest,
    annotations_of,
    format_time,
    is_deleting,
    labels_of,
)
from rollouts.simulation.backend import BAD
from rollouts.simulation.loop import run_virtual
from rollouts.simulation.mirror import desired, hash_of
from rollouts.simulation.scenarios import ROUTING, Scenario
from rollouts.simulation.world import World
from rollouts.workloads import labels

PAUSE: Manifest = {"pause": {}}
CRASHES = {"command": ["/bad"]}
CRASHES_TOO = {"command": ["/bad", "again"]}
SLOW = {"lifecycle": {hook: {"exec": {"command": ["sleep", "5"]}} for hook in ("postStart", "preStop")}}
READY_AFTER_TEN = {"readinessProbe": {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 10}}
TIGHT = {"maxSurge": 1, "maxUnavailable": 0}


def weight(percent: int) -> Manifest:
    return {"setWeight": percent}


async def _nothing(world: World) -> None:
    pass


@asynccontextmanager
async def deployed(
    strategy: Manifest,
    replicas: int,
    container: Manifest | None = None,
    *,
    phase: str = "Healthy",
    **spec: Any,
) -> AsyncIterator[World]:
    """Run a world whose Rollout is in ``phase`` after its first deploy."""
    scenario = Scenario("moments", strategy, _nothing, replicas=replicas, more=spec)
    async with World.running(1) as world:
        await world.start()
        for resource, body in scenario.objects():
            if resource == ROLLOUTS:
                body["spec"]["template"]["spec"]["containers"][0].update(container or {})
            await world.create(resource, body)
        if phase:
            await world.phase(phase)
        yield world
        assert not world.errors


async def update(world: World, container: Manifest | None = None, **spec: Any) -> None:
    """Change what containers do, or without that only an annotation of the template."""
    template: Manifest = {"metadata": {"annotations": {"update": str(world.clock.monotonic())}}}
    if container is not None:
        template = {"spec": {"containers": [{"name": "web", "image": "web:v1", **container}]}}
    await world.spec(template=template, **spec)


def pods(world: World) -> dict[str, int]:
    """Return how many pods of each revision there are, without those that are going."""
    sets = world.mirror.all("replicasets").values()
    revisions = {hash_of(rs): annotations_of(rs)[labels.REVISION] for rs in sets}
    there = (pod for pod in world.mirror.all("pods").values() if not is_deleting(pod))
    return dict(Counter(revisions[hash_of(pod)] for pod in there))


def counts(world: World) -> tuple[int, int, int, int]:
    """Return what the status tells: all, updated, ready and available replicas."""
    found = (world.state.get(f"{name}eplicas", 0) for name in ("r", "updatedR", "readyR", "availableR"))
    return tuple(found)  # type: ignore[return-value]


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run_virtual(story())


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


@pytest.mark.parametrize("automatic", [False, True])
def test_blue_green_tells_a_wait_that_is_too_long_and_ends_well(automatic: bool) -> None:
    async def story() -> None:
        strategy = {"blueGreen": {"activeService": "active", "autoPromotionEnabled": automatic}}
        spec = {"progressDeadlineSeconds": 5, "phase": "Degraded"}
        async with deployed(strategy, 1, READY_AFTER_TEN, **spec) as world:
            await world.phase("Healthy")
            await update(world)
            await world.phase("Degraded")
            if not automatic:
                await world.phase("Paused")
                await world.status(pauseConditions=None)
            await world.phase("Healthy")
            assert world.mirror.selects("active") == world.state["currentPodHash"]

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


async def phases(world: World, last: str) -> AsyncIterator[str]:
    """Return each phase that is told, from now on until the last one."""
    now = ""
    while now != last:
        await world.until(lambda st, now=now: st["phase"] != now and fresh(world), f"another than {now}")
        now = world.state["phase"]
        yield now


def fresh(world: World) -> bool:
    return bool(world.state["observedGeneration"] == str(world.rollout["metadata"]["generation"]))


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


def test_old_versions_beyond_the_limit_go_at_once_and_the_counts_tell_it() -> None:
    async def story() -> None:
        delays = {"scaleDownDelaySeconds": 86400, "scaleDownDelayRevisionLimit": 2}
        async with deployed({"blueGreen": {"activeService": "active", **delays}}, 1) as world:
            for _ in range(3):
                await update(world)
                await world.phase("Healthy")
            await world.rest(1)
            assert (pods(world), counts(world)) == ({"2": 1, "3": 1, "4": 1}, (3, 1, 1, 1))
            await world.spec(strategy={"blueGreen": {"scaleDownDelayRevisionLimit": 1}})
            await world.rest(1)
            assert (pods(world), counts(world)) == ({"3": 1, "4": 1}, (2, 1, 1, 1))

    play(story)


def test_behind_a_router_a_version_that_comes_back_has_no_deadline_and_the_one_it_replaces_has() -> None:
    async def story() -> None:
        services = {"canaryService": "canary", "stableService": "stable", "trafficRouting": ROUTING}
        async with deployed({"canary": {"scaleDownDelayRevisionLimit": 1, **services}}, 1) as world:
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

    play(story)


def waiting(world: World) -> dict[str, tuple[int, bool]]:
    """Return for each revision its replicas, and whether it waits for its end."""
    return {
        annotations_of(rs)[labels.REVISION]: (desired(rs), labels.SCALE_DOWN_DEADLINE in annotations_of(rs))
        for rs in world.mirror.all("replicasets").values()
    }


def test_blue_green_counts_at_the_switch_are_those_of_the_version_that_users_reach() -> None:
    async def story() -> None:
        async with deployed({"blueGreen": {"activeService": "active"}}, 3) as world:
            assert counts(world) == (3, 3, 3, 3)
            await update(world)
            await world.phase("Progressing")
            await world.until(
                lambda st: st["blueGreen"]["activeSelector"] == st["currentPodHash"] != "", "the switch"
            )
            assert counts(world) == (6, 3, 3, 3)
            await world.phase("Healthy")
            assert counts(world) == (6, 3, 3, 3)

    play(story)


@pytest.mark.parametrize("request_", [{"pauseConditions": None}, {"promoteFull": True}], ids=["step", "full"])
def test_a_small_preview_grows_when_it_is_promoted_and_waits_as_long_as_it_takes(request_: Manifest) -> None:
    async def story() -> None:
        blue_green = {
            "activeService": "active",
            "previewReplicaCount": 1,
            "autoPromotionEnabled": False,
        }
        async with deployed({"blueGreen": blue_green}, 2, progressDeadlineSeconds=2) as world:
            await update(world)
            await world.phase("Paused")
            await world.rest(5)
            assert (world.state["phase"], counts(world)) == ("Paused", (3, 1, 2, 2))
            await world.status(**request_)
            await world.phase("Healthy")
            assert counts(world) == (4, 2, 2, 2)

    play(story)


def test_an_aborted_preview_is_gone_after_its_delay() -> None:
    async def story() -> None:
        fields = {"previewReplicaCount": 1, "abortScaleDownDelaySeconds": 1, "autoPromotionEnabled": False}
        async with deployed({"blueGreen": {"activeService": "active", **fields}}, 2) as world:
            await update(world)
            await world.phase("Paused")
            assert pods(world) == {"1": 2, "2": 1}
            await world.status(abort=True)
            await world.phase("Degraded")
            await world.rest(3)
            assert pods(world) == {"1": 2}

    play(story)


def test_a_missed_deadline_aborts_also_where_that_is_asked_for_afterwards() -> None:
    async def story() -> None:
        fields = {"activeService": "active", "abortScaleDownDelaySeconds": 2}
        async with deployed({"blueGreen": fields}, 1) as world:
            await update(world, {"image": "does-not-exist:v2"}, progressDeadlineSeconds=1)
            await world.phase("Degraded")
            await world.rest(3)
            assert (pods(world), world.state.get("abort")) == ({"1": 1, "2": 1}, None)
            await world.spec(progressDeadlineAbort=True)
            await world.phase("Degraded")
            await world.rest(3)
            assert (pods(world), world.state.get("abort")) == ({"1": 1}, True)
            kinds = sorted(condition["type"] for condition in world.state["conditions"])
            assert kinds == ["Available", "Completed", "Healthy", "Progressing"]

    play(story)


def test_a_rollout_that_becomes_a_canary_gives_its_service_back() -> None:
    async def story() -> None:
        async with deployed({"blueGreen": {"activeService": "active"}}, 2) as world:
            canary = {"steps": [weight(50), PAUSE]}
            await update(world, strategy={"blueGreen": None, "canary": canary})
            await world.phase("Paused")
            await world.until(lambda st: st.get("availableReplicas") == 2, "two pods")
            assert counts(world) == (2, 1, 2, 2)
            assert world.mirror.all("services")["active"]["spec"]["selector"] == {"app": "web"}

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


@pytest.mark.parametrize(
    ("strategy", "new", "stable"),
    [
        ({"canary": {"steps": [weight(50), PAUSE]}}, "canaryMetadata", "stableMetadata"),
        (
            {"blueGreen": {"activeService": "active", "autoPromotionEnabled": False}},
            "previewMetadata",
            "activeMetadata",
        ),
    ],
    ids=["canary", "blue-green"],
)  # fmt: skip
def test_pods_wear_the_labels_of_their_role_and_of_no_other(
    strategy: Manifest, new: str, stable: str
) -> None:
    (kind,) = strategy

    async def story() -> None:
        roles = {new: {"labels": {"role": "new"}}, stable: {"labels": {"role": "stable"}}}
        async with deployed({kind: {**strategy[kind], **roles}}, 2, phase="") as world:
            await world.until(lambda st: st.get("replicas") == 2, "two pods")
            assert worn(world) == {"1": {"role=stable"}}
            await world.phase("Healthy")
            await update(world)
            await world.phase("Paused")
            assert worn(world) == {"1": {"role=stable"}, "2": {"role=new"}}
            await world.spec(strategy={kind: {new: {"labels": {"role": None, "role2": "new2"}}}})
            await world.rest(1)
            assert worn(world) == {"1": {"role=stable"}, "2": {"role2=new2"}}
            await world.status(pauseConditions=None)
            await world.phase("Healthy")
            assert worn(world)["2"] == {"role=stable"}
            await world.spec(strategy={kind: {stable: {"labels": {"role": None, "role2": "stable2"}}}})
            await world.rest(1)
            assert worn(world)["2"] == {"role2=stable2"}

    play(story)


def worn(world: World) -> dict[str, set[str]]:
    """Return the role labels that pods of each revision have, all of them together."""
    sets = world.mirror.all("replicasets").values()
    revisions = {hash_of(rs): annotations_of(rs)[labels.REVISION] for rs in sets}
    found: dict[str, set[str]] = {}
    for pod in world.mirror.all("pods").values():
        if not is_deleting(pod):
            own = {
                f"{k}={v}" for k, v in labels_of(pod).items() if k.startswith("role") and k[4:] in ("", "2")
            }
            found.setdefault(revisions[hash_of(pod)], set()).update(own)
    return found
