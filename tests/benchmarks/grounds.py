"""Where benchmarks run: the real API server when it is built, else the embedded one over HTTP."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psutil
import yaml
from prometheus_client.parser import text_string_to_metric_families

from rollouts.clock import SystemClock, SystemRandomness
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.embedded.gateway.definition import http_route_definition
from rollouts.embedded.store import Change, Collection
from rollouts.embedded.workloads import WorkloadSimulator
from rollouts.embedded.workloads.timing import KubeletTiming
from rollouts.kube.api import KubeApi
from rollouts.kube.client import HttpKubeApi
from rollouts.kube.objects import NAMESPACES
from tests.cluster.background import Background
from tests.cluster.binaries import built_control_plane
from tests.cluster.control_plane import ControlPlane
from tests.cluster.crds import gateway_crds, install_crds, our_crds
from tests.cluster.install import SYSTEM_NAMESPACE, account_kubeconfig, account_name
from tests.cluster.processes import ServerProcess, free_ports
from tests.cluster.rest import Rest
from tests.lanes.registry import REPOSITORY

T = TypeVar("T")
LEASE_NAMESPACE = SYSTEM_NAMESPACE
TIMING = KubeletTiming(start=(0.1, 0.3))


class Ground(Protocol):
    """An API server with workloads, and a loop in a thread to work on it."""

    title: str
    background: Background
    kubeconfig: Path
    """For the controller."""

    def connect(self) -> Coroutine[Any, Any, KubeApi]:
        """Return a client of the user's."""
        ...

    def lease_requests(self) -> int:
        """Return how often a Lease was written so far."""
        ...

    def stop(self) -> None:
        """End everything."""
        ...


class EmbeddedGround:
    """The embedded cluster, over HTTP for the controller."""

    title = "embedded API server over HTTP"

    def __init__(self, folder: Path) -> None:
        self.background = Background()
        self.kubeconfig = folder / "embedded.kubeconfig"
        self._leases = 0
        self._cluster = EmbeddedCluster(SystemClock(), SystemRandomness())
        self._cluster.observe(self._changed)
        self.background.call(self._serve())
        self.kubeconfig.write_text(json.dumps(self._cluster.kubeconfig()))

    async def _serve(self) -> None:
        definitions = [
            yaml.safe_load(path.read_text()) for path in sorted((REPOSITORY / "crds").glob("*.yaml"))
        ]
        self._cluster.install_crds([*definitions, http_route_definition()])
        await self._cluster.serve()
        api = self._cluster.api()
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LEASE_NAMESPACE}}
        await api.create(NAMESPACES, None, body)
        simulator = WorkloadSimulator(
            api, SystemClock(), SystemRandomness(), control_loops=True, timing=TIMING
        )
        self.background.adopt(simulator.run)

    def _changed(self, collection: Collection, change: Change) -> None:
        self._leases += collection.plural == "leases"

    def lease_requests(self) -> int:
        """See Ground.lease_requests."""
        return self._leases

    async def connect(self) -> KubeApi:
        """See Ground.connect."""
        return await HttpKubeApi.from_kubeconfig(str(self.kubeconfig))

    def stop(self) -> None:
        """See Ground.stop."""
        self.background.call(self._cluster.close())
        self.background.stop()


class RealGround:
    """A real control plane of its own, the controller under the shipped roles."""

    title = "real etcd, kube-apiserver and kube-controller-manager"

    def __init__(self, folder: Path, binary: Path) -> None:
        gateway = gateway_crds()
        assert gateway is not None
        self._plane = ControlPlane(binary, folder / "plane")
        self._cluster = self._plane.start()
        install_crds(self._cluster, our_crds(), gateway)
        self.kubeconfig = account_kubeconfig(self._cluster)
        self.background = Background()
        self.background.start(self._simulate)

    async def _simulate(self, stop: asyncio.Event) -> None:
        api = await self._cluster.api("simulator")
        simulator = WorkloadSimulator(
            api, SystemClock(), SystemRandomness(), control_loops=False, timing=TIMING
        )
        try:
            await simulator.run(stop)
        finally:
            await api.close()

    def lease_requests(self) -> int:
        """See Ground.lease_requests."""
        seen = self._cluster.audit.count(account_name())
        return sum(count for (_, kind, _), count in seen.items() if kind == "leases")

    async def connect(self) -> KubeApi:
        """See Ground.connect."""
        return await self._cluster.api("admin")

    def stop(self) -> None:
        """See Ground.stop."""
        try:
            self.background.stop()
        finally:
            self._plane.stop()


def new_ground(folder: Path, *, real: bool) -> Ground:
    """Return the real ground when it is wanted and built, else the embedded one."""
    binary = built_control_plane() if real else None
    return RealGround(folder, binary) if binary is not None else EmbeddedGround(folder)


class Controller:
    """``rollouts run`` as a process, and what it tells about itself."""

    def __init__(self, ground: Ground, folder: Path, name: str) -> None:
        self._health, self._metrics = free_ports(2)
        chosen = {
            "kubeconfig": str(ground.kubeconfig),
            "roles": "delivery",
            "lease_namespace": LEASE_NAMESPACE,
            "listen": "127.0.0.1",
            "healthz_port": str(self._health),
            "metrics_port": str(self._metrics),
        }
        environment = {f"ROLLOUTS_SETTING_{key.upper()}": value for key, value in chosen.items()}
        self.process = ServerProcess(name, [sys.executable, "-m", "rollouts", "run"], folder, environment)

    def start(self) -> Controller:
        """Start it and wait until it is ready."""
        self.process.start()
        self.process.wait_ready(Rest(f"http://127.0.0.1:{self._health}", None, "").ready, seconds=60)
        return self

    def stop(self) -> None:
        """End it in order."""
        self.process.stop()

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Return the samples of one metric."""
        text = Rest(f"http://127.0.0.1:{self._metrics}", None, "").get("/metrics")["text"]
        return [
            (dict(sample.labels), sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        ]

    def requests(self) -> dict[tuple[str, str], int]:
        """Return the requests so far by (verb, kind)."""
        found: dict[tuple[str, str], int] = {}
        for labels, value in self.samples("controller_clientset_k8s_request_total"):
            key = labels["verb"], labels["kind"]
            found[key] = found.get(key, 0) + int(value)
        return found

    def leads(self) -> bool:
        """Tell whether it is the leader."""
        return any(value == 1 for _, value in self.samples("leader_election_master_status"))

    def cpu_seconds(self) -> float:
        """Return user and system time so far."""
        times = self._psutil().cpu_times()
        return times.user + times.system

    def rss_mib(self) -> float:
        """Return the resident memory."""
        return self._psutil().memory_info().rss / 2**20

    def lag_quantile(self, share: float) -> float:
        """Return the bucket (seconds) in which this share of the event loop's lags ends."""
        buckets = [(float(ls["le"]), v) for ls, v in self.samples("event_loop_lag_seconds_bucket")]
        total = max(value for _, value in buckets)
        return min(bound for bound, value in buckets if value >= share * total)

    def _psutil(self) -> psutil.Process:
        return psutil.Process(self.process.pid)


def difference(
    after: dict[tuple[str, str], int], before: dict[tuple[str, str], int]
) -> dict[tuple[str, str], int]:
    """Return what was added, without zeros."""
    return {key: more for key, count in after.items() if (more := count - before.get(key, 0))}


def quantile(values: list[float], share: float) -> float:
    """Return the value at a share of the sorted list."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


Work = Callable[[KubeApi], Coroutine[Any, Any, T]]


def work(ground: Ground, task: Work[T], *, seconds: float = 600) -> T:
    """Run a task with a client of the user's on the ground's loop."""

    async def run() -> T:
        api = await ground.connect()
        try:
            return await task(api)
        finally:
            await api.close()  # type: ignore[attr-defined]

    return ground.background.call(run(), seconds=seconds)
