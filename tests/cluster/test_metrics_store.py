"""The embedded metrics store answers as a real Prometheus does: the same queries on the same samples."""

from __future__ import annotations

import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rollouts.embedded.metrics.answers import answer_query, answer_query_range
from rollouts.embedded.metrics.promql.context import Dialect, Options
from rollouts.embedded.metrics.samples import Labels, SampleStore, make_labels
from tests.cluster.prometheus import PrometheusServer, PrometheusTools

pytestmark = pytest.mark.lane("prometheus")

STEP, COUNT = 15, 80
EDGES = ("0.05", "0.1", "0.25", "1", "+Inf")
Data = dict[Labels, list[tuple[int, float]]]


def samples(start: int) -> Data:
    """Two pods' counters (one restarts), a gauge with a gap, and a latency histogram."""
    data: Data = {}

    def add(name: str, labels: Mapping[str, str], at: int, value: float) -> None:
        data.setdefault(make_labels({"__name__": name, **labels}), []).append((at * 1000, value))

    for number in range(COUNT):
        at = start + number * STEP
        for pod, rate in (("a", 7), ("b", 11)):
            total = (number - 40 if pod == "b" and number >= 40 else number) * rate
            add("requests_total", {"pod": pod, "code": "200"}, at, total)
            add("requests_total", {"pod": pod, "code": "500"}, at, total // 10)
            for index, edge in enumerate(EDGES):
                add("latency_seconds_bucket", {"pod": pod, "le": edge}, at, total * (index + 1) // len(EDGES))
        if not 30 <= number < 34:
            add("temperature", {"pod": "a"}, at, 20 + math.sin(number / 5))
    return data


QUERIES = (
    "requests_total",
    'requests_total{code=~"5.."}',
    'requests_total{pod!="a"} offset 2m',
    "sum(rate(requests_total[2m]))",
    'sum by (pod) (rate(requests_total{code="500"}[5m])) / sum by (pod) (rate(requests_total[5m]))',
    "increase(requests_total[10m])",
    "irate(requests_total[1m])",
    "delta(temperature[5m])",
    "resets(requests_total[20m])",
    "max without (code) (requests_total)",
    "avg(requests_total)",
    "count(requests_total) by (code)",
    "topk(1, requests_total)",
    "quantile(0.5, requests_total)",
    "histogram_quantile(0.99, sum by (le) (rate(latency_seconds_bucket[5m])))",
    "histogram_quantile(0.5, rate(latency_seconds_bucket[5m]))",
    "avg_over_time(temperature[5m])",
    "max_over_time(temperature[2m])",
    "count_over_time(temperature[10m])",
    "clamp_max(temperature, 20.5)",
    "absent(nothing)",
    "absent(temperature)",
    "vector(1) + 2 * 3",
    "scalar(sum(requests_total)) > bool 3",
    "requests_total > 100",
    "requests_total and on (pod) temperature",
    "requests_total unless on (pod) temperature",
    'requests_total{code="200"} or temperature',
    'requests_total{code="500"} / ignoring (code) requests_total{code="200"}',
    "rate(requests_total[7s])",
    "sum(requests_total) / 0",
)


class Pair:
    """A real server and the store, with the same samples."""

    def __init__(self, server: PrometheusServer, data: Data, end: int) -> None:
        self.server, self.end = server, end
        with urllib.request.urlopen(f"{server.url}/api/v1/status/buildinfo") as answer:
            major = int(json.load(answer)["data"]["version"].partition(".")[0])
        self.options = Options(dialect=Dialect.V2 if major < 3 else Dialect.V3)
        self.store = SampleStore.of(data)


@pytest.fixture(scope="module")
def pair(prometheus_tools: PrometheusTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    start = int(time.time()) // 60 * 60 - 3600
    data = samples(start)
    folder: Path = tmp_path_factory.mktemp("prometheus")
    server = PrometheusServer(prometheus_tools, folder)
    server.backfill("\n".join(exposition(data)) + "\n")
    server.start()
    try:
        yield Pair(server, data, start + (COUNT - 1) * STEP)
    finally:
        server.stop()


def exposition(data: Data) -> Iterator[str]:
    for labels, points in data.items():
        pairs = dict(labels)
        name = pairs.pop("__name__")
        inner = ",".join(f'{key}="{value}"' for key, value in pairs.items())
        for at, value in points:
            yield f"{name}{{{inner}}} {value} {at // 1000}"


def rows(result: Any) -> list[tuple[Any, ...]]:
    """Return a result in a form that compares: series by labels, points with numbers."""
    if result["resultType"] in ("scalar", "string"):
        return [("", (point(result["result"]),))]
    found = []
    for series in result["result"]:
        points = series["values"] if "values" in series else [series["value"]]
        found.append((json.dumps(series["metric"], sort_keys=True), tuple(point(p) for p in points)))
    return sorted(found)


def point(pair: list[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def assert_same(ours: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]]) -> None:
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    for (name, mine), (_, real) in zip(ours, theirs, strict=True):
        assert [at for at, _ in mine] == [at for at, _ in real], name
        for (_, value), (_, wanted) in zip(mine, real, strict=True):
            assert value == pytest.approx(wanted, rel=1e-12, nan_ok=True), name


@pytest.mark.parametrize("query", QUERIES)
def test_a_moment_has_the_same_answer(pair: Pair, query: str) -> None:
    for at in (pair.end, pair.end - 7 * 60 - 3):
        theirs = pair.server.query(query, time=float(at))
        ours = answer_query({"query": query, "time": str(at)}, pair.store, at * 1000, pair.options)
        assert ours.status == 200, ours.body
        assert ours.body["data"]["resultType"] == theirs["resultType"]
        assert_same(rows(ours.body["data"]), rows(theirs))


@pytest.mark.parametrize("query", QUERIES)
def test_a_range_has_the_same_answer(pair: Pair, query: str) -> None:
    start, end = pair.end - 900, pair.end + 400
    theirs = pair.server.query_range(query, start=float(start), end=float(end), step=37.0)
    form = {"query": query, "start": str(start), "end": str(end), "step": "37"}
    ours = answer_query_range(form, pair.store, pair.options)
    assert ours.status == 200, ours.body
    assert_same(rows(ours.body["data"]), rows(theirs))


@pytest.mark.parametrize("query", ["rate(requests_total)", "sum(", "{}"])
def test_what_one_refuses_the_other_refuses(pair: Pair, query: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        pair.server.query(query)
    refused.value.close()
    ours = answer_query({"query": query}, pair.store, pair.end * 1000, pair.options)
    assert (refused.value.code, ours.status) == (400, 400)
