"""A real Prometheus answers what other tests ask of it: samples with history, and what it scrapes."""

import time
import urllib.error
from pathlib import Path

import pytest

from tests.cluster.prometheus import PrometheusServer, PrometheusTools, Target

pytestmark = pytest.mark.lane("prometheus")


def test_samples_written_before_the_start_are_answered_at_once(
    prometheus_tools: PrometheusTools, folder: Path
) -> None:
    now = int(time.time())
    lines = (f'jobs_total{{queue="a"}} {number} {now - 600 + number}' for number in range(600))
    server = PrometheusServer(prometheus_tools, folder)
    server.backfill("# TYPE jobs counter\n" + "\n".join(lines) + "\n")
    server.start()
    try:
        answer = server.query("rate(jobs_total[5m])", time=float(now - 60))
        assert answer["resultType"] == "vector"
        assert float(answer["result"][0]["value"][1]) == pytest.approx(1.0, abs=0.01)
        with pytest.raises(urllib.error.HTTPError, match="400"):
            server.query("rate(jobs_total)")
    finally:
        server.stop()


def test_a_listed_target_is_scraped_with_its_labels(prometheus_tools: PrometheusTools, folder: Path) -> None:
    server = PrometheusServer(prometheus_tools, folder)
    server.start()
    try:
        server.set_targets([Target(server.url.removeprefix("http://"), {"role": "itself"})])
        assert server.wait_for_samples('up{role="itself"} == 1')
    finally:
        server.stop()
