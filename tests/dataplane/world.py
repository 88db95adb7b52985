"""A cluster, Traefik, counting pods, users and the controller, all in the calling thread's namespace."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rollouts.clock import SystemClock, SystemRandomness
from rollouts.embedded.workloads import KubeletTiming, WorkloadSimulator
from tests.cluster.background import Background
from tests.cluster.contenders import SHORT
from tests.cluster.control_plane import ControlPlane, RealCluster
from tests.cluster.crds import install_crds, our_crds
from tests.cluster.harness import ControllerProcess, apply
from tests.cluster.history import History
from tests.cluster.processes import wait_until
from tests.cluster.samples import Object, canary, pod_template, rollout, service
from tests.dataplane import envoy
from tests.dataplane.connections import HttpConnection
from tests.dataplane.pods import CountingPods
from tests.dataplane.traefik import HTTP, Traefik, gateway_objects, grant
from tests.dataplane.users import Speak, Users, answered


class DataPlane:
    """Everything that the tests of this folder share."""

    def __init__(self, control_plane: Path, traefik: Path, crds: Path, folder: Path) -> None:
        self.pods = CountingPods()
        self.background = Background()
        self._folder = folder
        self._parts = (control_plane, traefik, crds)
        self._stack = ExitStack()

    def start(self) -> DataPlane:
        """Start all; a part that fails ends those before it."""
        binary, traefik, crds = self._parts
        with ExitStack() as stack:
            plane = ControlPlane(binary, self._folder)
            stack.callback(plane.stop)
            self.cluster = plane.start()
            install_crds(self.cluster, our_crds(), crds)
            grant(self.cluster, "gateway")
            self.namespace = self.cluster.new_namespace("plane")
            apply(self.cluster, self.namespace, gateway_objects())
            stack.callback(self.background.stop)
            self.background.start(self._simulate)
            self.traefik = Traefik(traefik, self.cluster, "gateway", self._folder).start()
            stack.callback(self.traefik.stop)
            self.start_controller()
            stack.callback(lambda: self.controller.stop())
            self._stack = stack.pop_all()
        return self

    def stop(self) -> None:
        """Stop all in reverse order."""
        self._stack.close()

    def start_controller(self, **settings: str) -> None:
        """Start a controller process, the first or one after a kill: its lease is short. It asks Envoys."""
        asked = {"verify_envoy": f"http://127.0.0.1:{envoy.ADMIN}"}
        self.controller = ControllerProcess(self.cluster, self._folder, **SHORT, **asked, **settings).start()

    @property
    def folder(self) -> Path:
        """Return where logs and configurations of this plane go."""
        return self._folder

    def users(
        self,
        host: str,
        path: str = "/",
        *,
        port: int = HTTP,
        speak: Speak = HttpConnection,
        **rates: float,
    ) -> Users:
        """Let users come, once the first request is answered well; ``leave`` of the answer ends it."""

        def ready() -> bool:
            return self.background.call(answered(port, host, path, speak))

        wait_until(ready, seconds=20, what=f"an answer for {host}{path}")
        users = Users(port, host, path, speak=speak, **rates)
        users.leave = self.background.start_stoppable(users.run)
        return users

    async def _simulate(self, stop: asyncio.Event) -> None:
        api = await self.cluster.api("simulator")
        simulator = WorkloadSimulator(
            api, SystemClock(), SystemRandomness(), control_loops=False, pod_backend=self.pods,
            timing=KubeletTiming.brisk(),
        )  # fmt: skip
        try:
            await simulator.run(stop)
        finally:
            await self.pods.stop_all()
            await api.close()


class TimedHistory(History):
    """A history that also knows when each state was seen, in monotonic seconds."""

    def __init__(self, cluster: RealCluster, collection: str, name: str) -> None:
        super().__init__(cluster, collection, name)
        self.seen: list[tuple[float, Object]] = []

    def _take(self, event: dict[str, Any]) -> None:
        self.seen.append((time.monotonic(), event["object"]))
        super()._take(event)


class Shop:
    """One Rollout with its Services, and the history of its route, which it may share."""

    def __init__(
        self,
        plane: DataPlane,
        name: str,
        route: Object,
        field: str,
        steps: Sequence[Object],
        *,
        protocol: str = "",
        managed: Sequence[str] = (),
    ) -> None:
        self.plane = plane
        self.name = name
        self._protocol = protocol
        self._cluster, self._namespace = plane.cluster, plane.namespace
        routed = str(route["metadata"]["name"])
        self._strategy = canary(steps, name=name)
        self._strategy["canary"]["trafficRouting"] = {
            "plugins": {"argoproj-labs/gatewayAPI": {field: routed}},
            "managedRoutes": [{"name": managed_name} for managed_name in managed],
        }
        self._path = f"/apis/argoproj.io/v1alpha1/namespaces/{self._namespace}/rollouts"
        plural = str(route["kind"]).lower() + "s"
        routes = f"/apis/{route['apiVersion']}/namespaces/{self._namespace}/{plural}"
        self.route = TimedHistory(self._cluster, routes, routed)
        self.route.start()

    def create(self) -> None:
        """Create the Rollout at v1; it is Healthy in a while."""
        parts = [service(f"{self.name}-{role}", self.name) for role in ("stable", "canary")]
        for part in parts if self._protocol else ():
            part["spec"]["ports"][0]["appProtocol"] = self._protocol
        apply(self._cluster, self._namespace, [*parts, self._manifest("v1")])

    def trust_only_data_planes(self) -> None:
        """From the next update on a route's status alone counts only after ten minutes: never, in a test."""
        plugins = self._strategy["canary"]["trafficRouting"]["plugins"]
        plugins["argoproj-labs/gatewayAPI"]["settleSeconds"] = 600

    def update(self, version: str) -> None:
        """Bring a new version in."""
        apply(self._cluster, self._namespace, [self._manifest(version)])

    def patch_status(self, status: Object) -> float:
        """Patch the status as the kubectl plugin does; return when."""
        at = time.monotonic()
        self._cluster.admin.merge(f"{self._path}/{self.name}/status", {"status": status})
        return at

    def wait_for_phase(self, phase: str, *, seconds: float = 40) -> None:
        """Wait until the present generation is in a phase."""

        def reached() -> bool:
            found = self.get()
            status = found.get("status") or {}
            current = status.get("observedGeneration") == str(found["metadata"]["generation"])
            return bool(current and status.get("phase") == phase)

        self._wait(reached, f"phase {phase}", seconds)

    def wait_for_pods(self) -> None:
        """Wait until both Services have endpoints written for them, whatever these are."""
        slices = f"/apis/discovery.k8s.io/v1/namespaces/{self._namespace}/endpointslices"

        def there() -> bool:
            items = self._cluster.admin.get(slices)["items"]
            found = {part["metadata"]["labels"].get("kubernetes.io/service-name") for part in items}
            return {f"{self.name}-stable", f"{self.name}-canary"} <= found

        self._wait(there, "EndpointSlices", 40)

    def wait_for_step(self, index: int, *, seconds: float = 40) -> None:
        """Wait until the Rollout pauses at a step."""

        def reached() -> bool:
            status = self.get().get("status") or {}
            return status.get("currentStepIndex") == index and status.get("phase") == "Paused"

        self._wait(reached, f"step {index}", seconds)

    def get(self) -> Object:
        """Return the Rollout now."""
        return self._cluster.admin.get(f"{self._path}/{self.name}")

    def measure(self, seconds: float = 1.5, enough: int = 60) -> Counter[str]:
        """Return what reaches the pods of each version in the coming time.

        On a busy machine users are slow; then it takes longer, until ``enough`` requests have come.
        """
        since = time.monotonic()
        time.sleep(seconds)
        while True:
            now = time.monotonic()
            seen = self.plane.pods.shares(self.name, since, now)
            if seen.total() >= enough or now > since + 20:
                return seen
            time.sleep(0.1)

    def wait_for_share(self, version: str, percent: int) -> None:
        """Wait until traffic is there, where the Rollout itself does not wait for it."""

        def reached() -> bool:
            seen = self.measure(0.5, enough=1)
            return seen.total() > 0 and round(100 * seen[version] / seen.total()) == percent

        self._wait(reached, f"share of {percent} % on {version}", 15)

    def written(self, weight: int) -> float:
        """Return when the route was last seen to get this canary weight."""
        before: int | None = None
        found: float | None = None
        for at, state in self.route.seen:
            now = self._weight(state)
            if now == weight and before != weight:
                found = at
            before = now
        assert found is not None, f"the route of {self.name} never had weight {weight}"
        return found

    def arrivals(self, version: str, since: float) -> list[float]:
        """Return when requests reached a version since then."""
        found = self.plane.pods.arrivals
        return [a.at for a in found if a.app == self.name and a.version == version and a.at >= since]

    def _weight(self, route: Object) -> int | None:
        for rule in route["spec"]["rules"]:
            for ref in rule["backendRefs"]:
                if ref["name"] == f"{self.name}-canary":
                    return int(ref["weight"])
        return None

    def _wait(self, reached: Callable[[], bool], what: str, seconds: float) -> None:
        try:
            wait_until(reached, seconds=seconds, what=what)
        except TimeoutError as late:
            raise AssertionError(f"{self.name}: {late}; it says {self.get().get('status')}") from None

    def _manifest(self, version: str) -> Object:
        return rollout(self.name, self._strategy, pod_template(self.name, version))
