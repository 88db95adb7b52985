"""The implementations that the suite runs on, behind one small interface."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest

from rollouts.clock import SystemClock, SystemRandomness
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.kube.api import KubeApi, PatchKind, WatchEvent
from rollouts.kube.client import HttpKubeApi
from rollouts.kube.errors import NotFound
from rollouts.kube.objects import CRDS, NAMESPACES, Manifest, Resource
from tests.cluster import control_plane
from tests.contract import definitions

T = TypeVar("T")
IN_PROCESS = ("embedded", "embedded-http", "real")
ON_THE_WIRE = ("embedded-http", "real")
PATIENCE = 60.0
"""Seconds: the real garbage collector looks for new resources every half minute only."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Output:
    """What kubectl printed."""

    code: int
    out: str
    err: str


@dataclass
class Subject:
    """An API server under test, with a namespace of the test's own."""

    name: str
    api: KubeApi
    namespace: str

    async def create(self, resource: Resource, body: Mapping[str, Any], **options: Any) -> Manifest:
        """Create in the test's namespace."""
        return await self.api.create(resource, self._space(resource), body, **options)

    async def get(self, resource: Resource, name: str) -> Manifest:
        """Get from the test's namespace."""
        return await self.api.get(resource, self._space(resource), name)

    async def merge(self, resource: Resource, name: str, patch: Any, **options: Any) -> Manifest:
        """Merge-patch in the test's namespace."""
        return await self.api.patch(resource, self._space(resource), name, patch, **options)

    async def apply(
        self, resource: Resource, body: Mapping[str, Any], manager: str, **options: Any
    ) -> Manifest:
        """Server-side apply in the test's namespace."""
        name = body["metadata"]["name"]
        options = {"kind": PatchKind.APPLY, "field_manager": manager, **options}
        return await self.api.patch(resource, self._space(resource), name, body, **options)

    async def delete(self, resource: Resource, name: str, **options: Any) -> None:
        """Delete from the test's namespace."""
        await self.api.delete(resource, self._space(resource), name, **options)

    async def gone(self, resource: Resource, name: str) -> None:
        """Wait until an object is gone."""

        async def absent() -> bool:
            try:
                await self.get(resource, name)
            except NotFound:
                return True
            return False

        await eventually(absent, f"{resource.kind} {name} is gone")

    async def events(self, resource: Resource, count: int, version: str, **options: Any) -> list[WatchEvent]:
        """Return the first events of a watch from ``version``, bookmarks left out."""
        found: list[WatchEvent] = []
        watch = self.api.watch(
            resource, self._space(resource), resource_version=version, timeout_seconds=10, **options
        )
        async with asyncio.timeout(PATIENCE):
            async for event in watch:
                if event.type != "BOOKMARK":
                    found.append(event)
                if len(found) == count:
                    break
        await watch.aclose()  # type: ignore[attr-defined]
        return found

    def _space(self, resource: Resource) -> str | None:
        return self.namespace if resource.namespaced else None


@dataclass
class Wire(Subject):
    """A subject that also answers HTTP and kubectl."""

    url: str = ""
    token: str = ""
    session: aiohttp.ClientSession | None = None
    kubeconfig: Path = Path()
    tls: ssl.SSLContext | None = None

    async def raw(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        token: str | None = None,
    ) -> Answer:
        """Send one request; ``body`` is bytes or becomes JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Accept": accept, "User-Agent": "contract/1"}
        credential = self.token if token is None else token
        if credential:
            headers["Authorization"] = f"Bearer {credential}"
        if data is not None:
            headers["Content-Type"] = content_type
        assert self.session is not None
        request = self.session.request(
            method, self.url + path, data=data, headers=headers, ssl=self.tls or True
        )
        async with request as response:
            text = await response.text()
            return Answer(response.status, _decoded(text), dict(response.headers))

    async def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 30) -> Output:
        """Run kubectl in the test's namespace."""
        cache = self.kubeconfig.parent / f"kubectl-cache-{self.namespace}"
        process = await asyncio.create_subprocess_exec(
            kubectl_binary(),
            *("--kubeconfig", str(self.kubeconfig), "--cache-dir", str(cache), "-n", self.namespace),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(seconds):
            out, err = await process.communicate(stdin.encode() if stdin else None)
        return Output(process.returncode or 0, out.decode(), err.decode())


def kubectl_binary() -> str:
    """Return the kubectl beside this interpreter, else the PATH's."""
    beside = Path(sys.executable).with_name("kubectl")
    return str(beside) if beside.exists() else "kubectl"


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


async def eventually(probe: Callable[[], Awaitable[T]], what: str, seconds: float = PATIENCE) -> T:
    """Return the first true answer of ``probe``, asked again and again for ``seconds``."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        answer = await probe()
        if answer:
            return answer
        assert loop.time() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


async def install(api: KubeApi, crds: Sequence[Mapping[str, Any]] = definitions.ALL) -> None:
    """Apply definitions and wait until their resources are served."""
    for crd in crds:
        name, spec = crd["metadata"]["name"], crd["spec"]
        await api.patch(CRDS, None, name, crd, kind=PatchKind.APPLY, field_manager="contract", force=True)
        resource = Resource(
            spec["group"], spec["versions"][0]["name"], spec["names"]["plural"], spec["names"]["kind"]
        )

        async def served(resource: Resource = resource) -> bool:
            try:
                await api.list(resource, "default")
            except NotFound:
                return False
            return True

        await eventually(served, f"{name} is served")


async def _prepared(api: KubeApi, crds: bool = True) -> str:
    if crds:
        await install(api)
    namespace = f"contract-{next(_numbers)}"
    await api.create(NAMESPACES, None, {"metadata": {"name": namespace}})
    return namespace


@asynccontextmanager
async def embedded() -> AsyncIterator[Subject]:
    """The embedded cluster in process."""
    cluster = EmbeddedCluster(SystemClock(), SystemRandomness())
    api = cluster.api()
    yield Subject("embedded", api, await _prepared(api))
    await cluster.close()


@asynccontextmanager
async def embedded_http(folder: Path) -> AsyncIterator[Wire]:
    """The embedded cluster over HTTP, through the product's client."""
    cluster = EmbeddedCluster(SystemClock(), SystemRandomness())
    url = await cluster.serve()
    kubeconfig = folder / "embedded.kubeconfig"
    kubeconfig.write_text(json.dumps(cluster.kubeconfig()))
    async with AsyncExitStack() as stack:
        api = await HttpKubeApi.from_kubeconfig(str(kubeconfig))
        stack.push_async_callback(cluster.close)
        stack.push_async_callback(api.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        namespace = await _prepared(api)
        yield Wire("embedded-http", api, namespace, url, cluster.token(), session, kubeconfig)


@asynccontextmanager
async def real(_folder: Path) -> AsyncIterator[Wire]:
    """A real kube-apiserver with its controller-manager; skips with the reason where there is none."""
    reason = control_plane.missing_reason()
    if reason:
        pytest.skip(reason)
    cluster = control_plane.shared_cluster()  # blocks once: its processes live as long as this thread
    assert cluster is not None
    async with AsyncExitStack() as stack:
        api = await cluster.api("admin")
        stack.push_async_callback(api.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        namespace = await _prepared(api)
        stack.push_async_callback(_let_go, api, namespace)
        tls = ssl.create_default_context(cafile=str(cluster.ca))
        token = cluster.token("admin")
        yield Wire("real", api, namespace, cluster.url, token, session, cluster.kubeconfig("admin"), tls)


async def _let_go(api: KubeApi, namespace: str) -> None:
    try:
        await api.delete(NAMESPACES, None, namespace)
    except NotFound:
        return
