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
from rollouts.embedded.workloads.watched import Watched
from rollouts.kube.api import KubeApi
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
        pods = Watched(api, PODS, clock)
        self._watched = [pods]
        self._kubelet = Kubelet(
            api,
            pods,
            clock,
            randomness,
            backend=pod_backend or AddressesOnly(),
            timing=timing or KubeletTiming(),
        )
        self._loops: list[KeyLoop] = [self._kubelet.loop]
        if control_loops:
            self._add_control_loops(api, pods, clock)

    def _add_control_loops(self, api: KubeApi, pods: Watched, clock: Clock) -> None:
        replicasets, services = Watched(api, REPLICASETS, clock), Watched(api, SERVICES, clock)
        slices, jobs = Watched(api, ENDPOINT_SLICES, clock), Watched(api, JOBS, clock)
        deployments = Watched(api, DEPLOYMENTS, clock)
        self._watched += [replicasets, services, slices, jobs, deployments]
        self._loops += [
            ReplicaSetController(api, replicasets, pods, clock).loop,
            EndpointsController(api, services, pods, slices, clock).loop,
            JobController(api, jobs, pods, clock).loop,
            DeploymentController(api, deployments, replicasets, clock).loop,
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set. An unexpected error ends it and is raised."""
        await self._kubelet.register_node()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(watched.run()) for watched in self._watched]
            for watched in self._watched:
                await watched.synced.wait()
            # Only with every resource in sync: a count over half a list would create pods twice.
            tasks += [group.create_task(loop.run()) for loop in self._loops]
            await stop.wait()
            for task in tasks:
                task.cancel()
