"""One data plane for all tests of the folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.binaries import built_control_plane
from tests.dataplane.gateway_crds import find_newest_crds
from tests.dataplane.namespace import network_namespace
from tests.dataplane.traefik import TRAEFIK
from tests.dataplane.world import DataPlane


@pytest.fixture(scope="package")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataPlane]:
    """Return the running data plane, in a namespace of its own; until its end this thread is in there."""
    binary, traefik, crds = built_control_plane(), TRAEFIK.find(), find_newest_crds()
    assert binary is not None
    assert traefik is not None
    assert crds is not None
    with network_namespace():
        running = DataPlane(binary, traefik, crds, tmp_path_factory.mktemp("plane")).start()
        yield running
        running.stop()
