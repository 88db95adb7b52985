"""The demo's Git repository and manifests."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from rollouts.cli.demo.repository import Repository
from rollouts.cli.demo.versions import BAD, FIRST
from rollouts.cli.demo.world import definitions

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on PATH")


async def test_a_commit_changes_only_the_rollout_and_reaches_the_bare_repository(tmp_path: Path):
    repository = Repository(tmp_path, "http://127.0.0.1:9")
    await repository.create()
    first = await repository.commit(FIRST)
    second = await repository.commit(BAD)
    git = ["git", "--git-dir", str(repository.bare)]
    changed = subprocess.run(
        [*git, "diff", "--name-only", first, second], capture_output=True, text=True, check=True
    )
    assert changed.stdout.split() == ["shop/rollout.yaml"]
    head = subprocess.run([*git, "rev-parse", "main"], capture_output=True, text=True, check=True)
    assert head.stdout.strip() == second


async def test_every_manifest_is_complete_yaml_without_placeholders(tmp_path: Path):
    repository = Repository(tmp_path, "http://127.0.0.1:9")
    await repository.create()
    await repository.commit(BAD)
    texts = [path.read_text() for path in sorted(repository.tree.rglob("*.yaml"))]
    assert not any("$" in text for text in texts)
    kinds = [body["kind"] for text in texts for body in yaml.safe_load_all(text)]
    assert sorted(kinds) == [
        "AnalysisTemplate",
        "AnalysisTemplate",
        "AppProject",
        "Application",
        "HTTPRoute",
        "Rollout",
        "Service",
        "Service",
    ]


def test_the_definitions_of_every_kind_are_found():
    names = {body["spec"]["names"]["kind"] for body in definitions()}
    assert {"Rollout", "AnalysisTemplate", "AnalysisRun", "Application", "AppProject"} <= names
