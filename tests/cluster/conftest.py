"""Fixtures of the real lane: the run's one cluster, a namespace for each test, a Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.binaries import built_control_plane
from tests.cluster.contenders import kubelet
from tests.cluster.control_plane import (
    ControlPlane,
    RealCluster,
    missing_reason,
    shared_cluster,
    stop_shared_cluster,
)
from tests.cluster.crds import (
    BOTH_CRDS,
    OURS,
    PEERS,
    gateway_crds,
    install_crds,
    our_crds,
    upstream_application_crds,
    upstream_crds,
)
from tests.cluster.git_sync import GitSync
from tests.cluster.harness import ControllerProcess, Machinery
from tests.cluster.prometheus import PrometheusTools, find_prometheus


@pytest.fixture(scope="session")
def bare_cluster() -> Iterator[RealCluster]:
    """Return the run's real cluster as it starts, without any CRD of ours promised."""
    cluster = shared_cluster()
    assert cluster is not None, missing_reason()
    yield cluster
    stop_shared_cluster()


@pytest.fixture(scope="session")
def cluster(bare_cluster: RealCluster) -> RealCluster:
    """Return the run's real cluster with our CRDs and the Gateway API's."""
    gateway = gateway_crds()
    assert gateway is not None, "the CRDs of the Gateway API are not there; `make lanes` fetches them"
    install_crds(bare_cluster, our_crds(), gateway)
    return bare_cluster


@pytest.fixture
def namespace(cluster: RealCluster) -> Iterator[str]:
    """Return a namespace of the test's own; it is deleted afterwards, which nobody waits for."""
    name = cluster.new_namespace("e2e")
    yield name
    cluster.delete_namespace(name)


@pytest.fixture(scope="session")
def prometheus_tools() -> PrometheusTools:
    """Return the programs of a real Prometheus."""
    tools = find_prometheus()
    assert tools is not None, "no Prometheus; `make lanes` fetches it"
    return tools


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder for a server's files, made."""
    return tmp_path


@pytest.fixture(scope="session")
def leaderless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    """Return a cluster of its own with a kubelet and our CRDs: tests bring the controllers that contend."""
    with _leaderless(tmp_path_factory.mktemp("leaderless"), our_crds()) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def foreign_leaderless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster | None]:
    """Return such a cluster with the peer's CRDs, as where the peer was installed; None without them."""
    if not upstream_crds().is_dir():
        yield None
        return
    with _leaderless(tmp_path_factory.mktemp("foreign"), upstream_crds()) as cluster:
        yield cluster


@contextmanager
def _leaderless(folder: Path, crds: Path) -> Iterator[RealCluster]:
    binary, gateway = built_control_plane(), gateway_crds()
    assert binary is not None, missing_reason()
    assert gateway is not None, "the CRDs of the Gateway API are not there; `make lanes` fetches them"
    with ExitStack() as stack:
        plane = ControlPlane(binary, folder)
        stack.callback(plane.stop)
        cluster = plane.start()
        install_crds(cluster, crds, gateway)
        stack.callback(kubelet(cluster).stop)
        yield cluster


@pytest.fixture(scope="session")
def leaderless_by_crds(
    leaderless: RealCluster, foreign_leaderless: RealCluster | None
) -> Mapping[str, RealCluster]:
    """Return both clusters by an element of ``BOTH_CRDS``, for what must work with either."""
    foreign = {} if foreign_leaderless is None else {PEERS: foreign_leaderless}
    return {OURS: leaderless, **foreign}


@dataclass(frozen=True)
class World:
    """A cluster of its own with machinery and a running controller."""

    machinery: Machinery
    controller: ControllerProcess


@pytest.fixture(scope="package", params=BOTH_CRDS)
def world(
    request: pytest.FixtureRequest,
    prometheus_tools: PrometheusTools,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """Return a world with our CRDs, then one with the peer's, for what must work with both.

    Nobody else uses its control plane: a kubelet at work would come between the tests that have none.
    """
    binary, gateway = built_control_plane(), gateway_crds()
    assert binary is not None, missing_reason()
    assert gateway is not None, "the CRDs of the Gateway API are not there; `make lanes` fetches them"
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        plane = ControlPlane(binary, folder)
        stack.callback(plane.stop)
        cluster = plane.start()
        peers = (upstream_crds(), upstream_application_crds())
        install_crds(cluster, *((our_crds(),) if request.param == OURS else peers), gateway)
        machinery = Machinery(cluster, prometheus_tools, folder)
        stack.callback(machinery.stop)
        machinery.start()
        controller = ControllerProcess(cluster, folder).start()
        stack.callback(controller.stop)
        yield World(machinery, controller)
        assert controller.stop() == 0, controller.process.tail()


@pytest.fixture(scope="package")
def sync(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitSync]:
    """Run Git sync; it ends with an error when a call of it or of the delivery was refused."""
    audit = world.machinery.cluster.audit
    mark = audit.mark()
    sync = GitSync(world.machinery, tmp_path_factory.mktemp("git-sync"))
    try:
        yield sync.start()
        for user in (sync.controller.user, world.controller.user):
            audit.assert_nothing_forbidden(user, since=mark)
    finally:
        sync.stop()
