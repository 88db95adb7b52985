"""The git command as a child process: no shell, no prompt, no configuration of the machine, a time limit."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rollouts.gitops.source.address import redact
from rollouts.gitops.source.credentials import NO_CREDENTIALS, Credentials

ASKPASS = """#!/bin/sh
case "$1" in
  Username*) printf '%s\\n' "$ROLLOUTS_GIT_USERNAME" ;;
  *) printf '%s\\n' "$ROLLOUTS_GIT_PASSWORD" ;;
esac
"""
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "protocol.ext.allow=never",
    "credential.helper=",
    "gc.auto=0",
    "advice.detachedHead=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=20",
    "fetch.recurseSubmodules=false",
)
_PASSED_ON = ("PATH", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy")


@dataclass(eq=False)
class Failed(Exception):
    """git ended with an error. ``stderr`` is free of secrets; ``timed_out`` when it was stopped."""

    command: str
    code: int
    stderr: str
    timed_out: bool = False

    def __str__(self) -> str:
        return f"git {self.command} ended with {self.code}: {self.stderr}"


class Git:
    """Runs git. ``home`` is a folder of its own: it holds the askpass script and no configuration."""

    def __init__(self, home: Path, *, protocols: Sequence[str], binary: str = "git") -> None:
        self._home = home
        self._binary = binary
        self._protocols = ":".join(protocols)
        self._askpass = home / "askpass"

    def prepare(self) -> None:
        """Write the askpass script. It holds no secret: git's child gets those in its environment."""
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._askpass.write_text(ASKPASS, "ascii")
        self._askpass.chmod(0o700)

    async def run(
        self,
        *arguments: str,
        directory: Path,
        timeout: float,
        stdin: bytes = b"",
        credentials: Credentials = NO_CREDENTIALS,
    ) -> bytes:
        """Return what git wrote. Raises Failed; the whole process group is killed at the time limit."""
        flags = [part for setting in _SETTINGS for part in ("-c", setting)]
        if credentials.insecure:
            flags += ["-c", "http.sslVerify=false"]
        try:
            process = await asyncio.create_subprocess_exec(
                self._binary,
                *flags,
                *arguments,
                cwd=directory,
                env=self._environment(credentials),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise Failed(arguments[0], -1, f"git cannot be started: {error.strerror}") from None
        finished = False
        try:
            async with asyncio.timeout(timeout):
                out, err = await process.communicate(stdin)
            finished = True
        except TimeoutError:
            raise Failed(
                arguments[0], -1, f"no answer within {timeout:g} s, so it was stopped", timed_out=True
            ) from None
        finally:
            if not finished:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            raise Failed(arguments[0], process.returncode, _clean(err, credentials))
        return out

    def _environment(self, credentials: Credentials) -> Mapping[str, str]:
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return passed | {
            "HOME": str(self._home),
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ALLOW_PROTOCOL": self._protocols,
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_ASKPASS": str(self._askpass),
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes",
            "ROLLOUTS_GIT_USERNAME": credentials.username,
            "ROLLOUTS_GIT_PASSWORD": credentials.password,
        }


def _clean(stderr: bytes, credentials: Credentials) -> str:
    text = redact(stderr.decode("utf-8", "replace"))
    for secret in credentials.secrets():
        text = text.replace(secret, "***")
    return text.strip()
