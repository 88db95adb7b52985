"""Composition: settings in, a running process out. The one place that knows all parts."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from rollouts.clock import Clock, Randomness, SystemClock, SystemRandomness
from rollouts.controllers.analysisrun import controller as analysisrun
from rollouts.controllers.application import controller as application
from rollouts.controllers.experiment import controller as experiment
from rollouts.controllers.objective import controller as objective
from rollouts.controllers.rollout import controller as rollout
from rollouts.kube.api import KubeApi
from rollouts.kube.client import HttpKubeApi
from rollouts.kube.election_thread import ThreadedElection
from rollouts.kube.lease import AlwaysLeader, Leadership, Terms, identity
from rollouts.runtime.identity import own_namespace
from rollouts.runtime.lag import LagProbe
from rollouts.runtime.manager import Manager
from rollouts.runtime.metrics import new_registry
from rollouts.settings import Role, Settings
from rollouts.web.health import Health, health_app
from rollouts.web.metrics import metrics_app
from rollouts.web.server import serving

_log = logging.getLogger(__name__)

Register = Callable[[Manager, Settings], None]

CONTROLLERS: Mapping[Role, tuple[Register, ...]] = {
    "delivery": (rollout.register, analysisrun.register, experiment.register, objective.register),
    "git": (application.register,),
    "receiver": (),
    "dashboard": (),
}
"""What each role runs: the ``register`` functions of the controller packages."""

_COLLECTOR_THRESHOLD = (50_000, 20, 100)
"""Python's cyclic collector walks every cached object, so it is to come seldom."""


@dataclass(slots=True)
class Ready:
    """Set once the process watches, with the ports that its servers got."""

    event: asyncio.Event
    metrics_port: int = 0
    healthz_port: int = 0


async def run(
    settings: Settings,
    *,
    api: KubeApi | None = None,
    clock: Clock | None = None,
    randomness: Randomness | None = None,
    stop: asyncio.Event | None = None,
    ready: Ready | None = None,
    serve: bool = True,
) -> None:
    """Run the chosen roles until ``stop`` is set.

    With ``api`` (an embedded cluster, say) there is no connection to make, and the caller is the only
    process: no Lease is taken. ``serve`` False leaves out the servers and the lag probe.
    Raises Misconfigured when there is no usable kubeconfig, PortError when a port is taken, and an
    ExceptionGroup when a part fails for good.
    """
    clock, randomness = clock or SystemClock(), randomness or SystemRandomness()
    stop = stop or asyncio.Event()
    async with AsyncExitStack() as stack:
        registry = new_registry()
        leadership: Leadership = AlwaysLeader()
        http: HttpKubeApi | None = None
        if api is None:
            api = http = await _connect(settings, clock)
            stack.push_async_callback(http.close)
            if settings.lease:
                leadership = _election(settings, clock, randomness)
            http.transport.before_write = leadership.check
        manager = Manager(api, clock, randomness, settings, registry, leadership)
        if http is not None:
            http.transport.observer = manager.metrics.request
            gc.set_threshold(*_COLLECTOR_THRESHOLD)
        for register in _chosen(settings):
            register(manager, settings)
        if serve:
            await stack.enter_async_context(_servers(manager, settings, ready))
        async with asyncio.TaskGroup() as group:
            announce = group.create_task(_announce(manager, ready, own_process=http is not None))
            await manager.run(stop)
            announce.cancel()


def _chosen(settings: Settings) -> list[Register]:
    return [
        register
        for role, registers in CONTROLLERS.items()
        if role in settings.roles
        for register in registers
    ]


async def _connect(settings: Settings, clock: Clock) -> HttpKubeApi:
    return await HttpKubeApi.load(
        settings.kubeconfig, settings.context, clock=clock, write_timeout=settings.write_timeout
    )


def _election(settings: Settings, clock: Clock, randomness: Randomness) -> ThreadedElection:
    terms = Terms(
        namespace=own_namespace(settings),
        identity=identity(randomness),
        name=settings.lease,
        duration=settings.lease_duration,
        renew_deadline=settings.renew_deadline,
        retry_period=settings.retry_period,
    )
    return ThreadedElection(lambda: _connect(settings, clock), clock, randomness, terms)


@asynccontextmanager
async def _servers(manager: Manager, settings: Settings, ready: Ready | None) -> AsyncIterator[None]:
    lag = LagProbe(manager.clock, manager.metrics)
    health = Health(manager, lag, manager.clock)
    async with (
        serving(
            metrics_app(manager.registry, manager.clock),
            settings.listen,
            settings.metrics_port,
            "metrics_port",
        ) as metrics,
        serving(health_app(health), settings.listen, settings.healthz_port, "healthz_port") as healthz,
        asyncio.TaskGroup() as group,
    ):
        probe = group.create_task(lag.run(), name="lag")
        if ready is not None:
            ready.metrics_port, ready.healthz_port = metrics, healthz
        _log.info("metrics on port %d, health on port %d", metrics, healthz)
        try:
            yield
        finally:
            probe.cancel()


async def _announce(manager: Manager, ready: Ready | None, *, own_process: bool) -> None:
    await manager.standby_ready.wait()
    if own_process:
        gc.freeze()  # the first lists live as long as the process: the collector need not walk them
    _log.info("watching")
    if ready is not None:
        ready.event.set()
