"""Real repositories: polled once for everybody, fetched shallow, read without a checkout."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Hashable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rollouts.api.argoproj.source import ApplicationSource
from rollouts.clock import SystemClock, SystemRandomness
from rollouts.gitops.render.errors import RenderError
from rollouts.gitops.render.renderer import Renderer
from rollouts.gitops.source import errors
from rollouts.gitops.source.credentials import NO_CREDENTIALS, Credentials
from rollouts.gitops.source.process import Failed, Git
from rollouts.gitops.source.repositories import Look, Repositories
from rollouts.gitops.source.tree import Tree
from tests.gitops.repository import GitRepository
from tests.gitops.server import BACKEND, PASSWORD, USER, serving

CONFIGMAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


class Watched(Repositories):
    """Repositories that note who was told, and count polls."""

    told: list[Hashable]

    async def settled(self, who: str, url: str, revision: str = "main") -> Look:
        """Return the first answer of a revision."""
        async with asyncio.timeout(60):
            while True:
                look = self.look(who, url, revision)
                if look.tree is not None or look.error is not None:
                    return look
                await asyncio.sleep(0.01)

    async def at(self, who: str, url: str, commit: str, revision: str = "main") -> Tree:
        async with asyncio.timeout(60):
            while True:
                tree = self.look(who, url, revision).tree
                if tree is not None and tree.commit == commit:
                    return tree
                await asyncio.sleep(0.01)


@asynccontextmanager
async def repositories(
    tmp_path: Path, credentials: Credentials = NO_CREDENTIALS, poll: float = 0.05, seconds: float = 20.0
) -> AsyncIterator[Watched]:
    made = Watched(
        tmp_path / "cache",
        SystemClock(),
        SystemRandomness(),
        poll_seconds=poll,
        protocols=("file", "http"),
        credentials=lambda url: credentials,
        network_seconds=seconds,
    )
    made.told = []

    def changed(keys: Iterable[Hashable]) -> None:
        made.told.extend(keys)

    made.changed = changed
    task = asyncio.ensure_future(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_commit_is_read_without_a_checkout_and_the_next_one_is_noticed(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "repository")
    repository.put("app/a.yaml", CONFIGMAP % "a")
    first = repository.commit()
    async with repositories(tmp_path) as made:
        tree = (await made.settled("x", repository.url)).tree
        assert tree is not None
        assert (tree.commit, [file.path for file in tree.files]) == (first, ["app/a.yaml"])

        repository.put("app/b.yaml", CONFIGMAP % "b")
        second = repository.commit()
        tree = await made.at("x", repository.url, second)
        contents = await made.mirror(repository.url).read(tree.under("app"))
        assert sorted(contents.values()) == [(CONFIGMAP % name).encode() for name in "ab"]
        assert made.told == ["x", "x"]


async def test_tags_branches_and_commits_are_found(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "repository")
    first = repository.commit("one")
    repository.git("tag", "--annotate", "--message", "one", "v1")
    repository.git("branch", "old")
    second = repository.commit("two")
    async with repositories(tmp_path) as made:
        for revision, commit in {"v1": first, "old": first, "HEAD": second, first: first}.items():
            look = await made.settled(revision, repository.url, revision)
            assert look.tree is not None, look.error
            assert look.tree.commit == commit


async def test_only_the_newest_commit_is_fetched(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "repository")
    for number in range(5):
        repository.put("a.yaml", str(number))
        repository.commit()
    async with repositories(tmp_path) as made:
        await made.settled("x", repository.url)
        folder = next(path for path in (tmp_path / "cache").iterdir() if path.name != "home")
        git = Git(tmp_path / "cache" / "home", protocols=())
        counted = await git.run("rev-list", "--all", "--count", directory=folder, timeout=10)
        assert int(counted) == 1


async def test_only_the_folder_that_a_commit_touches_is_rendered_again(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "repository")
    for number in range(20):
        repository.put(f"app-{number}/a.yaml", CONFIGMAP % "a")
    repository.commit()
    renderer = Renderer()
    async with repositories(tmp_path) as made:
        tree = (await made.settled("x", repository.url)).tree
        mirror = made.mirror(repository.url)
        for turn in range(2):
            assert tree is not None
            for number in range(20):
                await renderer.render(ApplicationSource(path=f"app-{number}"), tree, mirror)
            assert renderer.rendered == 20 + turn
            repository.put("app-7/a.yaml", CONFIGMAP % "changed")
            tree = await made.at("x", repository.url, repository.commit())


async def test_a_link_in_the_repository_is_not_followed(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "repository")
    (repository.path / "app").mkdir()
    os.symlink("/etc/passwd", repository.path / "app" / "a.yaml")
    repository.commit()
    async with repositories(tmp_path) as made:
        tree = (await made.settled("x", repository.url)).tree
        assert tree is not None
        with pytest.raises(RenderError, match="symbolic link"):
            await Renderer().render(ApplicationSource(path="app"), tree, made.mirror(repository.url))


async def test_a_repository_that_comes_back_is_read_again_and_its_old_tree_is_kept_meanwhile(
    tmp_path: Path,
) -> None:
    repository = GitRepository(tmp_path / "repository")
    first = repository.commit()
    async with repositories(tmp_path) as made:
        await made.settled("x", repository.url)
        repository.path.rename(tmp_path / "away")
        async with asyncio.timeout(60):
            while (look := made.look("x", repository.url, "main")).error is None:
                await asyncio.sleep(0.01)
        assert isinstance(look.error, errors.RepositoryNotFound)
        assert look.tree is not None
        assert look.tree.commit == first
        (tmp_path / "away").rename(repository.path)
        async with asyncio.timeout(60):
            while made.look("x", repository.url, "main").error is not None:
                await asyncio.sleep(0.01)


async def test_a_refresh_is_answered_by_a_poll_that_began_after_it(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "repository")
    repository.commit()
    async with repositories(tmp_path, poll=3600) as made:
        await made.settled("x", repository.url)
        commit = repository.commit("pushed")
        number = made.refresh("x")
        async with asyncio.timeout(60):
            while (look := made.look("x", repository.url, "main")).poll < number:
                await asyncio.sleep(0.01)
        assert look.tree is not None
        assert look.tree.commit == commit


async def test_a_server_that_never_answers_is_given_up_and_its_process_killed(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x.git"
    async with server, repositories(tmp_path, seconds=0.3) as made:
        began = time.monotonic()
        look = await made.settled("x", url)
        assert isinstance(look.error, errors.Unreachable)
        assert "no answer within 0.3 s" in str(look.error)
        assert time.monotonic() - began < 5


async def test_an_option_in_place_of_an_argument_is_refused_by_git(tmp_path: Path) -> None:
    git = Git(tmp_path, protocols=("file",))
    git.prepare()
    with pytest.raises(Failed):
        await git.run("ls-remote", "--", "--upload-pack=touch hacked", directory=tmp_path, timeout=10)
    assert not (tmp_path / "hacked").exists()


needs_backend = pytest.mark.skipif(not BACKEND.exists(), reason="git http-backend is not installed")


@needs_backend
async def test_http_with_a_password_that_never_shows(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "served" / "shop.git")
    commit = repository.commit()
    login = Credentials(username=USER, password=PASSWORD)
    async with serving(tmp_path / "served") as (address, _), repositories(tmp_path, login) as made:
        look = await made.settled("x", f"{address}/shop.git")
        assert look.tree is not None, look.error
        assert look.tree.commit == commit
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if PASSWORD.encode() in path.read_bytes()]


@needs_backend
async def test_a_wrong_password_waits_for_a_person_and_does_not_show(tmp_path: Path) -> None:
    GitRepository(tmp_path / "served" / "shop.git").commit()
    login = Credentials(username=USER, password="wrong-password")
    async with serving(tmp_path / "served") as (address, _), repositories(tmp_path, login) as made:
        look = await made.settled("x", f"{address}/shop.git")
        assert isinstance(look.error, errors.AuthenticationFailed)
        assert "wrong-password" not in str(look.error)


@needs_backend
async def test_one_poll_serves_all_that_want_the_repository(tmp_path: Path) -> None:
    GitRepository(tmp_path / "served" / "shop.git").commit()
    login = Credentials(username=USER, password=PASSWORD)
    async with (
        serving(tmp_path / "served") as (address, requests),
        repositories(tmp_path, login, poll=3600) as made,
    ):
        url = f"{address}/shop.git"
        await made.settled("first", url)
        before = len(requests)
        for number in range(100):
            assert made.look(f"app-{number}", url, "main").tree is not None
        await asyncio.sleep(0.2)
        assert len(requests) == before


async def test_a_repository_that_nobody_wants_any_more_is_not_polled(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "repository")
    repository.commit()
    async with repositories(tmp_path) as made:
        await made.settled("x", repository.url)
        made.forget("x")
        with pytest.raises(KeyError):
            made.mirror(repository.url)
        async with asyncio.timeout(30):
            while [task for task in asyncio.all_tasks() if task.get_name().startswith("poll ")]:
                await asyncio.sleep(0.01)
