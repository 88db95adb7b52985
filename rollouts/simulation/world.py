"""One simulated cluster, the processes in it, and the hand of the user."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from analysis.providers.protocol import Provider
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.embedded.gateway.definition import http_route_definition
from rollouts.embedded.store import Change, Collection
from rollouts.embedded.workloads import WorkloadSimulator
from rollouts.kube.api import PatchKind
from rollouts.kube.objects import (
    CONFIGMAPS,
    NAMESPACES,
    PODS,
    ROLLOUTS,
    Manifest,
    ReadOnly,
    Resource,
    generation,
)
from rollouts.simulation.backend import ScriptedBackend
from rollouts.simulation.chance import SeededRandomness
from rollouts.simulation.faults import Plan, Smooth, Write
from rollouts.simulation.gateway import ReportingGateway
from rollouts.simulation.invariants import Invariants
from rollouts.simulation.loop import LoopClock
from rollouts.simulation.mirror import Mirror, is_ready
from rollouts.simulation.process import ControllerProcess
from rollouts.simulation.trace import Trace

NAMESPACE, NAME = "shop", "web"
PATIENCE = 900.0
"""Virtual seconds after which something that was waited for will not happen."""

Condition = Callable[[ReadOnly], bool]


@dataclass(frozen=True, slots=True)
class Written:
    """One write of a process: when it took effect, and its ``outcome``, "" when it went well."""

    at: float
    process: str
    write: Write
    outcome: str


class Stuck(AssertionError):
    """What was waited for did not happen; the message ends with the last lines of the trace."""


@cache
def definitions() -> tuple[Manifest, ...]:
    """Return the product's CustomResourceDefinitions and a small HTTPRoute."""
    packaged = files("rollouts").joinpath("crds")
    folder = Path(str(packaged)) if packaged.is_dir() else Path(str(files("rollouts"))).parent / "crds"
    wanted = ("rollouts", "analysistemplates", "clusteranalysistemplates", "analysisruns", "experiments")
    texts = [(folder / f"argoproj.io_{name}.yaml").read_text() for name in wanted]
    return (*(yaml.load(text, Loader=yaml.CSafeLoader) for text in texts), http_route_definition())


class World:
    """An embedded cluster with simulated workloads on the running virtual loop.

    Build it inside ``World.running``. ``plan`` may be changed at any time; ``plugins`` are the metric plugins
    of processes started later.
    """

    def __init__(self, seed: int, plan: Plan | None = None, *, latency: float = 1.0) -> None:
        self.seed = seed
        self.plan: Plan = plan or Smooth()
        self.clock = LoopClock()
        self.trace = Trace(self.clock)
        self.invariants = Invariants(self.clock, latency)
        self.backend = ScriptedBackend(self.clock)
        self.plugins: list[Provider] = []
        self.writes: list[Written] = []
        self.processes: dict[str, ControllerProcess] = {}
        self.errors: list[str] = []
        self.cluster = EmbeddedCluster(self.clock, SeededRandomness(seed, "cluster"))
        self.cluster.install_crds(definitions())
        self.cluster.observe(self._changed)
        self.api = self.cluster.api("user")
        self._group: asyncio.TaskGroup | None = None
        self._news = asyncio.Event()

    @property
    def mirror(self) -> Mirror:
        """Return the store as it is now."""
        return self.invariants.mirror

    @classmethod
    @asynccontextmanager
    async def running(
        cls, seed: int, plan: Plan | None = None, *, latency: float = 1.0
    ) -> AsyncIterator[World]:
        """Run a cluster without any controller process yet; end everything at the end of the block."""
        world = cls(seed, plan, latency=latency)
        with _errors_into(world.errors):
            async with asyncio.TaskGroup() as group:
                world._group = group
                machinery = [group.create_task(work) for work in world._machinery()]
                await world.api.create(NAMESPACES, None, {"metadata": {"name": NAMESPACE}})
                try:
                    yield world
                finally:
                    for process in world.processes.values():
                        process.stop()
                        process.kill()
                    for task in machinery:
                        task.cancel()

    def _machinery(self) -> Iterable[Any]:
        simulator = WorkloadSimulator(
            self.cluster.api("machinery"),
            self.clock,
            SeededRandomness(self.seed, "machinery"),
            control_loops=True,
        )
        gateway = ReportingGateway(
            self.cluster.api("gateway"),
            self.clock,
            SeededRandomness(self.seed, "gateway"),
            lambda: self.plan.accepts_late(),
        )
        return simulator.run(asyncio.Event()), gateway.cache.run(), gateway.loop.run(), self._drain()

    async def _drain(self) -> None:
        """Evict a pod whenever the plan says so."""
        api, die = self.cluster.api("drain"), SeededRandomness(self.seed, "drain")
        while True:
            await self.clock.sleep(1.0)
            ready = sorted(name for name, pod in self.mirror.all("pods").items() if is_ready(pod))
            if not ready or not self.plan.evicts():
                continue
            name = ready[int(die.uniform(0, len(ready) - 1e-9))]
            self.invariants.evicts(self.mirror.all("pods")[name])
            self.trace.say("drain", f"evicts {name}")
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
            await api.create(PODS, NAMESPACE, body, name=name, subresource="eviction")

    # -- processes -----------------------------------------------------------------------------------------

    async def start(self, name: str = "controller", *, elect: bool = False) -> ControllerProcess:
        """Start a controller process and wait until it watches."""
        assert self._group is not None  # noqa: S101 - inside ``running``
        process = ControllerProcess(
            name,
            self.cluster.api(name),
            self.clock,
            self.seed,
            self.backend,
            lambda: self.plan,
            _Ear(self, name),
            elect=elect,
            plugins=self.plugins,
        )
        self.processes[name] = process
        self._group.create_task(process.run())
        await process.ready.wait()
        return process

    def wrote(self, name: str, write: Write, outcome: str) -> None:
        """Note a write of a process."""
        self.writes.append(Written(self.clock.monotonic(), name, write, outcome))
        self.trace.say(name, f"{write}{' -- ' + outcome if outcome else ''}")

    # -- the user --------------------------------------------------------------------------------------------

    async def create(self, resource: Resource, body: Manifest) -> None:
        """Create an object in the namespace."""
        full = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        await self.api.create(resource, NAMESPACE, full)

    async def deploy(self, version: str) -> None:
        """Change the image of the Rollout."""
        containers = [{"name": "web", "image": f"web:{version}", "ports": [{"containerPort": 80}]}]
        await self.spec(template={"spec": {"containers": containers}})

    async def spec(self, **fields: Any) -> None:
        """Patch the Rollout's spec."""
        self.trace.say("user", f"spec {fields}")
        await self.api.patch(ROLLOUTS, NAMESPACE, NAME, {"spec": fields}, kind=PatchKind.MERGE)

    async def config(self, **data: str) -> None:
        """Change what is in the ConfigMap that the pods mount."""
        self.trace.say("user", f"config {data}")
        await self.api.patch(CONFIGMAPS, NAMESPACE, NAME, {"data": data}, kind=PatchKind.MERGE)

    async def status(self, **fields: Any) -> None:
        """Patch the Rollout's status, as ``kubectl argo rollouts`` does."""
        self.trace.say("user", f"status {fields}")
        await self.api.patch(
            ROLLOUTS, NAMESPACE, NAME, {"status": fields}, kind=PatchKind.MERGE, subresource="status"
        )

    @property
    def rollout(self) -> ReadOnly:
        """Return the Rollout as it is in the store."""
        return self.mirror.all("rollouts")[NAME]

    @property
    def state(self) -> Mapping[str, Any]:
        """Return the Rollout's status."""
        status: Mapping[str, Any] = self.rollout.get("status") or {}
        return status

    async def until(self, condition: Condition, what: str) -> None:
        """Wait until the Rollout's status fulfils ``condition``. Raises Stuck."""
        deadline = self.clock.monotonic() + PATIENCE
        while not condition(self.state):
            self._news.clear()
            try:
                async with asyncio.timeout(deadline - self.clock.monotonic()):
                    await self._news.wait()
            except TimeoutError:
                state = {k: self.state.get(k) for k in ("phase", "message", "currentStepIndex", "abort")}
                raise Stuck(f"waited for {what}; status {state}\n{self.trace.tail()}") from None

    async def phase(self, phase: str) -> None:
        """Wait until the Rollout is in ``phase`` at its present generation."""
        await self.until(
            lambda st: (
                st.get("phase") == phase and st.get("observedGeneration") == str(generation(self.rollout))
            ),
            f"phase {phase}",
        )

    async def step(self, index: int) -> None:
        """Wait until the update of the present spec is at the step with this index, or at a later one."""
        await self.until(
            lambda st: (
                st.get("stableRS") != st.get("currentPodHash")
                and st.get("observedGeneration") == str(generation(self.rollout))
                and (st.get("currentStepIndex") or 0) >= index
            ),
            f"step {index}",
        )

    async def rest(self, seconds: float = 120.0) -> None:
        """Let time pass: longer than every delay, back-off and lease."""
        await self.clock.sleep(seconds)

    def _changed(self, collection: Collection, change: Change) -> None:
        self.trace.changed(collection, change)
        self.invariants.changed(collection, change)
        if collection.plural == "rollouts":
            self._news.set()


class _Ear:
    """Hears what one process does and gets to know."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    def sends(self, write: Write) -> None:
        """See faults.Observer."""
        self._world.invariants.sends(write.resource, write.name)

    def wrote(self, write: Write, outcome: str) -> None:
        """See faults.Observer."""
        self._world.wrote(self._name, write, outcome)

    def saw(self, resource: Resource, obj: Manifest) -> None:
        """See faults.Observer."""
        self._world.invariants.saw(resource, obj)


class _Collecting(logging.Handler):
    def __init__(self, into: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        self._into.append(f"{text}: {error!r}" if error else text)


class _errors_into:  # noqa: N801 - reads as a function
    """Collect what the product logs as an error: in a simulation that is a bug of the product."""

    def __init__(self, into: list[str]) -> None:
        self._handler = _Collecting(into)

    def __enter__(self) -> None:
        logging.getLogger("rollouts").addHandler(self._handler)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("rollouts").removeHandler(self._handler)
