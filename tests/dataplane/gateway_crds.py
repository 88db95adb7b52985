"""The newest definitions of the Gateway API: Traefik asks for kinds that older releases do not serve."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.cluster.cache import built_once, cache_root, digest
from tests.cluster.golang import ensure_go, run

MODULE = Path(__file__).resolve().parent / "gateway_module"
_NAME = "sigs.k8s.io/gateway-api"


def find_newest_crds() -> Path | None:
    """Return the folder of the experimental channel when it was fetched before."""
    return _folder() if _folder().is_dir() else None


def ensure_newest_crds() -> Path:
    """Return the folder, copied out of the Go module when needed. Raises BuildFailed."""
    return built_once(_folder(), _copy)


def _folder() -> Path:
    return cache_root() / f"gateway-newest-{digest([MODULE / 'go.mod', MODULE / 'go.sum'])}" / "experimental"


def _copy(target: Path) -> None:
    answer = run(ensure_go(), ["mod", "download", "-json", _NAME], MODULE, what="CRDs of the Gateway API")
    target.mkdir()
    for file in (Path(json.loads(answer)["Dir"]) / "config" / "crd" / "experimental").glob("gateway*.yaml"):
        shutil.copyfile(file, target / file.name)
