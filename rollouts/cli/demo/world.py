"""All parts of the demo, started in order and ended together."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

import yaml

from rollouts.cli.demo.controller_process import ControllerProcess
from rollouts.cli.demo.repository import Repository, manifest
from rollouts.cli.demo.sight import APPLICATION_NAMESPACE, NAMESPACE, WATCHED, Sight, look
from rollouts.clock import SystemClock, SystemRandomness
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.embedded.gateway.controller import Gateway
from rollouts.embedded.gateway.definition import http_route_definition
from rollouts.embedded.gateway.load import LoadGenerator
from rollouts.embedded.metrics.server import MetricsStore
from rollouts.embedded.workloads import KubeletTiming, WorkloadSimulator
from rollouts.embedded.workloads.listeners import ListeningPods
from rollouts.kube.informer import InformerCache
from rollouts.kube.objects import APP_PROJECTS, APPLICATIONS, NAMESPACES, Manifest

HOST = "shop.example"
LEASE_NAMESPACE = "argo-rollouts"
_SCRAPE_SECONDS = 0.5


class DemoUnavailable(Exception):
    """Something that the demo needs is not there; the message says what and where it was looked for."""


class World:
    """The running parts."""

    def __init__(self, folder: Path, rate: float) -> None:
        clock, randomness = SystemClock(), SystemRandomness()
        self.folder = folder
        self.clock = clock
        self.cluster = EmbeddedCluster(clock, randomness)
        self._api = self.cluster.api("demo")
        self._pods = ListeningPods(clock, randomness)
        self._simulator = WorkloadSimulator(
            self._api,
            clock,
            randomness,
            control_loops=True,
            pod_backend=self._pods,
            timing=KubeletTiming.brisk(),
        )
        self.gateway = Gateway(self._api, clock, randomness)
        self.metrics = MetricsStore(self._api, clock, randomness, interval=_SCRAPE_SECONDS)
        self._cache = InformerCache(self._api, clock, randomness)
        self._rate = rate
        self.load: LoadGenerator | None = None
        self._stop_load = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._controller: ControllerProcess | None = None
        self.repository = Repository(folder, "")

    @property
    def kubeconfig(self) -> Path:
        """Return where the kubeconfig is."""
        return self.folder / "kubeconfig"

    @property
    def places(self) -> Sequence[tuple[str, str]]:
        """Return what a person can look at, and where."""
        return (
            ("kubeconfig", str(self.kubeconfig)),
            ("repository", str(self.repository.tree)),
            ("shop", f"{self.gateway.address} (Host: {HOST})"),
            ("metrics", self.metrics.address),
            ("log", str(self.folder / "controller.log")),
        )

    async def start(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Start everything but the load and the controller; the cluster answers when this returns."""
        self._group = group
        await self.cluster.serve()
        self.cluster.install_crds([*definitions(), http_route_definition()])
        for namespace in (NAMESPACE, APPLICATION_NAMESPACE, LEASE_NAMESPACE):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            await self._api.create(NAMESPACES, None, body)
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(self.cluster.kubeconfig()))
        for resource in WATCHED:
            self._cache.start(resource)
        group.create_task(_until(self._cache, stop))
        group.create_task(self._simulator.run(stop))
        started = asyncio.Event(), asyncio.Event()
        group.create_task(self.gateway.run(stop, started=started[0]))
        group.create_task(self.metrics.run(stop, started=started[1]))
        await asyncio.gather(*(event.wait() for event in started), self._cache.wait_synced())
        self.repository = Repository(self.folder, self.metrics.address)
        await self.repository.create()

    def start_controller(self, stop: asyncio.Event) -> None:
        """Start the controller's process."""
        if self._group is None:
            raise RuntimeError("the world has not been started")
        settings = {
            "kubeconfig": str(self.kubeconfig),
            "roles": "delivery,git",
            "listen": "127.0.0.1",
            "metrics_port": "0",
            "healthz_port": "0",
            "log_level": "info",
            "egress_allow": "127.0.0.1",
            "control_namespace": APPLICATION_NAMESPACE,
            "git_poll_seconds": "0.5",
            "git_protocols": "file",
            "git_cache": str(self.folder / "git-cache"),
        }
        self._controller = ControllerProcess(self.folder / "controller.log", settings)
        self._group.create_task(self._controller.run(stop))

    async def apply_application(self) -> None:
        """Create the AppProject and the Application, as somebody would with kubectl apply, once."""
        for resource, name in ((APP_PROJECTS, "project.yaml"), (APPLICATIONS, "application.yaml")):
            body = yaml.safe_load(manifest(name, REPOSITORY=self.repository.url))
            await self._api.create(resource, APPLICATION_NAMESPACE, body)

    def start_load(self, stop: asyncio.Event) -> None:
        """Begin to send requests; does nothing the second time."""
        if self.load is None and self._group is not None:
            self.load = LoadGenerator(self.gateway.address, self.clock, rate=self._rate, host=HOST)
            self._group.create_task(self.load.run(stop))

    def look(self) -> Sight:
        """Return the present picture."""
        return look(self._cache, self.metrics.samples, self.clock, self._totals)

    @property
    def _totals(self) -> Mapping[tuple[str, int], int]:
        return self.load.totals if self.load else {}

    def requests(self) -> dict[str, dict[str, int]]:
        """Return the answers that the load generator got: version → code → number."""
        counts: dict[str, dict[str, int]] = {}
        for (version, code), number in sorted(self._totals.items()):
            counts.setdefault(version or "gateway", {})[str(code)] = number
        return counts

    async def close(self) -> None:
        """End what does not end by itself."""
        await self._pods.stop_all()
        await self.cluster.close()


async def _until(cache: InformerCache, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(cache.run())
        await stop.wait()
        task.cancel()


@asynccontextmanager
async def temporary_world(rate: float, stop: asyncio.Event) -> AsyncIterator[World]:
    """Run a world in a temporary folder, which is removed at the end; ``stop`` is set on the way out."""
    if shutil.which("git") is None:
        raise DemoUnavailable("git is not on PATH; install it (apt-get install git)")
    folder = Path(tempfile.mkdtemp(prefix="rollouts-demo-"))
    world = World(folder, rate)
    try:
        async with asyncio.TaskGroup() as group:
            try:
                await world.start(group, stop)
                yield world
            finally:
                stop.set()
    finally:
        await world.close()
        shutil.rmtree(folder, ignore_errors=True)


def definitions() -> list[Manifest]:
    """Return the CustomResourceDefinitions: from the package, else from the checkout's ``crds`` folder."""
    packaged = files("rollouts").joinpath("crds")
    folder = Path(str(packaged)) if packaged.is_dir() else Path(str(files("rollouts"))).parent / "crds"
    found = sorted(folder.glob("*.yaml"))
    if not found:
        raise DemoUnavailable(f"no CustomResourceDefinitions in {folder}; run this in a checkout")
    return [body for path in found for body in yaml.safe_load_all(path.read_text()) if body]
