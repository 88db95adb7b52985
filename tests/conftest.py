"""What every test shares: the account of lanes."""

from __future__ import annotations

import pytest

from tests.lanes.plugin import MARKER, LanePlugin


def pytest_configure(config: pytest.Config) -> None:
    """Register the lanes and their marker."""
    config.addinivalue_line("markers", MARKER)
    config.pluginmanager.register(LanePlugin(config), "lanes")
