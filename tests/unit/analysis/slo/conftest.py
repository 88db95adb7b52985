"""The real promtool and Prometheus, for tests of the prometheus lane."""

import pytest

from tests.cluster.prometheus import PrometheusTools, find_prometheus


@pytest.fixture(scope="session")
def prometheus_tools() -> PrometheusTools:
    """Return the programs of a real Prometheus."""
    tools = find_prometheus()
    assert tools is not None, "no Prometheus; `make lanes` fetches it"
    return tools
