"""Repositories with a password: from a Secret to git, and nowhere else."""

import asyncio
import logging
from pathlib import Path

import pytest

from rollouts.kube.objects import SECRETS
from tests.gitops.repository import GitRepository
from tests.gitops.server import BACKEND, PASSWORD, USER, serving
from tests.unit.controllers.application.world import CONTROL, World, configmap, running

pytestmark = pytest.mark.skipif(not BACKEND.exists(), reason="git http-backend is not installed")


async def login(world: World, url: str, password: str) -> None:
    metadata = {"name": "repo", "labels": {"argocd.argoproj.io/secret-type": "repository"}}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "stringData": {"url": url, "username": USER, "password": password},
    }
    await world.api.create(SECRETS, CONTROL, body)


async def test_a_secret_that_comes_later_opens_the_repository(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    repository = GitRepository(tmp_path / "served" / "shop.git")
    repository.put("app/settings.yaml", configmap(color="blue"))
    commit = repository.commit()
    async with serving(tmp_path / "served") as (address, _), running(tmp_path, protocol="http") as world:
        url = f"{address}/shop.git"
        await world.apply(source={"repoURL": url})
        assert "correct the repository Secret" in await world.condition("ComparisonError")

        await login(world, url, PASSWORD)
        await world.synced(commit)

        assert PASSWORD not in str(await world.application())
        assert PASSWORD not in caplog.text


async def test_a_wrong_password_is_told_without_saying_it(tmp_path: Path) -> None:
    GitRepository(tmp_path / "served" / "shop.git").commit()
    async with serving(tmp_path / "served") as (address, _), running(tmp_path, protocol="http") as world:
        await login(world, f"{address}/shop.git", "not-the-password")
        await world.apply(source={"repoURL": f"{address}/shop.git"})
        message = await world.condition("ComparisonError")
        await asyncio.sleep(0)
        assert "refused the credentials" in message
        assert "not-the-password" not in message
