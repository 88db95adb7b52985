"""Which pods there are and what the status tells at the moments at which scripts look: the active version."""

from __future__ import annotations

import pytest

from rollouts.kube.objects import (
    Manifest,
)
from tests.simulation.moments import (
    PAUSE,
    READY_AFTER_TEN,
    counts,
    deployed,
    listening,
    play,
    pods,
    update,
    weight,
    worn,
)


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


def test_blue_green_counts_at_the_switch_are_those_of_the_version_that_users_reach() -> None:
    async def story() -> None:
        async with deployed({"blueGreen": {"activeService": "active"}}, 3, phase="") as world:
            heard = listening(world)
            await world.phase("Healthy")
            assert counts(world) == (3, 3, 3, 3)
            await update(world)
            await world.phase("Progressing")
            await world.until(
                lambda st: st["blueGreen"]["activeSelector"] == st["currentPodHash"] != "", "the switch"
            )
            assert counts(world) == (6, 3, 3, 3)
            await world.phase("Healthy")
            assert counts(world) == (6, 3, 3, 3)
            await world.rest(1)
            assert heard == [
                "RolloutAddedToInformer", "RolloutUpdated", "NewReplicaSetCreated", "ScalingReplicaSet",
                "RolloutCompleted", "SwitchService", "RolloutUpdated", "NewReplicaSetCreated",
                "RolloutNotCompleted", "ScalingReplicaSet", "SwitchService", "RolloutCompleted",
            ]  # fmt: skip

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
