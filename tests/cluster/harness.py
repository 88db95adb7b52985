"""A cluster with everything that a delivery needs: kubelet, answering pods, gateway, Prometheus, controller.

The control plane, Prometheus and the controller's process are real; the kubelet, the pods' programs and the
gateway are the product's simulated ones, reaching the real API server like anybody else.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollouts.clock import SystemClock, SystemRandomness
from rollouts.embedded.gateway.controller import Gateway
from rollouts.embedded.gateway.load import LoadGenerator, Sent
from rollouts.embedded.workloads import PodAddress, WorkloadSimulator
from rollouts.embedded.workloads.backend import AddressesOnly
from rollouts.embedded.workloads.listeners import ListeningPods
from rollouts.kube.objects import Manifest, labels_of, name_of, namespace_of, uid_of
from tests.cluster.background import Background
from tests.cluster.control_plane import RealCluster
from tests.cluster.install import DELIVERY, SYSTEM_NAMESPACE, account_kubeconfig, account_name
from tests.cluster.processes import ServerProcess, free_ports
from tests.cluster.prometheus import PrometheusServer, PrometheusTools, Target
from tests.cluster.rest import Rest


@dataclass(frozen=True)
class Load:
    """Requests of users to one host, while it lasts."""

    generator: LoadGenerator
    stop: Callable[[], None]

    @property
    def totals(self) -> Counter[tuple[str, int]]:
        """Return the answers since the start by (version, status code)."""
        return self.generator.totals

    def recent(self) -> tuple[Sent, ...]:
        """Return the answers of the last five seconds."""
        return self.generator.recent()


class ReachablePods:
    """Pods that claim addresses of the pod network while their listeners stand on loopback."""

    def __init__(self) -> None:
        self._pods = ListeningPods(SystemClock(), SystemRandomness())
        self._addresses = AddressesOnly()
        self._behind: dict[str, int] = {}
        self._ip_of: dict[str, str] = {}
        self._targets: dict[str, Target] = {}
        self.on_change: Callable[[Sequence[Target]], None] = lambda targets: None

    async def start(self, pod: Manifest) -> PodAddress:
        """Start the listener; the claimed address is new, the port is the real one."""
        real = await self._pods.start(pod)
        claimed = await self._addresses.start(pod)
        assert real.port is not None
        self._behind[claimed.ip] = real.port
        self._ip_of[uid_of(pod)] = claimed.ip
        self._targets[uid_of(pod)] = Target(f"127.0.0.1:{real.port}", _series_labels(pod))
        self.on_change(tuple(self._targets.values()))
        return PodAddress(claimed.ip, real.port)

    async def stop(self, uid: str) -> None:
        """Stop the listener."""
        self._behind.pop(self._ip_of.pop(uid, ""), None)
        self._targets.pop(uid, None)
        self.on_change(tuple(self._targets.values()))
        await self._pods.stop(uid)

    async def stop_all(self) -> None:
        """Stop every listener."""
        await self._pods.stop_all()

    def reach(self, endpoint: tuple[str, int]) -> tuple[str, int]:
        """Return where the pod behind a claimed address listens; a pod that is gone is not reachable."""
        return "127.0.0.1", self._behind.get(endpoint[0], 1)


class Machinery:
    """Kubelet, gateway and Prometheus of one real cluster, for as long as a test run uses it."""

    def __init__(self, cluster: RealCluster, tools: PrometheusTools, folder: Path) -> None:
        self.cluster = cluster
        self.prometheus = PrometheusServer(tools, folder / "prometheus")
        self.background = Background()
        self.gateway_url = ""
        self._pods = ReachablePods()

    def start(self) -> Machinery:
        """Start all; the gateway's address is known afterwards."""
        self.prometheus.start()
        self._pods.on_change = self.prometheus.set_targets
        self.background.start(self._simulate)
        self.gateway_url = self.background.call(self._start_gateway())
        return self

    def stop(self) -> None:
        """Stop all. Raises what failed meanwhile."""
        # Who scrapes goes first: a connection that came while a pod ended would stay open otherwise.
        self.prometheus.stop()
        self.background.stop()

    def load(self, host: str, *, rate: float = 40.0) -> Load:
        """Send requests with this Host header through the gateway until the load is stopped."""
        generator = LoadGenerator(self.gateway_url, SystemClock(), rate=rate, host=host)
        return Load(generator, self.background.start_stoppable(generator.run))

    async def _simulate(self, stop: asyncio.Event) -> None:
        api = await self.cluster.api("simulator")
        simulator = WorkloadSimulator(
            api, SystemClock(), SystemRandomness(), control_loops=False, pod_backend=self._pods
        )
        try:
            await simulator.run(stop)
        finally:
            await self._pods.stop_all()
            await api.close()

    async def _start_gateway(self) -> str:
        api = await self.cluster.api("gateway")
        gateway = Gateway(api, SystemClock(), SystemRandomness(), reach=self._pods.reach)
        started = asyncio.Event()

        async def run(stop: asyncio.Event) -> None:
            try:
                await gateway.run(stop, started=started)
            finally:
                await api.close()

        self.background.adopt(run)
        await asyncio.wait_for(started.wait(), 20)
        return gateway.address


class ControllerProcess:
    """``rollouts run`` as a process of its own, as a service account that the manifests ship."""

    def __init__(
        self,
        cluster: RealCluster,
        folder: Path,
        name: str = "controller",
        *,
        account: str = DELIVERY,
        **settings: str,
    ) -> None:
        self.cluster = cluster
        self.health, self.metrics = free_ports(2)
        self.user = account_name(account)
        chosen = {
            "kubeconfig": str(account_kubeconfig(cluster, account)),
            "roles": "delivery",
            "lease_namespace": SYSTEM_NAMESPACE,
            "listen": "127.0.0.1",
            # Metrics and web hooks of these tests live on loopback, which nobody reaches unasked.
            "egress_allow": "127.0.0.1",
            "healthz_port": str(self.health),
            "metrics_port": str(self.metrics),
            **settings,
        }
        environment = {f"ROLLOUTS_SETTING_{key.upper()}": value for key, value in chosen.items()}
        self.process = ServerProcess(name, [sys.executable, "-m", "rollouts", "run"], folder, environment)

    def start(self) -> ControllerProcess:
        """Start it and wait until it is ready."""
        self.process.start()
        probe = Rest(f"http://127.0.0.1:{self.health}", None, "")
        self.process.wait_ready(probe.ready, seconds=30)
        return self

    def stop(self) -> int | None:
        """Ask it to end and return its exit code."""
        return self.process.stop()


def apply(cluster: RealCluster, namespace: str, manifests: Sequence[Mapping[str, Any]]) -> None:
    """Create or update objects as a person would, with kubectl."""
    listing = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "-n", namespace, "-f", "-", stdin=json.dumps(listing)
    )


def _series_labels(pod: Manifest) -> dict[str, str]:
    """Return what a relabelling of Kubernetes service discovery gives each series of a pod."""
    wanted = {"namespace": namespace_of(pod), "pod": name_of(pod)}
    return wanted | {
        key.replace("-", "_"): value
        for key, value in labels_of(pod).items()
        if key == "rollouts-pod-template-hash"
    }
