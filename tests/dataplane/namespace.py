"""A network namespace for the calling thread and all that it starts."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

PODS = "198.18.0.0/16"
"""The range for benchmarks (RFC 2544): API servers take its addresses as endpoints, no network has them."""

_CLONE_NEWNET = 0x40000000


@cache
def missing() -> str:
    """Return why there can be no namespace here, "" when there can."""
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return "no ip or unshare on PATH (packages iproute2 and util-linux)"
    if os.geteuid() != 0:
        return "a network namespace of its own takes root"
    answer = subprocess.run(["unshare", "-n", "true"], capture_output=True, text=True, check=False)
    return "" if answer.returncode == 0 else f"no network namespace: {answer.stderr.strip()}"


@contextmanager
def network_namespace() -> Iterator[None]:
    """Move this thread into a new namespace; threads and processes that it starts are in it, too.

    Every address of ``PODS`` is local there. Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _checked(libc.unshare(_CLONE_NEWNET))
        try:
            for command in (["link", "set", "lo", "up"], ["route", "add", "local", PODS, "dev", "lo"]):
                subprocess.run(["ip", *command], check=True)
            yield
        finally:
            _checked(libc.setns(before, _CLONE_NEWNET))
    finally:
        os.close(before)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
