"""A real Prometheus with two hours of history: an hour that is well, then a canary that fails."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cluster.prometheus import PrometheusServer, PrometheusTools, find_prometheus

STEP = 15
LENGTH = 2 * 3600
CANARY, STABLE = "6f9c8", "5d4b7"


@dataclass(frozen=True)
class Past:
    """The server, when its history begins and when the canary's errors begin (Unix seconds)."""

    url: str
    server: PrometheusServer
    start: int
    trouble: int

    @property
    def end(self) -> int:
        return self.start + LENGTH


@pytest.fixture(scope="session")
def prometheus_tools() -> PrometheusTools:
    """Return the programs of a real Prometheus."""
    tools = find_prometheus()
    assert tools is not None, "no Prometheus; `make lanes` fetches it"
    return tools


@pytest.fixture(scope="session")
def past(prometheus_tools: PrometheusTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """Return a server with the history in it."""
    start = (int(time.time()) - LENGTH - 60) // 60 * 60
    trouble = start + LENGTH // 2
    server = PrometheusServer(prometheus_tools, tmp_path_factory.mktemp("past"))
    server.backfill("\n".join(samples(start, trouble)) + "\n")
    server.start()
    yield Past(server.url, server, start, trouble)
    server.stop()


def samples(start: int, trouble: int) -> Iterator[str]:
    """Yield requests by version and code, and a histogram; OpenMetrics wants a series' samples together."""
    moments = range(start, start + LENGTH + 1, STEP)
    yield "# TYPE requests counter"
    for version, rps in ((STABLE, 20), (CANARY, 5)):
        for code in ("200", "500"):
            total = 0.0
            for moment in moments:
                failing = version == CANARY and moment > trouble
                share = 0.1 if failing else 0.0005
                total += rps * STEP * (share if code == "500" else 1 - share)
                labels = f'job="shop",pod="shop-{version}-x1",code="{code}"'
                yield f"requests_total{{{labels}}} {total:.4f} {moment}"
    yield "# TYPE seconds histogram"
    for edge, share in (("0.1", 0.5), ("0.3", 0.9), ("1.0", 0.99), ("+Inf", 1.0)):
        for index, moment in enumerate(moments):
            yield f'seconds_bucket{{job="shop",le="{edge}"}} {index * STEP * 25 * share:.4f} {moment}'
