"""The judge's queries over real HTTP."""

import json
from typing import Any

import pytest
from aiohttp import web

from analysis.counts.errors import CountsError
from analysis.providers.authentication import Credentials
from analysis.providers.canary.backend import Backend
from analysis.providers.canary.config import NAME, read_config
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.http import GuardedHttp
from analysis.spec.objects import Metric
from tests.unit.analysis.providers.backend import NOW, Asked, serving
from tests.unit.analysis.providers.canary.fleet import configured

MOMENTS = (15.0, 30.0, 45.0)


def matrix(*series: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}}


async def read(answer: Any, status: int = 200, **fields: Any) -> tuple[Any, list[Asked]]:
    def respond(_: Asked) -> web.Response:
        return web.Response(status=status, text=answer if isinstance(answer, str) else json.dumps(answer))

    async with serving(respond) as server, GuardedHttp() as http:
        backend = Backend(http, Credentials(http, lambda: NOW))
        plugin = {NAME: configured(**{"address": server.url, **fields})}
        config = read_config(Metric.model_validate({"name": "m", "provider": {"plugin": plugin}}))
        return await backend.read(config, MOMENTS), server.asked


async def test_one_range_query_gives_the_vectors_at_all_boundaries() -> None:
    series = {"metric": {"pod": "a"}, "values": [[15, "1"], [30, "2"]]}
    (vectors,), asked = await read(matrix(series))
    assert [vectors.at(t) for t in MOMENTS] == [{(("pod", "a"),): 1.0}, {(("pod", "a"),): 2.0}, {}]
    assert (asked[0].method, asked[0].path) == ("POST", "/api/v1/query_range")
    assert "start=15.000&end=45.000&step=15" in asked[0].body
    assert "http_requests_total%7Bpod%3D~" in asked[0].body


async def test_two_queries_are_two_requests() -> None:
    answers, asked = await read(
        matrix(), errors={"total": "a", "bad": "b"}, headers=[{"key": "X", "value": "y"}]
    )
    assert (len(answers), len(asked), asked[0].headers["X"]) == (2, 2, "y")


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        ("<html>", 502, "answered 502 with something that is not its JSON"),
        ({"status": "error", "errorType": "bad_data", "error": "parse error"}, 400, "bad_data: parse error"),
        (
            {**matrix(), "warnings": ["store 3 is away"]},
            200,
            "incomplete, prometheus warned: store 3 is away",
        ),
        ({"status": "success", "data": {"resultType": "scalar"}}, 200, "with a matrix"),
    ],
    ids=["proxy", "bad-query", "half-an-answer", "no-matrix"],
)
async def test_what_is_no_whole_answer_is_an_error(answer: Any, status: int, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        await read(answer, status)


async def test_too_many_series_are_refused() -> None:
    series = [{"metric": {"pod": str(i)}, "values": []} for i in range(3)]
    with pytest.raises(CountsError, match="3 series, more than 2"):
        await read(matrix(*series), seriesCap=2)


async def test_a_missing_address_is_named() -> None:
    with pytest.raises(ConfigurationError, match="ARGO_ROLLOUTS_PROMETHEUS_ADDRESS"):
        await read(matrix(), address="")


async def test_native_histograms_are_read_at_edges_where_latency_is_judged() -> None:
    shown = {"count": "5", "sum": "1", "buckets": [[0, "0.125", "0.25", "3"], [0, "0.5", "1", "2"]]}
    series = {"metric": {"pod": "a"}, "histograms": [[15, shown]]}
    latency = {"errors": None, "latency": {"buckets": "seconds{{{selector}}}"}}
    (vectors,), _ = await read(matrix(series), **latency)
    assert vectors.at(15.0)[(("le", "0.5"), ("pod", "a"))] == 3.0
    with pytest.raises(CountsError, match="native histograms where counters are wanted"):
        await read(matrix(series))
