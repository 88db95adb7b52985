"""The table that all benchmarks add to, the ground they run on, and how much of each is run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.benchmarks.grounds import Ground, new_ground
from tests.benchmarks.table import Table


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Tell whether the full size is wanted, on the real API server when it is there."""
    return bool(request.config.getoption("whole"))


@pytest.fixture(scope="session")
def table(whole: bool, request: pytest.FixtureRequest) -> Iterator[Table]:
    """Return the table; a whole run without a failure writes it."""
    table = Table()
    yield table
    if whole and not request.session.testsfailed and len(table.rows) >= COMPLETE:
        table.write()


COMPLETE = 23
"""Rows of a complete table: a part of the benchmarks alone does not overwrite it."""


@pytest.fixture(scope="module")
def ground(whole: bool, table: Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Return an API server of the module's own."""
    ground = new_ground(tmp_path_factory.mktemp("ground"), real=whole)
    table.grounds.append(ground.title)
    yield ground
    ground.stop()
