"""The judge counts on a real Prometheus as it does on the counters themselves: births, resets, verdicts."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from analysis.counts.vectors import Vectors
from analysis.providers.authentication import Credentials
from analysis.providers.canary.backend import Backend
from analysis.providers.canary.config import CanaryConfig
from analysis.providers.canary.replay import STATE_KEY, replay
from analysis.providers.canary.session import Session
from analysis.providers.http import GuardedHttp
from tests.cluster.prometheus import PrometheusServer, PrometheusTools
from tests.unit.analysis.providers.backend import NOW
from tests.unit.analysis.providers.canary.fleet import (
    CANARY,
    STABLE,
    START,
    FakeBackend,
    Pod,
    configured,
    play,
    pods,
    spec_of,
)

pytestmark = pytest.mark.lane("prometheus")

SCRAPE = 5
LENGTH = 700
SHIFT = START - (int(time.time()) - 3_600)
"""The fleet's time is in the future; the store holds it an hour ago."""


def fleet() -> list[Pod]:
    old, new = pods(STABLE, 20), pods(CANARY, 2, rate=2.6, born=START + 7, bad=lambda _: 0.01)
    old[3] = replace(old[3], restarts=(START + 31,))
    new[1] = replace(new[1], restarts=(START + 47,))
    return old + new


def samples(members: list[Pod]) -> str:
    """Return OpenMetrics text; each pod is scraped at its own phase, and its first error is born at one."""
    lines = []
    for number, pod in enumerate(members):
        for code in ("200", "503"):
            for second in range(-1_900 + number % SCRAPE, LENGTH, SCRAPE):
                moment = START + second
                found = pod.totals(moment)
                if found is None or (code == "503" and not found[1]):
                    continue
                value = found[1] if code == "503" else found[0] - found[1]
                lines.append(f'shop_total{{code="{code}",pod="{pod.name}"}} {value} {moment - SHIFT:.0f}')
    return "# TYPE shop counter\n" + "\n".join(lines) + "\n"


class RealBackend(FakeBackend):
    """Asks the server, an hour ago."""

    address = ""

    async def read(self, config: CanaryConfig, boundaries: Sequence[float]) -> tuple[Vectors, ...]:
        async with GuardedHttp() as http:
            backend = Backend(http, Credentials(http, lambda: NOW))
            there = config.model_copy(update={"address": self.address})
            answers = await backend.read(there, [moment - SHIFT for moment in boundaries])
        return tuple(Vectors(tuple(boundaries), answer.vectors) for answer in answers)


@pytest.fixture(scope="module")
def server(
    prometheus_tools: PrometheusTools, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusServer]:
    server = PrometheusServer(prometheus_tools, tmp_path_factory.mktemp("prometheus"))
    server.backfill(samples(fleet()))
    server.start()
    yield server
    server.stop()


QUERY = "shop_total{{{selector}}}"


@pytest.mark.parametrize(
    "errors",
    [
        {"total": QUERY, "badLabels": {"code": "5.."}},
        {"total": QUERY, "bad": 'shop_total{code=~"5..",{{selector}}}'},
        {
            "total": "sum by (pod, code) (shop_total{{{selector}}})",
            "badLabels": {"code": "5.."},
        },
    ],
    ids=["labels", "two-queries", "aggregated"],
)
def test_a_bad_version_is_found_with_the_counts_that_happened(
    errors: dict[str, object], server: PrometheusServer
) -> None:
    real = RealBackend([])
    real.address = server.url
    spec = spec_of(configured(errors=errors, duration="10m"))
    found = play(real, spec, seconds=600)
    assert found.status.phase == "Failed"
    session = Session.load(found.result.metadata[STATE_KEY])
    assert session.terms.profile.value == "fast"
    assert session.look_back == 120
    assert session.jumps == 0
    assert session.position > START + 47, "both restarts are behind it"
    happened = sum(pod.ever(session.position) for pod in fleet()[20:])
    swallowed = 2.6 * (15 + SCRAPE)
    assert happened - swallowed - 2 * 2.6 * SCRAPE <= session.trial.totals.canary <= happened
    assert replay(found.result.metadata).same


def test_what_was_asked_twice_was_answered_alike(server: PrometheusServer) -> None:
    """Boundaries are read again as the next start: a settled moment has one answer."""
    real = RealBackend([])
    real.address = server.url
    played = play(
        real, spec_of(configured(errors={"total": QUERY, "badLabels": {"code": "none"}})), seconds=600
    )
    session = Session.load(played.result.metadata[STATE_KEY])
    assert (played.status.phase, session.trial.totals.canary_bad) == ("Running", (0.0,))
    assert session.trial.judged + session.trial.void == 40
