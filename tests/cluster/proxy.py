"""A TCP proxy before the API server whose connections can be cut: requests arrive, their answers do not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster.background import Background


class CuttingProxy:
    """Passes bytes on. TLS goes through untouched, so the certificate stays the server's."""

    def __init__(self, background: Background, url: str) -> None:
        target = urlsplit(url)
        assert target.hostname is not None
        self._target = target.hostname, target.port
        self._background = background
        self._open: set[asyncio.StreamWriter] = set()
        self.cuts = 0
        self._server = background.call(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def kubeconfig(self, original: Path, target: Path) -> Path:
        """Write a copy of a kubeconfig that goes through the proxy."""
        content = json.loads(original.read_text())
        for cluster in content["clusters"]:
            cluster["cluster"]["server"] = self.url
        target.touch(mode=0o600)
        target.write_text(json.dumps(content))
        return target

    def cut(self) -> None:
        """End every connection on the client's side; what it has sent goes on to the server."""
        self._background.call(self._cut())

    def stop(self) -> None:
        """Accept no more, and end what is open."""
        self._server.close()
        self.cut()

    async def _cut(self) -> None:
        self.cuts += 1
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        there, away = await asyncio.open_connection(*self._target)
        try:
            async with asyncio.TaskGroup() as group:
                answers = group.create_task(_pass_on(there, writer))
                await _pass_on(reader, away)
                # What was sent is still answered for a moment, to nobody: the server must not see it torn.
                await asyncio.wait([answers], timeout=0.2)
                answers.cancel()
        finally:
            self._open.discard(writer)
            writer.close()
            away.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
