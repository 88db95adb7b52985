"""The Application controller over the embedded cluster and a real repository, on the machine's clock."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rollouts.clock import SystemClock
from rollouts.controllers.application import controller
from rollouts.controllers.application.rival import PEER
from rollouts.controllers.application.settings import ApplicationSettings
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.kube import errors
from rollouts.kube.api import KubeApi
from rollouts.kube.lease import AlwaysLeader
from rollouts.kube.objects import (
    APP_PROJECTS,
    APPLICATIONS,
    CONFIGMAPS,
    DEPLOYMENTS,
    NAMESPACES,
    ROLLOUTS,
    Manifest,
    Resource,
)
from rollouts.runtime.manager import Manager
from rollouts.runtime.metrics import new_registry
from rollouts.settings import Settings
from tests.gitops.repository import GitRepository
from tests.unit.kube.world import Dice

CRDS = Path(__file__).parents[4] / "crds"
CONTROL = "argocd"
NAME = "shop"
SPACE = "ns"


def configmap(
    name: str = "settings", namespace: str = "", annotations: Mapping[str, str] | None = None, **data: str
) -> str:
    metadata = {"name": name, "namespace": namespace, "annotations": dict(annotations or {})}
    kept = {key: value for key, value in metadata.items() if value}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": kept, "data": data})


def job(name: str, annotations: Mapping[str, str]) -> str:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "job:1"}]}
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": dict(annotations)},
        "spec": {"template": {"spec": pod}},
    }
    return yaml.safe_dump(body)


def rollout(image: str, name: str = "web", **spec: Any) -> str:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}},
            "template": template,
            **spec,
        },
    }
    return yaml.safe_dump(body)


class Counted:
    """An API that counts the requests that pass it."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self.calls: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._api, name)
        if name in ("get", "create", "replace", "patch", "delete"):

            def counted(resource: Resource, *args: Any, **kwargs: Any) -> Any:
                self.calls.append((name, resource.plural))
                return method(resource, *args, **kwargs)

            return counted
        return method

    def watch(self, *args: Any, **kwargs: Any) -> Any:
        return self._api.watch(*args, **kwargs)

    async def list(self, *args: Any, **kwargs: Any) -> Any:
        return await self._api.list(*args, **kwargs)


@dataclass
class World:
    api: KubeApi
    used: Counted
    repository: GitRepository
    manager: Manager
    cluster: EmbeddedCluster

    async def application(self) -> Manifest:
        return await self.api.get(APPLICATIONS, CONTROL, NAME)

    async def status(self) -> Mapping[str, Any]:
        return (await self.application()).get("status") or {}

    async def get(self, resource: Resource, name: str, namespace: str | None = SPACE) -> Manifest | None:
        try:
            return await self.api.get(resource, namespace, name)
        except errors.NotFound:
            return None

    async def data(self, name: str = "settings") -> Mapping[str, str] | None:
        found = await self.get(CONFIGMAPS, name)
        return None if found is None else found.get("data") or {}

    async def eventually(self, what: Callable[[], Any], seconds: float = 30.0) -> Any:
        """Return the first true answer of an async question. Fails with the Application's status."""
        limit = asyncio.get_running_loop().time() + seconds
        while True:
            answer = await what()
            if answer:
                return answer
            if asyncio.get_running_loop().time() > limit:
                raise AssertionError(f"not within {seconds} s; the Application says {await self.status()}")
            await asyncio.sleep(0.01)

    async def synced(self, commit: str) -> Mapping[str, Any]:
        async def answer() -> Mapping[str, Any] | None:
            status = await self.status()
            sync = status.get("sync") or {}
            done = (status.get("operationState") or {}).get("phase") == "Succeeded"
            return (
                status if done and sync.get("revision") == commit and sync.get("status") == "Synced" else None
            )

        found: Mapping[str, Any] = await self.eventually(answer)
        return found

    async def condition(self, kind: str) -> str:
        async def answer() -> str:
            conditions = (await self.status()).get("conditions") or ()
            return next((str(c["message"]) for c in conditions if c["type"] == kind), "")

        found: str = await self.eventually(answer)
        return found

    async def apply(self, **spec: Any) -> None:
        """Create the Application, from the folder ``app`` of the repository's main branch."""
        policy = spec.pop("syncPolicy", {"automated": {"prune": True, "selfHeal": True}})
        source = {"repoURL": self.repository.url, "path": "app", "targetRevision": "main"}
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": NAME, "namespace": CONTROL, **spec.pop("metadata", {})},
            "spec": {
                "project": "default",
                "source": {**source, **spec.pop("source", {})},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": SPACE},
                **({"syncPolicy": policy} if policy else {}),
                **spec,
            },
        }
        await self.api.create(APPLICATIONS, CONTROL, body)

    async def abort(self, name: str = "web", message: str = "metric success-rate failed") -> None:
        """Say what the Rollout controller says of a Rollout whose update it has aborted."""
        live = await self.api.get(ROLLOUTS, SPACE, name)
        status = {
            "observedGeneration": str(live["metadata"]["generation"]),
            "abort": True,
            "abortedAt": "2026-01-01T00:00:00Z",
            "stableRS": "aaaa",
            "currentPodHash": "bbbb",
            "phase": "Degraded",
            "message": f"RolloutAborted: {message}",
        }
        await self.api.patch(ROLLOUTS, SPACE, name, {"status": status}, subresource="status")


@cache
def definitions() -> list[Manifest]:
    return [yaml.load(path.read_text(), Loader=yaml.CSafeLoader) for path in sorted(CRDS.glob("*.yaml"))]


def project(**spec: Any) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "default", "namespace": CONTROL},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            **spec,
        },
    }


def peer() -> Manifest:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": PEER}, "spec": spec}


@asynccontextmanager
async def running(
    tmp_path: Path, rival: bool = False, protocol: str = "file", **rules: Any
) -> AsyncIterator[World]:
    """Run the controller; ``rules`` are fields of the AppProject. ``rival``: Argo CD's own runs too."""
    cluster = EmbeddedCluster(SystemClock(), Dice())
    cluster.install_crds(copy.deepcopy(definitions()))
    api = cluster.api("test")
    for name in (CONTROL, SPACE):
        await api.create(
            NAMESPACES, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        )
    await api.create(APP_PROJECTS, CONTROL, project(**rules))
    if rival:
        await api.create(DEPLOYMENTS, CONTROL, peer())
    used = Counted(cluster.api("controller"))
    manager = Manager(used, SystemClock(), Dice(), Settings(), new_registry(), AlwaysLeader())
    settings = ApplicationSettings(cache=tmp_path / "cache", poll_seconds=0.05, protocols=(protocol,))
    controller.add(manager, settings)
    stop = asyncio.Event()
    task = asyncio.ensure_future(manager.run(stop))
    try:
        yield World(api, used, GitRepository(tmp_path / "repository"), manager, cluster)
    finally:
        stop.set()
        await task
        await cluster.close()
