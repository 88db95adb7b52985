"""Which lanes there are, what each proves, what it needs and how to get that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane. ``missing()`` returns what is not there, "" when its tests can run."""

    name: str
    proves: str
    missing: Callable[[], str]
    obtain: str = ""


class UnknownLane(Exception):
    """A test names a lane that the registry does not have."""


def lane_named(name: str) -> Lane:
    """Return the lane. Raises UnknownLane, with the known names."""
    try:
        return LANES[name]
    except KeyError:
        raise UnknownLane(f"no lane {name!r}; known: {', '.join(LANES)}") from None


def lane_of_folder(folder: str, parameters: str) -> str:
    """Return the lane of a test in ``tests/<folder>`` whose parametrised id is ``parameters``."""
    if folder == "contract":
        return "contract-real" if "real" in parameters.split("-") else "contract-embedded"
    return _FOLDERS.get(folder, "unit")


def upstream_data() -> Path:
    """Return the folder of the peers' published manifests, whether it exists or not."""
    named = os.environ.get("ROLLOUTS_UPSTREAM_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data" / "upstream"


def _nothing() -> str:
    return ""


def _no_control_plane() -> str:
    # Imported when asked: the registry must load where the parts of a lane do not.
    from tests.cluster.binaries import built_control_plane  # noqa: PLC0415

    return "" if built_control_plane() else "the real control plane is not built"


def _no_prometheus() -> str:
    from tests.cluster.prometheus import find_prometheus  # noqa: PLC0415

    return "" if find_prometheus() else "no prometheus with promtool on PATH or in the cache"


def _no_alertmanager() -> str:
    from tests.cluster.alertmanager import find_alertmanager  # noqa: PLC0415

    return "" if find_alertmanager() else "no alertmanager on PATH or in the cache"


def _no_data_plane() -> str:
    from tests.dataplane import envoy, gateway_crds, namespace, traefik  # noqa: PLC0415

    if _no_control_plane() or namespace.missing():
        return _no_control_plane() or namespace.missing()
    if traefik.TRAEFIK.find() is None or gateway_crds.find_newest_crds() is None:
        return "no Traefik or no CRDs for it in the cache"
    if envoy.ENVOY.find() is None:
        return "no Envoy in the cache"
    return ""


def _no_upstream_data() -> str:
    return "" if upstream_data().is_dir() else f"no folder {upstream_data()}"


def _no_git() -> str:
    return "" if shutil.which("git") else "no git on PATH"


_ALL = (
    Lane("unit", "decisions, invariants and imports, with plain values", _nothing),
    Lane("simulation", "the unchanged controller on virtual time, with faults", _nothing),
    Lane("contract-embedded", "what the embedded API server promises", _nothing),
    Lane("contract-real", "the same promises on the real API server", _no_control_plane, "make lanes"),
    Lane("upstream-data", "the peers' manifests and CRDs parse and lose nothing", _no_upstream_data,
         "set ROLLOUTS_UPSTREAM_DATA to a folder with the peers' CRDs and examples"),
    Lane("real-cluster", "end to end on the real API server, under the shipped roles",
         _no_control_plane, "make lanes"),
    Lane("prometheus", "queries and verdicts against a real Prometheus", _no_prometheus,
         "make lanes, or apt-get install prometheus"),
    Lane("alertmanager", "alerts of a real Prometheus, sent by a real Alertmanager", _no_alertmanager,
         "make lanes, or apt-get install prometheus-alertmanager"),
    Lane("data-plane", "exact shares at the pods and no lost request, through real Traefik and Envoy",
         _no_data_plane, "make lanes, as root"),
    Lane("gitops", "a real Git repository, synced, healed and pruned", _no_git, "apt-get install git"),
    Lane("demo", "the newcomer's demo, whole", _no_git, "apt-get install git"),
    Lane("benchmarks", "a bounded share of the budgets", _nothing),
)  # fmt: skip

LANES: dict[str, Lane] = {lane.name: lane for lane in _ALL}

_FOLDERS = {
    "simulation": "simulation",
    "cluster": "real-cluster",
    "dataplane": "data-plane",
    "compat": "upstream-data",
    "demo": "demo",
    "gitops": "gitops",
    "benchmarks": "benchmarks",
}
