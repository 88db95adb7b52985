"""Servers as child processes: started with a log file, waited for by a probe, ended with their parent."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class ServerFailed(Exception):
    """A server did not start or did not become ready; the message holds the end of its log."""


class ServerProcess:
    """One child process. Its output goes to ``<folder>/<name>.log``."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = folder / f"{name}.log"
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id. Raises ServerFailed when it was never started."""
        if self._process is None:
            raise ServerFailed(f"{self.name} was not started")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Return the exit code, None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it; it is killed by the kernel when this process dies, however that happens."""
        guard = [setpriv, "--pdeathsig", "KILL", "--"] if (setpriv := shutil.which("setpriv")) else []
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*guard, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self._environment,
                # A Ctrl-C at the terminal is for the parent, which ends its servers in order.
                start_new_session=True,
            )

    def wait_ready(self, probe: Callable[[], bool], *, seconds: float) -> None:
        """Wait until ``probe()`` holds. Raises ServerFailed when the process ends or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.returncode is not None:
                raise ServerFailed(
                    f"{self.name} ended with {self.returncode}; {self.log} ends:\n{self.tail()}"
                )
            if probe():
                return
            time.sleep(0.05)
        raise ServerFailed(
            f"{self.name} was not ready within {seconds:.0f} s; {self.log} ends:\n{self.tail()}"
        )

    def stop(self, *, seconds: float = 10.0, first: signal.Signals = signal.SIGTERM) -> int | None:
        """End it, by SIGKILL when ``first`` is not enough, and return its exit code."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(first)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, for example SIGSTOP."""
        os.kill(self.pid, number)

    def wait(self, *, seconds: float) -> int:
        """Wait for the end and return the exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def tail(self, lines: int = 25) -> str:
        """Return the last lines of the log."""
        return (
            "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""
        )


def free_ports(count: int) -> list[int]:
    """Return different loopback ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def wait_until(probe: Callable[[], T | None], *, seconds: float, what: str) -> T:
    """Return the first result of ``probe()`` that is neither None nor False. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result is not None and result is not False:
            return result
        if time.monotonic() >= deadline:
            raise TimeoutError(f"within {seconds:.0f} s there was no {what}")
        time.sleep(0.05)
