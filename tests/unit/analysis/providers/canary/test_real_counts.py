"""The judge on a real Prometheus: counts are those of the fleet to the last digit; native histograms."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from analysis.counts.vectors import Vectors
from analysis.providers.canary.backend import Backend
from analysis.providers.canary.config import CanaryConfig
from analysis.providers.canary.replay import STATE_KEY
from analysis.providers.canary.session import Session
from analysis.providers.http import GuardedHttp
from tests.cluster.prometheus import PrometheusServer, find_prometheus
from tests.cluster.remote_write import NativeSample, push
from tests.unit.analysis.providers.backend import credentials
from tests.unit.analysis.providers.canary.fleet import (
    CANARY,
    STABLE,
    START,
    FakeBackend,
    Play,
    Pod,
    configured,
    play,
    pods,
    spec_of,
)

pytestmark = pytest.mark.lane("prometheus")

PHASE = 11
"""Seconds by which this run's boundaries are off the minute; scrapes are at its boundaries."""
BEFORE, AFTER = 2_400, 720
MOMENTS = [START + PHASE + offset for offset in range(-BEFORE, AFTER, 15)]


def fleet() -> list[Pod]:
    """Return pods of which one restarts, one canary is born at the start and one two minutes later."""
    old = pods(STABLE, 6)
    old[2].restarts = (START - 900.0, START + 150.0)
    new = pods(CANARY, 2, rate=4.0, born=START + 5, bad=lambda _: 0.03)
    new[1].born = START + 120
    new[0].restarts = (START + 200.0,)
    return old + new


@dataclass
class RealBackend:
    """What ``play`` takes for a backend, over HTTP."""

    now: float = START

    async def read(self, config: CanaryConfig, boundaries: Sequence[float]) -> tuple[Vectors, ...]:
        async with GuardedHttp() as http:
            return await Backend(http, credentials(http)).read(config, boundaries)


def openmetrics(backend: FakeBackend) -> Iterator[str]:
    """Yield the fleet's counters and buckets; OpenMetrics wants a series' samples together."""
    vectors = [(moment, backend._errors(moment), backend._latency(moment)) for moment in MOMENTS]
    for name, index in (("hits", 1), ("seconds", 2)):
        series: dict[Any, list[str]] = {}
        for row in vectors:
            for labels, value in row[index].items():
                series.setdefault(labels, []).append(f"{value} {row[0]}")
        yield f"# TYPE {name} {'counter' if name == 'hits' else 'histogram'}"
        suffix = "total" if name == "hits" else "bucket"
        for labels, values in series.items():
            shown = ",".join(f'{key}="{text}"' for key, text in labels)
            yield from (f"{name}_{suffix}{{{shown}}} {value}" for value in values)


def server_in(folder: Path, **options: Any) -> PrometheusServer:
    tools = find_prometheus()
    assert tools is not None, "no Prometheus; `make lanes` fetches it"
    return PrometheusServer(tools, folder, **options)


@pytest.fixture(scope="module")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = server_in(tmp_path_factory.mktemp("counts"))
    server.backfill("\n".join(openmetrics(FakeBackend(fleet()))) + "\n")
    server.start()
    yield server.url
    server.stop()


def session(played: Play) -> Session:
    return Session.load(played.result.metadata[STATE_KEY])


QUERIES: dict[str, dict[str, Any]] = {
    "errors": {"errors": {"total": "hits_total{{{selector}}}", "badLabels": {"code": "5.."}}},
    "buckets": {"latency": {"buckets": "seconds_bucket{{{selector}}}"}},
}


@pytest.mark.parametrize("name", QUERIES)
def test_births_and_restarts_count_as_they_happened(backfilled: str, name: str) -> None:
    spec = spec_of(configured(address=backfilled, duration="10m", **QUERIES[name]))
    real, fake = play(RealBackend(), spec), play(FakeBackend(fleet()), spec)  # type: ignore[arg-type]
    assert real.status.phase == fake.status.phase
    # A real series has a name, so that the fingerprint of its counters is another one.
    assert replace(session(real), print="") == replace(session(fake), print="")
    assert session(real).look_back == 120
    assert session(real).trial.totals.canary > 100


SCHEMA = 1
LOWEST, HIGHEST = -10, 6


def native(pod: Pod, moment: float, schema: int) -> NativeSample | None:
    """Return the pod's latencies, exponential with a mean of 0.1 s times ``slow``, as a native histogram."""
    found = pod.totals(moment)
    if found is None:
        return None
    buckets, below = {}, 0
    for index in range(LOWEST * 2**schema, HIGHEST * 2**schema + 1):
        cumulative = round(found[0] * (1 - math.exp(-(2 ** (index / 2**schema)) / (0.1 * pod.slow))))
        buckets[index], below = cumulative - below, cumulative
    return NativeSample(moment, schema, buckets)


def histograms(members: list[Pod]) -> Iterator[tuple[dict[str, str], list[NativeSample]]]:
    """Yield series; the buckets of the second stable pod become coarser while the canary is judged."""
    for number, pod in enumerate(members):
        schemas = [0 if number == 1 and moment > START + 250 else SCHEMA for moment in MOMENTS]
        samples = [native(pod, moment, schema) for moment, schema in zip(MOMENTS, schemas, strict=True)]
        yield (
            {"__name__": "seconds", "pod": pod.name},
            [sample for sample in samples if sample is not None],
        )


@pytest.mark.parametrize(("slow", "phase"), [(1.0, "Successful"), (2.0, "Failed")])
def test_native_histograms_are_judged(tmp_path: Path, slow: float, phase: str) -> None:
    members = [*pods(STABLE, 6), *pods(CANARY, 2, rate=4.0, born=START + 5, slow=slow)]
    members[2].restarts = (START + 150.0,)
    server = server_in(tmp_path, receives=True)
    server.start()
    try:
        push(server.url, histograms(members))
        config = configured(
            address=server.url,
            duration="10m",
            latency={"buckets": "seconds{{{selector}}}"},
            slo={"objective": 0.5, "edge": 0.2, "strict": True},
        )
        played = play(RealBackend(), spec_of(config))  # type: ignore[arg-type]
    finally:
        server.stop()
    assert played.status.phase == phase, played.status.message
    assert {0.125, 0.2, 0.25} < set(session(played).terms.edges)
    if phase == "Successful":
        # The interval in which buckets became coarser is left out: 0.2 s is no bound of theirs any more.
        trial = session(played).trial
        assert trial.totals.canary == 2 * 4.0 * 15 * trial.judged
        assert trial.judged + trial.void == 600 // 15 - 1
