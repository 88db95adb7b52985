"""A commit reaches the cluster, drift is healed, what Git no longer has is pruned."""

import asyncio
import time
from pathlib import Path

from rollouts.controllers.application.snapshot import FINALIZER, REFRESH
from rollouts.kube.objects import APPLICATIONS, CONFIGMAPS, JOBS
from tests.unit.controllers.application.world import CONTROL, NAME, SPACE, configmap, job, running


async def test_a_commit_is_applied_and_reported_on_the_usual_paths(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        commit = world.repository.commit()
        await world.apply()
        status = await world.synced(commit)

        assert await world.data() == {"color": "blue"}
        assert status["health"]["status"] == "Healthy"
        assert status["resources"] == [
            {"kind": "ConfigMap", "name": "settings", "namespace": SPACE, "status": "Synced", "version": "v1"}
        ]
        assert status["history"][0]["revision"] == commit
        assert (
            status["operationState"]["syncResult"]["resources"][0]["message"] == "configmap/settings created"
        )
        assert status["operationState"]["operation"]["initiatedBy"] == {"automated": True}


async def test_a_second_commit_changes_what_it_names_and_prunes_what_it_drops(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"), app__other=configmap("other", a="1"))
        await world.apply()
        await world.synced(world.repository.commit())

        world.repository.write(app__settings=configmap(color="green"), app__other=None)
        status = await world.synced(world.repository.commit())

        assert await world.data() == {"color": "green"}
        assert await world.data("other") is None
        rows = {row["name"]: row["status"] for row in status["operationState"]["syncResult"]["resources"]}
        assert rows == {"settings": "Synced", "other": "Pruned"}
        assert [entry["id"] for entry in status["history"]] == [0, 1]


async def test_a_field_that_git_no_longer_names_is_removed(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue", size="1"))
        await world.apply()
        await world.synced(world.repository.commit())

        world.repository.write(app__settings=configmap(color="blue"))
        await world.synced(world.repository.commit())

        assert await world.data() == {"color": "blue"}


async def test_drift_is_healed_fast_by_few_requests_and_without_a_history_entry(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        await world.apply()
        await world.synced(world.repository.commit())
        await asyncio.sleep(0.1)

        async def healed() -> bool:
            return await world.data() == {"color": "blue"}

        slowest = 0.0
        for _ in range(5):
            world.used.calls.clear()
            began = time.monotonic()
            await world.api.patch(CONFIGMAPS, SPACE, "settings", {"data": {"color": "red"}})
            await world.eventually(healed)
            slowest = max(slowest, time.monotonic() - began)
            await asyncio.sleep(0.1)
            assert len([call for call in world.used.calls if call[1] != "events"]) == 3, world.used.calls
        assert slowest < 0.3
        status = await world.status()
        assert len(status["history"]) == 1
        assert status["operationState"]["operation"]["sync"]["autoHealAttemptsCount"] == 5


async def test_what_others_add_is_no_drift_and_stays(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        await world.apply()
        await world.synced(world.repository.commit())
        await asyncio.sleep(0.1)
        world.used.calls.clear()

        await world.api.patch(CONFIGMAPS, SPACE, "settings", {"data": {"extra": "1"}})
        await asyncio.sleep(0.2)

        assert await world.data() == {"color": "blue", "extra": "1"}
        assert world.used.calls == []


async def test_nothing_is_read_or_written_while_nothing_changes(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        await world.apply()
        await world.synced(world.repository.commit())
        await asyncio.sleep(0.1)
        world.used.calls.clear()

        await asyncio.sleep(0.5)

        assert world.used.calls == []


async def test_without_automation_the_difference_is_only_reported_until_somebody_asks(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        commit = world.repository.commit()
        await world.apply(syncPolicy=None)

        async def out_of_sync() -> bool:
            status = await world.status()
            return bool((status.get("sync") or {}).get("status") == "OutOfSync")

        await world.eventually(out_of_sync)
        assert (await world.status())["health"]["status"] == "Missing"
        assert await world.data() is None

        operation = {"sync": {"prune": True}, "initiatedBy": {"username": "ann"}}
        await world.api.patch(APPLICATIONS, CONTROL, NAME, {"operation": operation})
        status = await world.synced(commit)

        assert await world.data() == {"color": "blue"}
        assert "operation" not in await world.application()
        assert status["history"][0]["initiatedBy"] == {"username": "ann"}


async def test_a_refresh_annotation_is_answered_and_removed(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        await world.apply()
        await world.synced(world.repository.commit())
        note = {"metadata": {"annotations": {REFRESH: "normal"}}}
        await world.api.patch(APPLICATIONS, CONTROL, NAME, note)

        async def gone() -> bool:
            return REFRESH not in ((await world.application())["metadata"].get("annotations") or {})

        await world.eventually(gone)


async def test_deleting_the_application_with_its_finalizer_deletes_its_objects(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        await world.apply(metadata={"finalizers": [FINALIZER]})
        await world.synced(world.repository.commit())
        await world.api.create(
            CONFIGMAPS, SPACE, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bystander"}}
        )

        await world.api.delete(APPLICATIONS, CONTROL, NAME)

        async def gone() -> bool:
            return await world.get(APPLICATIONS, NAME, CONTROL) is None

        await world.eventually(gone)
        assert await world.data() is None
        assert await world.data("bystander") == {}


async def test_waves_and_hooks_run_in_order_and_a_hook_is_waited_for(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        wave = {"argocd.argoproj.io/sync-wave": "1"}
        hook = {"argocd.argoproj.io/hook": "PreSync"}
        world.repository.write(
            app__first=configmap("first"),
            app__second=configmap("second", annotations=wave),
            app__job=job("migrate", annotations=hook),
        )
        commit = world.repository.commit()
        await world.apply()

        async def started() -> bool:
            return await world.get(JOBS, "migrate") is not None

        await world.eventually(started)
        await asyncio.sleep(0.1)
        assert await world.data("first") is None
        done = {"status": {"conditions": [{"type": "Complete", "status": "True"}], "succeeded": 1}}
        await world.api.patch(JOBS, SPACE, "migrate", done, subresource="status")

        status = await world.synced(commit)
        rows = [row["name"] for row in status["operationState"]["syncResult"]["resources"]]
        assert rows == ["migrate", "first", "second"]
        assert status["operationState"]["message"] == "successfully synced (no more tasks)"


async def test_an_operation_goes_on_after_a_restart_of_the_controller(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        commit = world.repository.commit()
        await world.apply()
        await world.synced(commit)
        state = {
            "phase": "Running",
            "finishedAt": None,
            "operation": {"initiatedBy": {"automated": True}, "sync": {"revision": commit}},
            "syncResult": {"revision": commit, "resources": []},
        }
        await world.api.patch(APPLICATIONS, CONTROL, NAME, {"status": {"operationState": state}})

        async def ended() -> bool:
            return bool((await world.status())["operationState"]["phase"] == "Succeeded")

        await world.eventually(ended)
