"""One delivery under test: a Rollout in a namespace of its own, its history, and the load that it serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.cluster.control_plane import RealCluster
from tests.cluster.harness import Load, Machinery, apply
from tests.cluster.history import History
from tests.cluster.samples import Object, pod_template, rollout, route, service

APP = "shop"
HEALTHY_SECONDS = 120.0


class Delivery:
    """A Rollout ``shop`` and all that belongs to it. ``host`` is for users, ``preview`` for a first look."""

    def __init__(self, machinery: Machinery, strategy: Object | Callable[[str], Object]) -> None:
        self.cluster: RealCluster = machinery.cluster
        self.namespace = namespace = self.cluster.new_namespace("e2e")
        self.host = f"{APP}.{namespace}.test"
        self.preview = f"preview.{namespace}.test"
        self._machinery = machinery
        self._strategy = strategy(namespace) if callable(strategy) else strategy
        self._path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}"
        self.history = History(self.cluster, f"{self._path}/rollouts", APP)
        self.loads: dict[str, Load] = {}
        self._hosts: list[str] = []

    def begin(self, services: Sequence[str], routes: Sequence[Object], others: Sequence[Object] = ()) -> None:
        """Create everything at version v1, wait until it is Healthy, and let the load start."""
        self.create(services, routes, others)
        self.serve()

    def create(
        self, services: Sequence[str], routes: Sequence[Object], others: Sequence[Object] = ()
    ) -> None:
        """Create everything at version v1."""
        self.history.start()
        self._hosts = [str(one["spec"]["hostnames"][0]) for one in routes]
        parts = [service(name, APP) for name in services]
        apply(self.cluster, self.namespace, [*parts, *routes, *others, self._rollout("v1", 0.0)])

    def serve(self) -> None:
        """Wait until v1 is Healthy, then send requests to every host."""
        self.wait_for_phase("Healthy")
        self.loads = {host: self._machinery.load(host) for host in self._hosts}

    def update(self, version: str, *, error_rate: float = 0.0) -> None:
        """Bring a new version in, as a person would."""
        apply(self.cluster, self.namespace, [self._rollout(version, error_rate)])

    def patch_status(self, status: Object) -> None:
        """Patch the status as ``kubectl argo rollouts`` does."""
        self.cluster.admin.merge(f"{self._path}/rollouts/{APP}/status", {"status": status})

    def wait_for_phase(self, phase: str, *, seconds: float = HEALTHY_SECONDS) -> Object:
        """Return the first state in ``phase`` whose observedGeneration is the present one."""

        def reached(state: Object) -> bool:
            status = state.get("status") or {}
            current = status.get("observedGeneration") == str(state["metadata"]["generation"])
            return bool(current and status.get("phase") == phase)

        newest = self.generation()
        return self.history.wait(
            lambda state: state["metadata"]["generation"] >= newest and reached(state),
            seconds=seconds,
            what=f"phase {phase}",
        )

    def generation(self) -> int:
        """Return the Rollout's generation now; 0 when it does not exist yet."""
        items = self.cluster.admin.get(f"{self._path}/rollouts")["items"]
        return max((int(item["metadata"]["generation"]) for item in items), default=0)

    def children(self, plural: str, group: str = "argoproj.io/v1alpha1") -> list[dict[str, Any]]:
        """Return the objects of one kind in the namespace."""
        found: list[dict[str, Any]] = self.cluster.admin.get(
            f"/apis/{group}/namespaces/{self.namespace}/{plural}"
        )["items"]
        return found

    def end(self) -> None:
        """Stop the load and the watch, and give the namespace back."""
        for load in self.loads.values():
            load.stop()
        self.history.stop()
        self.cluster.delete_namespace(self.namespace)

    def _rollout(self, version: str, error_rate: float) -> Object:
        return rollout(APP, self._strategy, pod_template(APP, version, error_rate=error_rate))


def blue_green_routes(delivery: Delivery) -> list[Object]:
    """Return the routes of a blue-green ``shop``: users to the active Service, a first look to the other."""
    return [
        route(f"{APP}-active", delivery.host, {f"{APP}-active": 1}),
        route(f"{APP}-preview", delivery.preview, {f"{APP}-preview": 1}),
    ]


def canary_route(host: str) -> Object:
    """Return the HTTPRoute of a canary ``shop``, all traffic on stable."""
    return route(APP, host, {f"{APP}-stable": 100, f"{APP}-canary": 0})
