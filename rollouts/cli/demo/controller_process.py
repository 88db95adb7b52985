"""The controller as a process of its own, started as a user would start it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from rollouts.settings import PREFIX

_GRACE_SECONDS = 5.0
_TAIL = 15


class ControllerEnded(Exception):
    """The controller's process ended by itself; the message has its last words."""


class ControllerProcess:
    """``python -m rollouts run`` with settings from the environment; its log goes to a file."""

    def __init__(self, log: Path, settings: Mapping[str, str]) -> None:
        self.log = log
        self._settings = {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set. Raises ControllerEnded when the process ends before."""
        with self.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "rollouts",
                "run",
                env={**os.environ, **self._settings},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            async with asyncio.TaskGroup() as group:
                ended = group.create_task(process.wait())
                stopped = group.create_task(stop.wait())
                await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
                early = ended.done() and not stop.is_set()
                ended.cancel()
                stopped.cancel()
        finally:
            await _end(process)
        if early:
            raise ControllerEnded(f"the controller ended with code {process.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """Return the last lines of the log."""
        with self.log.open(errors="replace") as lines:
            return "".join(deque(lines, maxlen=_TAIL)).rstrip()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_GRACE_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
