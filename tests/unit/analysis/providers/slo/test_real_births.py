"""On a real Prometheus: the first errors of a new pod count, and a restart does not count twice."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.slo.indicator import Measured, read_indicator
from analysis.slo.model import Indicator, RatioIndicator
from tests.cluster.prometheus import PrometheusServer, find_prometheus

pytestmark = pytest.mark.lane("prometheus")

STEP = 15
CANARY = 'version="new"'


def samples(end: int) -> Iterator[str]:
    """Yield three minutes of two new pods: 10 requests a second each, the second restarts half way."""
    moments = range(end - 180, end + 1, STEP)
    yield "# TYPE hits counter"
    for index, moment in enumerate(moments):
        yield f'hits_total{{version="new",pod="a",code="200"}} {index * STEP * 10} {moment}'
    for index, moment in enumerate(moments):
        value = index if index < 6 else index - 6
        yield f'hits_total{{version="new",pod="b",code="200"}} {value * STEP * 10} {moment}'
    # Thirty errors before the first scrape of the series, none after.
    for moment in (m for m in moments if m > end - 120):
        yield f'hits_total{{version="new",pod="a",code="500"}} 30 {moment}'
    for moment in range(end - 1_800, end + 1, STEP):
        yield f'hits_total{{version="old",pod="c",code="500"}} 1000 {moment}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PrometheusServer, int]]:
    tools = find_prometheus()
    assert tools is not None, "no Prometheus; `make lanes` fetches it"
    end = int(time.time()) - 60
    folder: Path = tmp_path_factory.mktemp("births")
    found = PrometheusServer(tools, folder)
    found.backfill("\n".join(samples(end)) + "\n")
    found.start()
    yield found, end
    found.stop()


@pytest.fixture
def measured() -> Measured:
    ratio = RatioIndicator(total="hits_total", bad='hits_total{code="500"}')
    return read_indicator(Indicator(ratio=ratio))


def value(server: tuple[PrometheusServer, int], query: str, ago: int = 0) -> float:
    (series,) = server[0].query(query, time=server[1] - ago)["result"]
    return float(series["value"][1])


@pytest.mark.parametrize("window", ["5m", "30m"])
def test_errors_before_the_first_sample_are_counted_where_increase_misses_them(
    server: tuple[PrometheusServer, int], measured: Measured, window: str
) -> None:
    counted = measured.counted(window, CANARY)
    assert counted is not None
    assert value(server, measured.bad_rate(window, CANARY)) == 0
    assert value(server, counted[1]) == 30


def test_requests_of_series_that_are_older_than_the_window_are_its_increase(
    server: tuple[PrometheusServer, int], measured: Measured
) -> None:
    counted = measured.counted("1m", CANARY)
    assert counted is not None
    # Two pods of 10 a second; the errors are older than a minute.
    assert value(server, counted[0]) == pytest.approx(1_200, rel=0.01)
    assert value(server, counted[1]) == 0


def test_no_series_of_the_version_gives_nothing(
    server: tuple[PrometheusServer, int], measured: Measured
) -> None:
    counted = measured.counted("5m", 'version="none"')
    assert counted is not None
    assert server[0].query(counted[0], time=server[1])["result"] == []
    assert server[0].query(counted[1], time=server[1])["result"] == []
