"""Git over HTTP with basic authentication: ``git http-backend`` behind a small server on loopback."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

USER, PASSWORD = "ann", "hunter2-secret"
BACKEND = Path("/usr/lib/git-core/git-http-backend")


async def _answer(request: web.Request, root: Path, requests: list[str]) -> web.Response:
    requests.append(request.path_qs)
    wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if request.headers.get("Authorization") != wanted:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query_string,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_USER": USER,
    }
    body = await request.read()
    process = await asyncio.create_subprocess_exec(
        str(BACKEND),
        env={**environment, "CONTENT_LENGTH": str(len(body))},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(body)
    head, _, content = out.partition(b"\r\n\r\n")
    lines = (line.partition(":") for line in head.decode().split("\r\n"))
    headers = {name: value.strip() for name, _, value in lines}
    status = int(headers.pop("Status", "200").split()[0])
    return web.Response(status=status, headers=headers, body=content)


@asynccontextmanager
async def serving(root: Path) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve the repositories below ``root``; yield the address and the requests that came."""
    requests: list[str] = []
    application = web.Application(client_max_size=2**26)

    async def answer(request: web.Request) -> web.Response:
        return await _answer(request, root, requests)

    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", requests
    finally:
        await runner.cleanup()
