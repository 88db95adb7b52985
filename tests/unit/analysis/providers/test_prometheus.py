"""The Prometheus provider against a real HTTP server that answers as Prometheus documents."""

import base64
import json
import math
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from analysis.conditions.values import FloatVector
from analysis.providers.errors import BackendError, ConfigurationError, ProviderError
from analysis.providers.http import GuardedHttp
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.protocol import Reading
from tests.unit.analysis.providers.backend import Asked, credentials, never, question, serving


def success(kind: str, result: Any, **more: Any) -> web.Response:
    return web.json_response({"status": "success", "data": {"resultType": kind, "result": result}, **more})


def vector(*values: str) -> web.Response:
    return success("vector", [{"metric": {"pod": str(i)}, "value": [1, v]} for i, v in enumerate(values)])


async def ask(respond: Any, default: bool = False, **prometheus: Any) -> tuple[Reading, list[Asked]]:
    async with serving(respond) as backend, GuardedHttp() as http:
        provider = PrometheusProvider(http, credentials(http), backend.url if default else "")
        address = {} if default else {"address": backend.url + "/"}
        reading = await provider.measure(question(prometheus={**address, "query": "up", **prometheus}))
        assert isinstance(reading, Reading)
        return reading, backend.asked


@pytest.mark.parametrize(
    ("answer", "result", "text"),
    [
        (success("scalar", [1, "0.5"]), 0.5, "0.5"),
        (vector("0.5", "1"), FloatVector((0.5, 1.0)), "[0.5,1]"),
        (vector(), FloatVector(), "[]"),
        (
            vector("1e-05", "+Inf", "1e+22"),
            FloatVector((1e-5, math.inf, 1e22)),
            "[0.00001,+Inf,10000000000000000000000]",
        ),
        (
            success("matrix", [{"values": [[1, "1"], [2, "2"]]}, {"values": [[1, "3"]]}]),
            FloatVector((1.0, 2.0, 3.0)),
            "[1,2,3]",
        ),
    ],
    ids=["scalar", "vector", "empty", "extremes", "matrix"],
)
async def test_results_have_upstreams_shape_and_text(answer: web.Response, result: Any, text: str) -> None:
    reading, _ = await ask(lambda _: answer)
    assert reading.result == result
    assert type(reading.result) is type(result)
    assert reading.text == text


async def test_nan_is_a_value() -> None:
    reading, _ = await ask(lambda _: vector("NaN"))
    assert math.isnan(reading.result[0])
    assert reading.text == "[NaN]"


async def test_an_instant_query_is_posted_as_a_form() -> None:
    _, asked = await ask(lambda _: vector("1"), headers=[{"key": "X-Scope-OrgID", "value": "team"}])
    assert (asked[0].method, asked[0].path) == ("POST", "/api/v1/query")
    assert parse_qs(asked[0].body) == {"query": ["up"], "time": ["1767225600.000"]}
    assert asked[0].headers["X-Scope-OrgID"] == "team"


async def test_a_range_query_evaluates_its_bounds() -> None:
    bounds = {"start": 'now() - duration("5m")', "end": "now()", "step": "1m"}
    _, asked = await ask(lambda _: success("matrix", []), rangeQuery=bounds)
    assert asked[0].path == "/api/v1/query_range"
    assert parse_qs(asked[0].body) == {
        "query": ["up"],
        "start": ["1767225300.000"],
        "end": ["1767225600.000"],
        "step": ["60"],
    }


async def test_a_proxy_that_refuses_post_is_asked_with_get() -> None:
    def respond(asked: Asked) -> web.Response:
        return web.Response(status=405) if asked.method == "POST" else vector("1")

    reading, asked = await ask(respond)
    assert reading.text == "[1]"
    assert asked[1].query["query"] == "up"


async def test_the_default_address_serves_metrics_that_name_none() -> None:
    reading, _ = await ask(lambda _: vector("1"), default=True)
    assert reading.text == "[1]"


async def test_warnings_and_result_type_are_kept() -> None:
    reading, _ = await ask(lambda _: success("vector", [], warnings=["a", "b"], infos=["c"]))
    assert reading.metadata == {"resultType": "vector", "warnings": '"a", "b", "c"'}


async def test_basic_authentication_is_sent() -> None:
    _, asked = await ask(
        lambda _: vector("1"), authentication={"basicAuth": {"username": "u", "password": "p:w"}}
    )
    assert asked[0].headers["Authorization"] == "Basic " + base64.b64encode(b"u:p:w").decode()


async def test_an_oauth2_token_is_fetched_once_and_sent() -> None:
    def respond(asked: Asked) -> web.Response:
        if asked.path == "/token":
            return web.json_response({"access_token": "t0k", "expires_in": 3600})
        return vector("1")

    async with serving(respond) as backend, GuardedHttp() as http:
        oauth2 = {
            "tokenUrl": f"{backend.url}/token",
            "clientId": "i",
            "clientSecret": "s",
            "scopes": ["a", "b"],
        }
        provider = PrometheusProvider(http, credentials(http))
        for _ in range(2):
            await provider.measure(
                question(
                    prometheus={"address": backend.url, "query": "up", "authentication": {"oauth2": oauth2}}
                )
            )
        assert [a.path for a in backend.asked] == ["/token", "/api/v1/query", "/api/v1/query"]
        assert parse_qs(backend.asked[0].body) == {"grant_type": ["client_credentials"], "scope": ["a b"]}
        assert backend.asked[2].headers["Authorization"] == "Bearer t0k"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            web.json_response(
                {"status": "error", "errorType": "execution", "error": "too many samples"}, status=422
            ),
            "execution: too many samples",
        ),
        (
            web.Response(text="<html>", status=502),
            "prometheus answered 502 with something that is not its JSON",
        ),
        (success("string", [1, "x"]), "Prometheus metric type not supported"),
        (success("vector", [{"metric": {}, "histogram": [1, {}]}]), "native histograms"),
        (success("vector", [{"value": "nonsense"}]), "cannot be read"),
        (success("matrix", 5), "cannot be read"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_a_backend_error(answer: web.Response, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        await ask(lambda _: answer)


async def test_a_query_that_does_not_parse_is_told_by_its_field() -> None:
    refused = {"status": "error", "errorType": "bad_data", "error": "1:4: parse error: unexpected end"}
    with pytest.raises(ConfigurationError) as caught:
        await ask(lambda _: web.json_response(refused, status=400))
    assert str(caught.value) == (
        "provider.prometheus.query: bad_data: 1:4: parse error: unexpected end; correct it"
    )


@pytest.mark.parametrize(
    ("prometheus", "message"),
    [
        ({"query": ""}, "provider.prometheus.query is empty"),
        ({"address": ""}, "prometheus address is not configured"),
        ({"address": "prometheus:9090"}, "is not a URL"),
        ({"timeout": -1}, "timeout should not be negative"),
        ({"rangeQuery": {"start": "5", "end": "now()", "step": "1m"}}, "rangeQuery.start: expected a time"),
        ({"rangeQuery": {"start": "now(", "end": "now()", "step": "1m"}}, "rangeQuery.start: expected"),
        ({"rangeQuery": {"start": "now()", "end": "now()", "step": "x"}}, "rangeQuery.step"),
        ({"authentication": {"sigv4": {"region": "eu"}}}, "sigv4 needs AWS credentials"),
        ({"headers": [{"key": "A", "value": "x\r\nB: y"}]}, "line break"),
    ],
)
async def test_a_wrong_configuration_names_its_field(prometheus: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message.replace("(", r"\(")):
        await ask(lambda _: vector("1"), **prometheus)


async def test_a_backend_that_is_down_is_told_apart_from_one_that_is_slow() -> None:
    async with GuardedHttp() as http:
        provider = PrometheusProvider(http, credentials(http))
        with pytest.raises(BackendError, match=r"POST http://127\.0\.0\.1:1/api/v1/query: Cannot connect"):
            await provider.measure(question(prometheus={"address": "http://127.0.0.1:1", "query": "up"}))


async def test_a_slow_backend_ends_by_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.providers.prometheus._timeout", lambda _: 0.05)
    with pytest.raises(BackendError, match=r"no answer within 0\.05 s"):
        await ask(never)


async def test_errors_never_show_user_password_or_query() -> None:
    async with GuardedHttp() as http:
        provider = PrometheusProvider(http, credentials(http))
        address = "http://user:hunter2@127.0.0.1:1/?token=hunter2"
        with pytest.raises(ProviderError) as caught:
            await provider.measure(question(prometheus={"address": address, "query": "up"}))
        assert "hunter2" not in str(caught.value)


def test_the_metric_shows_its_query() -> None:
    provider = PrometheusProvider(None, None)  # type: ignore[arg-type]
    asked = question(prometheus={"query": "sum(x)"})
    assert json.dumps(provider.metadata(asked.metric)) == '{"ResolvedPrometheusQuery": "sum(x)"}'
