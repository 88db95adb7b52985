"""The controller on an embedded API server, on virtual time, with a backend that answers as told."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml

from analysis.conditions.values import FloatVector
from analysis.providers.errors import BackendError
from analysis.providers.job import UID_LABEL, JobProvider
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.providers.registry import ProviderRegistry
from analysis.spec.objects import Metric
from rollouts.controllers.analysisrun import controller
from rollouts.controllers.analysisrun.jobs import ClusterJobs
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.kube.api import KubeApi
from rollouts.kube.lease import AlwaysLeader
from rollouts.kube.objects import ANALYSIS_RUNS, EVENTS, JOBS, NAMESPACES, Manifest
from rollouts.runtime.manager import Manager
from rollouts.runtime.metrics import new_registry
from rollouts.settings import Settings
from tests.unit.kube.world import Dice, LoopClock

ROOT = Path(__file__).parents[4]
OURS = ROOT / "crds" / "argoproj.io_analysisruns.yaml"
UPSTREAM = (
    Path(os.environ.get("ROLLOUTS_UPSTREAM_DATA", ROOT.parent / "shared" / "data" / "upstream"))
    / "argo-rollouts/crds/analysis-run-crd.yaml"
)


class Backend(Immediate):
    """Answers each query with the next of its values; an exception is raised, None never answers."""

    name: ClassVar[str] = "prometheus"

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = {}
        self.asked: list[str] = []
        self.latency = 0.0

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        return {"ResolvedPrometheusQuery": metric.provider.prometheus.query}

    async def measure(self, question: Question) -> Reading:
        query = question.metric.provider.prometheus.query
        self.asked.append(query)
        await asyncio.sleep(self.latency)
        known = self.answers.get(query, [])
        answer = known.pop(0) if len(known) > 1 else (known[0] if known else BackendError(f"no {query}"))
        if answer is None:
            await asyncio.sleep(100_000)
        if isinstance(answer, Exception):
            raise answer
        return Reading(FloatVector((answer,)), f"[{answer:g}]", {"resultType": "vector"})


@dataclass
class World:
    """What a test holds in its hands."""

    api: KubeApi
    backend: Backend
    manager: Manager
    writes: list[Any] = field(default_factory=list)

    async def create(self, name: str = "run", **spec: Any) -> Manifest:
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisRun",
            "metadata": {"name": name, "namespace": "ns"},
            "spec": spec,
        }
        return await self.api.create(ANALYSIS_RUNS, "ns", body)

    async def get(self, name: str = "run") -> Manifest:
        return await self.api.get(ANALYSIS_RUNS, "ns", name)

    async def status(self, name: str = "run") -> Any:
        return (await self.get(name)).get("status") or {}

    async def after(self, seconds: float, name: str = "run") -> Any:
        await asyncio.sleep(seconds)
        return await self.status(name)

    async def events(self) -> list[tuple[str, str, str]]:
        await self.manager.recorder.flush(5)
        listing = await self.api.list(EVENTS, "ns")
        return [(e["type"], e["reason"], e["message"]) for e in listing.items]


def query(name: str = "m", condition: str = "result[0] < 1", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "successCondition": condition,
        "provider": {"prometheus": {"query": name}},
        **fields,
    }


@asynccontextmanager
async def controlled(
    cluster: EmbeddedCluster, backend: Backend, settings: Settings | None = None, api: Any = None
) -> AsyncIterator[World]:
    """Run the controller over a cluster until the block ends, as one process would."""
    settings = settings or Settings()
    direct = cluster.api()
    used = api or direct
    manager = Manager(used, LoopClock(), Dice(), settings, new_registry(), AlwaysLeader())
    manager.cache.start(ANALYSIS_RUNS)
    manager.cache.start(JOBS, label_selector=UID_LABEL)
    providers = ProviderRegistry([backend, JobProvider(ClusterJobs(used, manager.cache))])
    controller.add(manager, settings, providers)
    stop = asyncio.Event()
    task = asyncio.ensure_future(manager.run(stop))
    await asyncio.sleep(2)
    try:
        yield World(direct, backend, manager)
    finally:
        stop.set()
        await task


async def new_cluster(clock: Any = None, crd: Path = OURS) -> EmbeddedCluster:
    cluster = EmbeddedCluster(clock or LoopClock(), Dice())
    cluster.install_crds([yaml.load(crd.read_text(), Loader=yaml.CSafeLoader)])
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}}
    await cluster.api().create(NAMESPACES, None, namespace)
    return cluster


@asynccontextmanager
async def running(prepare: Callable[[Backend], None] = lambda _: None) -> AsyncIterator[World]:
    cluster, backend = await new_cluster(), Backend()
    prepare(backend)
    async with controlled(cluster, backend) as world:
        yield world
    await cluster.close()
