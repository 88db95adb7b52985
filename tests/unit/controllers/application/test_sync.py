"""A commit reaches the cluster, drift is healed, what Git no longer has is pruned."""

from pathlib import Path

from tests.unit.controllers.application.world import SPACE, configmap, running


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
