"""The two fixtures of the suite: ``cluster`` (any implementation) and ``wire`` (those that answer HTTP)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract import implementations
from tests.contract.implementations import IN_PROCESS, ON_THE_WIRE, Subject, Wire


@pytest.fixture(params=IN_PROCESS)
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """Return an API server with an admin ``KubeApi`` and a namespace of the test's own."""
    if request.param == "embedded":
        async with implementations.embedded() as subject:
            yield subject
    else:
        async with _on_the_wire(request.param, tmp_path) as subject:
            yield subject


@pytest.fixture(params=ON_THE_WIRE)
async def wire(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Wire]:
    """Return an API server that is reached over HTTP and by kubectl too."""
    async with _on_the_wire(request.param, tmp_path) as subject:
        yield subject


def _on_the_wire(name: str, folder: Path):
    return implementations.real(folder) if name == "real" else implementations.embedded_http(folder)
