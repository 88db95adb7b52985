"""Pods that really answer: one HTTP listener on loopback for each, steered by its container's environment.

Read from the first container's ``env``: ``VERSION`` (shown in answers), ``ERROR_RATE`` (share of answers
that are 500, 0 to 1) and ``LATENCY_MS`` (mean; the actual one is drawn between half and one and a half of
it). ``/metrics`` serves what such a service would: ``http_requests_total{code}`` and
``http_request_duration_seconds``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from rollouts.clock import Clock, Randomness
from rollouts.embedded.workloads.backend import PodAddress
from rollouts.kube.objects import Manifest, ReadOnly, name_of, uid_of

VERSION_HEADER = "X-Version"
POD_HEADER = "X-Pod"
_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one pod answers."""

    version: str
    error_rate: float
    latency: float
    """Mean seconds."""


def read_behaviour(pod: ReadOnly) -> Behaviour:
    """Return the behaviour that the pod's environment asks for. Raises ValueError for a bad number."""
    containers: Sequence[ReadOnly] = (pod.get("spec") or {}).get("containers") or [{}]
    env: Mapping[str, str] = {
        str(e["name"]): str(e.get("value", "")) for c in containers[:1] for e in c.get("env") or ()
    }
    return Behaviour(
        version=env.get("VERSION") or str(containers[0].get("image", "")).rpartition(":")[2],
        error_rate=float(env.get("ERROR_RATE") or 0),
        latency=float(env.get("LATENCY_MS") or 5) / 1000,
    )


class Listener:
    """One pod's HTTP server with its own metrics registry."""

    def __init__(self, pod: ReadOnly, clock: Clock, randomness: Randomness) -> None:
        self._name = name_of(pod)
        self._behaviour = read_behaviour(pod)
        self._clock = clock
        self._randomness = randomness
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "Requests by status code.", ["code"], registry=self._registry
        )
        self._durations = Histogram(
            "http_request_duration_seconds", "Time to answer.", buckets=_BUCKETS, registry=self._registry
        )
        for code in ("200", "500"):
            self._requests.labels(code)
        application = web.Application()
        application.router.add_get("/metrics", self._metrics)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)

    async def start(self) -> PodAddress:
        """Listen on a free port of loopback."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return PodAddress("127.0.0.1", int(self._runner.addresses[0][1]))

    async def stop(self) -> None:
        """Close the listener; requests in flight may finish."""
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        began = self._clock.monotonic()
        await self._clock.sleep(self._behaviour.latency * self._randomness.uniform(0.5, 1.5))
        failed = self._randomness.uniform(0, 1) < self._behaviour.error_rate
        status = 500 if failed else 200
        self._requests.labels(str(status)).inc()
        self._durations.observe(self._clock.monotonic() - began)
        headers = {VERSION_HEADER: self._behaviour.version, POD_HEADER: self._name}
        text = "internal error\n" if failed else f"version {self._behaviour.version} from {self._name}\n"
        return web.Response(status=status, text=text, headers=headers)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), content_type="text/plain", charset="utf-8")


class ListeningPods:
    """A ``PodBackend`` whose pods are listeners on loopback."""

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self._clock = clock
        self._randomness = randomness
        self._listeners: dict[str, Listener] = {}

    async def start(self, pod: Manifest) -> PodAddress:
        """Start the pod's listener and return where it answers."""
        listener = Listener(pod, self._clock, self._randomness)
        self._listeners[uid_of(pod)] = listener
        return await listener.start()

    async def stop(self, uid: str) -> None:
        """Stop a pod's listener."""
        listener = self._listeners.pop(uid, None)
        if listener is not None:
            await listener.stop()

    async def stop_all(self) -> None:
        """Stop every listener."""
        for uid in list(self._listeners):
            await self.stop(uid)
