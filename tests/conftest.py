"""What every test shares: the account of lanes, and which tests are too long for every run."""

from __future__ import annotations

import pytest

from tests.lanes.plugin import MARKER, LanePlugin

LONG = {
    "soak": "soak: a long run of races and crashes; `make soak`",
    "study": "study: a long statistical study; `make study`",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--whole``; who has a larger size reads ``request.config.getoption("whole")``."""
    parser.addoption("--whole", action="store_true", help="full size instead of the share that CI runs")


def pytest_configure(config: pytest.Config) -> None:
    """Register the lanes and the markers."""
    for marker in (MARKER, *LONG.values()):
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(LanePlugin(config), "lanes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long tests out unless ``-m`` asks for something."""
    if config.option.markexpr:
        return
    long = [item for item in items if any(item.get_closest_marker(name) for name in LONG)]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
