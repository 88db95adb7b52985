"""A real Git repository in a folder: a bare one to sync from, and a work tree to commit in."""

from __future__ import annotations

import asyncio
import os
from importlib.resources import files
from pathlib import Path
from string import Template

from rollouts.cli.demo.versions import Version

_FOLDER = "shop"
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
}


class GitFailed(Exception):
    """A git command failed; the message has the command and what it said."""


def manifest(name: str, **values: str) -> str:
    """Return one of the demo's manifests with its ``$NAMES`` filled in."""
    text = files("rollouts.cli.demo").joinpath("manifests", name).read_text()
    return Template(text).safe_substitute(values)


class Repository:
    """``shop.git`` is the bare repository, ``shop`` the work tree; both below ``folder``."""

    def __init__(self, folder: Path, prometheus: str) -> None:
        self.bare = folder / "shop.git"
        self.tree = folder / "shop"
        self._prometheus = prometheus

    @property
    def url(self) -> str:
        """Return the address to sync from."""
        return self.bare.as_uri()

    async def create(self) -> None:
        """Make both repositories and write every manifest that stays the same. Raises GitFailed."""
        await _git(self.bare.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        await _git(self.bare.parent, "init", "--quiet", "--initial-branch=main", str(self.tree))
        await _git(self.tree, "remote", "add", "origin", str(self.bare))
        # In the repository, so that a visitor of a kept demo can commit without a name of their own.
        await _git(self.tree, "config", "user.name", "Demo")
        await _git(self.tree, "config", "user.email", "demo@example.com")
        folder = self.tree / _FOLDER
        folder.mkdir()
        (self.tree / "application.yaml").write_text(manifest("application.yaml", REPOSITORY=self.url))
        (self.tree / "project.yaml").write_text(manifest("project.yaml", REPOSITORY=self.url))
        for name in ("services.yaml", "route.yaml"):
            (folder / name).write_text(manifest(name))
        (folder / "analysis.yaml").write_text(manifest("analysis.yaml", PROMETHEUS=self._prometheus))

    async def commit(self, version: Version) -> str:
        """Commit and push one version of the Rollout; return the commit's id."""
        text = manifest(
            "rollout.yaml",
            VERSION=version.name,
            ERROR_RATE=f"{version.error_rate:g}",
            LATENCY_MS=str(version.latency_ms),
        )
        (self.tree / _FOLDER / "rollout.yaml").write_text(text)
        await _git(self.tree, "add", "--all")
        await _git(self.tree, "commit", "--quiet", "--message", version.message)
        await _git(self.tree, "push", "--quiet", "--set-upstream", "origin", "main")
        return await _git(self.tree, "rev-parse", "HEAD")


async def _git(folder: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=folder,
        env={**os.environ, **_ENVIRONMENT},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode:
        raise GitFailed(f"git {' '.join(arguments)}: {err.decode(errors='replace').strip()}")
    return out.decode().strip()
