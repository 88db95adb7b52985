"""Pods that answer on addresses of their own and note every request: the truth about shares."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass

from rollouts.embedded.workloads import PodAddress
from rollouts.embedded.workloads.listeners import read_behaviour
from rollouts.kube.objects import Manifest, labels_of, uid_of
from tests.cluster.samples import PORT
from tests.dataplane.grpc import PREFACE, GrpcServer

COPY = "-shadow"
"""What Envoy puts behind the host of a request that it copies."""

_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request for ``host`` at a pod, at ``at`` monotonic seconds."""

    at: float
    app: str
    version: str
    host: str


class CountingPods:
    """A ``PodBackend``: each pod listens on 198.18.x.y at the port that it declares, for HTTP and gRPC."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self._numbers = itertools.count(256)
        self._servers: dict[str, asyncio.Server] = {}

    async def start(self, pod: Manifest) -> PodAddress:
        """Start the pod's server."""
        high, low = divmod(next(self._numbers), 250)
        address = f"198.18.{high}.{low + 1}"
        app, version = labels_of(pod).get("app", ""), read_behaviour(pod).version
        loop = asyncio.get_running_loop()
        self._servers[uid_of(pod)] = await loop.create_server(
            lambda: _Answers(app, version, self.arrivals), address, PORT
        )
        return PodAddress(address)

    async def stop(self, uid: str) -> None:
        """Stop the pod's server; connections end with it, as with a process that ends."""
        server = self._servers.pop(uid, None)
        if server is not None:
            server.close()

    async def stop_all(self) -> None:
        """Stop every server."""
        for uid in list(self._servers):
            await self.stop(uid)

    def shares(self, app: str, since: float, until: float, *, mirrored: bool = False) -> Counter[str]:
        """Return how many requests of a time each version got: those of users, or the copies of them."""
        return Counter(
            a.version
            for a in self.arrivals
            if a.app == app and since <= a.at < until and a.host.endswith(COPY) == mirrored
        )


class _Answers(asyncio.Protocol):
    """Answers every request with the version; requests have no body."""

    def __init__(self, app: str, version: str, arrivals: list[Arrival]) -> None:
        self._app = app
        self._version = version
        self._arrivals = arrivals
        self._buffer = b""
        self._grpc: GrpcServer | None = None
        body = version.encode()
        self._answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._grpc is not None:
            self._grpc.receive(data)
            return
        self._buffer += data
        if self._buffer.startswith(PREFACE):
            self._grpc = GrpcServer(self._transport, self._version, self._note)
            self._grpc.receive(self._buffer)
            return
        while _END in self._buffer:
            head, _, self._buffer = self._buffer.partition(_END)
            self._note(_host(head))
            self._transport.write(self._answer)

    def _note(self, host: str) -> None:
        self._arrivals.append(Arrival(time.monotonic(), self._app, self._version, host))


def _host(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"host":
            return value.strip().decode()
    return ""
