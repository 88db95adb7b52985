"""The control plane binary: where it is cached, whether it is there, and how it is built from Go modules."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cluster.cache import built_once, cache_root, digest
from tests.cluster.golang import BuildFailed, Go, build, ensure_go, find_go

MODULE = Path(__file__).resolve().parent / "controlplane"
SOURCES = (MODULE / "main.go", MODULE / "keys.go", MODULE / "go.mod", MODULE / "go.sum")
_STAMP = "k8s.io/component-base/version"


def kubernetes_version() -> str:
    """Return the version of Kubernetes that go.mod pins, like ``v1.35.4``."""
    match = re.search(r"^\s*k8s\.io/kubernetes (v\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise BuildFailed(f"{MODULE / 'go.mod'} requires no k8s.io/kubernetes")
    return match[1]


def built_control_plane() -> Path | None:
    """Return the binary for this checkout's sources when any Go built it before; builds nothing."""
    folders = sorted(cache_root().glob(f"controlplane-{digest(SOURCES)}-*/controlplane"))
    return folders[0] if folders else None


def ensure_control_plane() -> Path:
    """Return the binary, building it when needed (about four minutes on two cores). Raises BuildFailed."""
    found = built_control_plane()
    if found is not None:
        return found
    go = find_go() or ensure_go()
    target = cache_root() / f"controlplane-{digest(SOURCES)}-{go.version}" / "controlplane"
    return built_once(target, lambda output: _build(go, output))


def _build(go: Go, output: Path) -> None:
    version = kubernetes_version()
    major, minor = version.lstrip("v").split(".")[:2]
    stamps = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "1970-01-01T00:00:00Z",
    }
    # Without them /version is malformed and kubectl refuses to talk to the server.
    flags = " ".join(["-s -w", *(f"-X {_STAMP}.{name}={value}" for name, value in stamps.items())])
    build(go, MODULE, ".", output, ldflags=flags, what=f"real control plane {version}")
