"""What a person gets wrong becomes a condition that says what was seen and what to do; nothing else stops."""

import asyncio
from pathlib import Path

from rollouts.kube.objects import APPLICATIONS
from tests.unit.controllers.application.world import CONTROL, NAME, SPACE, configmap, running


async def test_a_repository_that_does_not_exist(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.apply(source={"repoURL": (tmp_path / "nowhere").as_uri()})

        message = await world.condition("ComparisonError")
        assert "nowhere" in message
        assert "correct repoURL" in message
        assert (await world.status())["sync"]["status"] == "Unknown"


async def test_a_revision_that_does_not_exist_and_is_pushed_later(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        commit = world.repository.commit()
        await world.apply(source={"targetRevision": "later"})
        assert "unable to resolve 'later' to a commit SHA" in await world.condition("ComparisonError")

        world.repository.git("branch", "later")
        status = await world.synced(commit)
        assert "conditions" not in status


async def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(other__settings=configmap(color="blue"))
        world.repository.commit()
        await world.apply()
        message = await world.condition("ComparisonError")
        assert "app path does not exist: there is no folder 'app'" in message


async def test_yaml_that_does_not_parse_names_file_and_line_and_leaves_what_runs(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        await world.apply()
        await world.synced(world.repository.commit())
        world.repository.write(app__broken="kind: ConfigMap\nmetadata: {name: [\n")
        world.repository.commit()

        assert "app/broken.yaml:3:" in await world.condition("ComparisonError")
        assert await world.data() == {"color": "blue"}
        assert (await world.status())["resources"][0]["name"] == "settings"


async def test_a_helm_chart_is_refused_in_words(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.put("app/Chart.yaml", "name: x\n")
        world.repository.commit()
        await world.apply()
        assert "app/Chart.yaml makes this a Helm chart" in await world.condition("ComparisonError")


async def test_an_object_of_a_forbidden_kind_is_not_applied_and_the_others_are(tmp_path: Path) -> None:
    rules = {"namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}]}
    async with running(tmp_path, **rules) as world:
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: hidden}\nstringData: {password: hunter22}\n"
        world.repository.write(app__settings=configmap(color="blue"), app__secret=secret)
        world.repository.commit()
        await world.apply()

        message = await world.condition("SyncError")
        assert "resource :Secret is not permitted in project default" in message
        assert "namespaceResourceWhitelist" in message

        async def applied() -> bool:
            return await world.data() == {"color": "blue"}

        await world.eventually(applied)
        assert "hunter22" not in str(await world.application())


async def test_a_missing_project_denies_everything(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        world.repository.commit()
        await world.apply(project="nope")
        message = await world.condition("InvalidSpecError")
        assert "referencing project nope which does not exist" in message
        await asyncio.sleep(0.1)
        assert await world.data() is None


async def test_a_repository_that_the_project_does_not_permit_is_not_even_fetched(tmp_path: Path) -> None:
    async with running(tmp_path, sourceRepos=["https://example.com/*"]) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        world.repository.commit()
        await world.apply()
        assert "is not permitted in project 'default'" in await world.condition("InvalidSpecError")
        fetched = (
            [path.name for path in (tmp_path / "cache").iterdir()] if (tmp_path / "cache").exists() else []
        )
        assert set(fetched) <= {"home"}


async def test_another_cluster_as_destination_is_refused_in_words(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.apply(destination={"server": "https://other.example", "namespace": SPACE})
        assert "only syncs to the cluster that it runs in" in await world.condition("InvalidSpecError")


async def test_a_kind_that_is_not_served_is_named_and_the_others_are_applied(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\n"
        world.repository.write(app__settings=configmap(color="blue"), app__thing=thing)
        world.repository.commit()
        await world.apply()
        assert "does not serve example.com/v1 Thing" in await world.condition("SyncError")

        async def applied() -> bool:
            return await world.data() == {"color": "blue"}

        await world.eventually(applied)


async def test_an_object_that_the_api_server_refuses_fails_the_sync_with_its_words(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        wrong = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: []}\n"
        world.repository.write(app__settings=configmap(color="blue"), app__web=wrong)
        world.repository.commit()
        await world.apply(syncPolicy={"automated": {}, "retry": {"limit": 0}})
        message = await world.condition("SyncError")
        assert "Failed last sync attempt" in message
        assert "Service web" in message
        assert await world.data() == {"color": "blue"}


async def test_a_commit_that_drops_everything_is_not_pruned_automatically(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        await world.apply()
        await world.synced(world.repository.commit())
        world.repository.put("app/README.md", "nothing here")
        world.repository.write(app__settings=None)
        commit = world.repository.commit()

        assert f"[{commit}]: auto-sync will wipe out all resources" in await world.condition("SyncError")
        assert await world.data() == {"color": "blue"}

        await world.api.patch(APPLICATIONS, CONTROL, NAME, {"operation": {"sync": {"prune": True}}})

        async def gone() -> bool:
            return await world.data() is None

        await world.eventually(gone)


async def test_a_second_application_does_not_take_an_object_away(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        await world.apply()
        await world.synced(world.repository.commit())
        first = await world.application()
        second = {
            "apiVersion": first["apiVersion"],
            "kind": "Application",
            "metadata": {"name": "rival", "namespace": CONTROL},
            "spec": first["spec"],
        }
        await world.api.create(APPLICATIONS, CONTROL, second)

        async def warned() -> bool:
            rival = await world.api.get(APPLICATIONS, CONTROL, "rival")
            found = (rival.get("status") or {}).get("conditions") or ()
            return any("part of applications shop and rival" in c["message"] for c in found)

        await world.eventually(warned)
        assert (await world.status())["sync"]["status"] == "Synced"


async def test_nothing_is_touched_while_argo_cds_own_controller_runs(tmp_path: Path) -> None:
    async with running(tmp_path, rival=True) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        world.repository.commit()
        await world.apply()
        await asyncio.sleep(0.5)
        assert await world.data() is None
        assert await world.status() == {}


async def test_an_application_that_is_to_be_skipped_is_left_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.repository.write(app__settings=configmap(color="blue"))
        world.repository.commit()
        await world.apply(metadata={"annotations": {"argocd.argoproj.io/skip-reconcile": "true"}})
        await asyncio.sleep(0.5)
        assert await world.status() == {}
