"""All simulated machinery of one cluster, started and stopped together."""

from __future__ import annotations

import asyncio

from rollouts.clock import Clock, Randomness
from rollouts.embedded.workloads.backend import AddressesOnly, PodBackend
from rollouts.embedded.workloads.deployments import DeploymentController
from rollouts.embedded.workloads.endpoints import EndpointsController
from rollouts.embedded.workloads.jobs import JobController
from rollouts.embedded.workloads.keyloop import KeyLoop
from rollouts.embedded.workloads.kubelet import Kubelet
from rollouts.embedded.workloads.replicasets import ReplicaSetController
from rollouts.embedded.workloads.timing import KubeletTiming
from rollouts.kube.api import KubeApi
from rollouts.kube.informer import InformerCache
from rollouts.kube.objects import DEPLOYMENTS, ENDPOINT_SLICES, JOBS, PODS, REPLICASETS, SERVICES


class WorkloadSimulator:
    """Plays the kubelet, and with ``control_loops`` also the built-in controllers, through ``api``.

    ``control_loops`` is for the embedded cluster alone: on a real one the kube-controller-manager runs them.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        randomness: Randomness,
        *,
        control_loops: bool,
        pod_backend: PodBackend | None = None,
        timing: KubeletTiming | None = None,
    ) -> None:
        self._cache = InformerCache(api, clock, randomness)
        self._resources = [PODS]
        backend = pod_backend or AddressesOnly()
        self._kubelet = Kubelet(
            api, self._cache, clock, randomness, backend=backend, timing=timing or KubeletTiming()
        )
        self._loops: list[KeyLoop] = [self._kubelet.loop]
        if control_loops:
            self._resources += [REPLICASETS, SERVICES, ENDPOINT_SLICES, JOBS, DEPLOYMENTS]
            self._loops += [
                ReplicaSetController(api, self._cache, clock).loop,
                EndpointsController(api, self._cache, clock).loop,
                JobController(api, self._cache, clock).loop,
                DeploymentController(api, self._cache, clock).loop,
            ]

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set. An unexpected error ends it and is raised."""
        await self._kubelet.register_node()
        for resource in self._resources:
            self._cache.start(resource)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._cache.run())]
            # Only with every resource in sync: a count over half a list would create pods twice.
            await self._cache.wait_synced()
            tasks += [group.create_task(loop.run()) for loop in self._loops]
            await stop.wait()
            for task in tasks:
                task.cancel()
