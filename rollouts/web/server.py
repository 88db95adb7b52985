"""Serving an aiohttp application on one address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class PortError(Exception):
    """A server could not listen; the message names the address and what to do."""


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int, setting: str) -> AsyncIterator[int]:
    """Serve while the block runs, and yield the port (a free one for 0). ``host`` "" means all interfaces.

    ``setting`` is the name of the port's setting, for the message of PortError.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host or None, port)
        try:
            await site.start()
        except OSError as error:
            raise PortError(
                f"cannot listen on {host or '*'}:{port}: {error.strerror or error}; "
                f"choose another {setting} (0 for any free port)"
            ) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
