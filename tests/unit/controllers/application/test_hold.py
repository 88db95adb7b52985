"""Abort → hold: a template that a Rollout has aborted is not applied again."""

import asyncio
from pathlib import Path
from typing import Any

from rollouts.controllers.application.decide.hold import REJECTED
from rollouts.controllers.application.status import HELD
from rollouts.kube.objects import APPLICATIONS, ROLLOUTS
from tests.unit.controllers.application.world import CONTROL, NAME, SPACE, World, configmap, rollout, running


async def live_image(world: World) -> str:
    live = await world.get(ROLLOUTS, "web")
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"]) if live else ""


async def rejected(world: World) -> str:
    """Sync a good version, then a bad one, and abort that; return the bad one's commit."""
    world.repository.write(app__web=rollout("app:good"), app__settings=configmap(color="blue"))
    await world.apply()
    await world.synced(world.repository.commit("good"))
    world.repository.write(app__web=rollout("app:bad"))
    bad = world.repository.commit("bad")
    await world.synced(bad)
    await world.abort()
    return bad


async def test_an_abort_is_reported_as_a_hold_that_names_commit_and_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        bad = await rejected(world)
        message = await world.condition(HELD)

        assert bad[:7] in message
        assert "metric success-rate failed" in message
        assert "Traffic is on the stable version" in message
        status = await world.status()
        assert status["health"]["status"] == "Degraded"
        assert status["sync"]["status"] == "Synced"
        assert await live_image(world) == "app:bad"


async def test_the_message_of_the_state_before_an_abort_is_not_its_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__web=rollout("app:bad"))
        await world.apply()
        await world.synced(world.repository.commit("bad"))
        live = await world.get(ROLLOUTS, "web")
        assert live is not None
        asked = {"abort": True, "stableRS": "aaaa", "currentPodHash": "bbbb"}
        paused = {"phase": "Paused", "message": "CanaryPauseStep"}
        seen = {"observedGeneration": str(live["metadata"]["generation"])}
        status = {"status": {**asked, **paused, **seen}}
        await world.api.patch(ROLLOUTS, SPACE, "web", status, subresource="status")
        assert "CanaryPauseStep" not in await world.condition(HELD)
        await world.abort(message="aborted by a person")

        async def told() -> bool:
            return "aborted by a person" in await world.condition(HELD)

        await world.eventually(told)


async def test_a_manual_fix_of_the_live_rollout_is_not_overwritten_by_the_held_template(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as world:
        await rejected(world)
        await world.condition(HELD)

        await world.api.patch(ROLLOUTS, SPACE, "web", template_patch("app:good"))
        await asyncio.sleep(0.3)

        assert await live_image(world) == "app:good"
        status = await world.status()
        assert status["health"]["status"] == "Degraded"
        assert status["sync"]["status"] == "OutOfSync"
        assert "left as it is" in await world.condition(HELD)


async def test_an_unrelated_commit_syncs_the_rest_and_leaves_the_held_rollout(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        bad = await rejected(world)
        await world.condition(HELD)
        await world.api.patch(ROLLOUTS, SPACE, "web", template_patch("app:good"))

        world.repository.write(
            app__settings=configmap(color="green"), app__web=rollout("app:bad", replicas=5)
        )
        world.repository.commit("unrelated")

        async def applied() -> bool:
            live = await world.get(ROLLOUTS, "web")
            return await world.data() == {"color": "green"} and bool(live and live["spec"]["replicas"] == 5)

        await world.eventually(applied)
        assert await live_image(world) == "app:good"
        assert bad[:7] in await world.condition(HELD)


async def test_a_commit_with_another_template_ends_the_hold(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await rejected(world)
        await world.condition(HELD)
        world.repository.write(app__web=rollout("app:better"))
        await world.synced(world.repository.commit("better"))

        async def released() -> bool:
            conditions = (await world.status()).get("conditions") or ()
            return not [c for c in conditions if c["type"] == HELD]

        await world.eventually(released)
        assert await live_image(world) == "app:better"


async def test_the_rejected_template_is_held_again_when_it_comes_back_in_another_commit(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as world:
        bad = await rejected(world)
        await world.condition(HELD)
        world.repository.write(app__web=rollout("app:better"))
        await world.synced(world.repository.commit("better"))
        world.repository.write(app__web=rollout("app:bad"))
        world.repository.commit("pushed again by an image updater")

        assert bad[:7] in await world.condition(HELD)
        await asyncio.sleep(0.2)
        assert await live_image(world) == "app:better"


async def test_a_deleted_rollout_is_not_created_with_the_held_template(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await rejected(world)
        await world.condition(HELD)
        await world.api.delete(ROLLOUTS, SPACE, "web")
        await asyncio.sleep(0.3)

        assert await world.get(ROLLOUTS, "web") is None
        assert "not created" in await world.condition(HELD)


async def test_a_retry_that_is_promoted_forgets_the_rejection(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await rejected(world)
        await world.condition(HELD)
        done: dict[str, Any] = {"abort": None, "abortedAt": None, "stableRS": "bbbb", "phase": "Healthy"}
        await world.api.patch(ROLLOUTS, SPACE, "web", {"status": done}, subresource="status")

        async def healthy() -> bool:
            application = await world.application()
            notes = application["metadata"].get("annotations") or {}
            return application["status"]["health"]["status"] == "Healthy" and REJECTED not in notes

        await world.eventually(healthy)


async def test_removing_the_annotation_accepts_the_template(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await rejected(world)
        await world.condition(HELD)
        fixed = {"status": {"abort": None, "abortedAt": None, "phase": "Healthy", "stableRS": "aaaa"}}
        await world.api.patch(ROLLOUTS, SPACE, "web", template_patch("app:good"))
        await world.api.patch(ROLLOUTS, SPACE, "web", fixed, subresource="status")
        await world.api.patch(APPLICATIONS, CONTROL, NAME, {"metadata": {"annotations": {REJECTED: None}}})

        async def applied() -> bool:
            return await live_image(world) == "app:bad"

        await world.eventually(applied)


def template_patch(image: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}
