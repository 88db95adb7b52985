"""An embedded cluster that answers HTTP in a thread of its own, so that commands meet it as any other."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

import pytest
import yaml
from click.testing import CliRunner, Result

from rollouts.cli.main import cli
from rollouts.clock import SystemClock, SystemRandomness
from rollouts.embedded.cluster import EmbeddedCluster
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, Resource

T = TypeVar("T")
CRDS = Path(__file__).parents[2] / "crds"
PATIENCE = 30.0


class Shell:
    """The command line on a cluster; objects are put in place, no controller runs."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "kubeconfig"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.cluster = EmbeddedCluster(SystemClock(), SystemRandomness())
        self._api = self.cluster.api()

    def start(self, *, crds: bool = True) -> None:
        """Serve, with the product's CRDs and the namespace shop."""
        if crds:
            self._loop.call_soon_threadsafe(self.cluster.install_crds, crd_manifests())
        self.wait(self.cluster.serve())
        self.config.write_text(yaml.safe_dump(self.cluster.kubeconfig()))
        self.wait(self._api.create(objects.NAMESPACES, None, {"metadata": {"name": "shop"}}))

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the cluster's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def put(self, resource: Resource, name: str, **parts: Any) -> Manifest:
        """Create an object, its status too."""
        status = parts.pop("status", None)
        metadata = {"name": name, **parts.pop("metadata", {})}
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **parts}
        made = self.wait(self._api.create(resource, "shop", body))
        return self.status(resource, name, **status) if status else made

    def status(self, resource: Resource, name: str, **status: Any) -> Manifest:
        """Write a status, as a controller would."""
        plain = (objects.ANALYSIS_RUNS, objects.EXPERIMENTS)
        sub = "" if resource in plain else "status"
        return self.wait(self._api.patch(resource, "shop", name, {"status": status}, subresource=sub))

    def change(self, resource: Resource, name: str, patch: Manifest) -> Manifest:
        """Change an object by a merge patch."""
        return self.wait(self._api.patch(resource, "shop", name, patch))

    def get(self, resource: Resource, name: str) -> Manifest:
        """Read an object."""
        return self.wait(self._api.get(resource, "shop", name))

    def delete(self, resource: Resource, name: str) -> None:
        """Delete an object."""
        self.wait(self._api.delete(resource, "shop", name))

    def run(self, *args: str, namespace: str = "shop") -> Result:
        """Run a command to its end."""
        where = ["--kubeconfig", str(self.config), "-n", namespace]
        return CliRunner().invoke(cli, [*where, *args])

    def begin(self, *args: str) -> subprocess.Popen[str]:
        """Start a command in a process of its own, its output in a pipe."""
        return begin(["--kubeconfig", str(self.config), "-n", "shop", *args])

    def break_watches(self) -> None:
        """End every open watch, as a server that restarts does."""
        self._loop.call_soon_threadsafe(self.cluster.end_watches)

    def close(self) -> None:
        """Stop serving."""
        self.wait(self.cluster.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


@cache
def crd_manifests() -> list[Manifest]:
    """Return the product's CRDs."""
    return [yaml.load(path.read_text(), Loader=yaml.CSafeLoader) for path in sorted(CRDS.glob("*.yaml"))]


def begin(args: Sequence[str]) -> subprocess.Popen[str]:
    """Start the command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "rollouts", *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def line_of(stream: IO[str] | None) -> str:
    """Return the next line of a pipe."""
    assert stream is not None
    return stream.readline().rstrip("\n")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Shell]:
    """Return a cluster that knows nothing of Rollouts."""
    made = Shell(tmp_path)
    try:
        made.start(crds=False)
        yield made
    finally:
        made.close()


TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:v2"}]},
}
STEPS = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]


def paused_canary(shell: Shell, name: str = "web") -> None:
    """Put a canary in place that stands at its pause, as a controller would leave it."""
    spec = {
        "replicas": 4, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE,
        "strategy": {"canary": {"steps": STEPS}},
    }  # fmt: skip
    made = shell.put(objects.ROLLOUTS, name, spec=spec, metadata={"annotations": {REVISION: "2"}})
    for revision, image, pod_hash, count in ((1, "web:v1", "aaa", 3), (2, "web:v2", "bbb", 1)):
        _version(shell, made, revision, image, pod_hash, count)
    shell.status(
        objects.ROLLOUTS, name,
        observedGeneration="1", phase="Paused", message="CanaryPauseStep", currentPodHash="bbb",
        stableRS="aaa", currentStepIndex=1, controllerPause=True, replicas=4, updatedReplicas=1,
        readyReplicas=4,
        availableReplicas=4,
        pauseConditions=[{"reason": "CanaryPauseStep", "startTime": "2026-01-01T12:00:00Z"}],
    )  # fmt: skip


REVISION = "rollout.argoproj.io/revision"


def _version(shell: Shell, owner: Manifest, revision: int, image: str, pod_hash: str, count: int) -> None:
    labels = {"app": "web", "rollouts-pod-template-hash": pod_hash}
    pod = {"containers": [{"name": "web", "image": image}]}
    shell.put(
        objects.REPLICASETS, f"{objects.name_of(owner)}-{pod_hash}",
        metadata={
            "labels": labels, "annotations": {REVISION: str(revision)},
            "ownerReferences": [objects.owner_reference(owner, objects.ROLLOUTS)],
        },
        spec={
            "replicas": count, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
        status={
            "replicas": count, "readyReplicas": count, "availableReplicas": count, "observedGeneration": 1
        },
    )  # fmt: skip
