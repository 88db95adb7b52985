"""Custom resource definitions for the real lane: ours, the peers' published ones, and the Gateway API's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.cache import built_once, cache_root, digest
from tests.cluster.control_plane import RealCluster
from tests.cluster.golang import BuildFailed, ensure_go
from tests.cluster.processes import wait_until
from tests.lanes.registry import REPOSITORY, upstream_data

MODULE = Path(__file__).resolve().parent / "crds_module"
GATEWAY_API = "sigs.k8s.io/gateway-api"
OURS, PEERS = "our-crds", "upstream-crds"
BOTH_CRDS = [OURS, pytest.param(PEERS, marks=pytest.mark.lane("real-cluster", "upstream-data"))]
"""Parameters of what has to work with our CRDs and with the peer's."""
_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def our_crds() -> Path:
    """Return the folder of the generated CRDs."""
    return REPOSITORY / "crds"


def upstream_crds() -> Path:
    """Return the folder with the peer's Rollout CRDs, whether it exists or not."""
    return upstream_data() / "argo-rollouts" / "crds"


def upstream_application_crds() -> Path:
    """Return the folder with the CRDs of Argo CD, whether it exists or not."""
    return upstream_data() / "argo-cd" / "crds"


def gateway_crds(channel: str = "standard") -> Path | None:
    """Return the cached folder of one channel of the Gateway API, None when it was not fetched."""
    folder = _gateway_folder() / channel
    return folder if folder.is_dir() else None


def ensure_gateway_crds() -> Path:
    """Return the cached folder, copied out of the Gateway API's Go module when needed. Raises BuildFailed."""
    return built_once(_gateway_folder(), _copy_gateway_crds)


def install_crds(cluster: RealCluster, *folders: Path) -> list[str]:
    """Apply every CRD of the folders, wait until all are served, and return their names."""
    names = []
    for definition in _definitions(folders):
        name = str(definition["metadata"]["name"])
        cluster.admin.apply(f"{_PATH}/{name}", definition)
        names.append(name)
    for name in names:
        wait_until(lambda name=name: _established(cluster, name), seconds=60, what=f"established CRD {name}")
    return names


def _definitions(folders: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            for document in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
                if document and document.get("kind") == "CustomResourceDefinition":
                    yield document


def _established(cluster: RealCluster, name: str) -> bool:
    status = cluster.admin.get(f"{_PATH}/{name}").get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    return conditions.get("Established") == "True"


def _gateway_folder() -> Path:
    return cache_root() / f"gateway-api-{digest([MODULE / 'go.mod', MODULE / 'go.sum'])}" / "crd"


def _copy_gateway_crds(target: Path) -> None:
    go = ensure_go()
    command = [str(go.binary), "mod", "download", "-json", GATEWAY_API]
    environment = os.environ | go.environment()
    answer = subprocess.run(command, cwd=MODULE, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise BuildFailed(f"the Go module {GATEWAY_API} cannot be fetched: {answer.stderr or answer.stdout}")
    shutil.copytree(
        Path(json.loads(answer.stdout)["Dir"]) / "config" / "crd", target, copy_function=shutil.copy
    )
    # Modules are read-only in Go's cache; a cache of ours must be removable.
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
