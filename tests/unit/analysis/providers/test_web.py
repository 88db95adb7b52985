"""The web provider against a real HTTP server."""

from typing import Any

import pytest
from aiohttp import web

from analysis.providers.errors import BackendError, ConfigurationError, EgressRefused
from analysis.providers.http import GuardedHttp, HttpAnswer, HttpRequest
from analysis.providers.protocol import Reading
from analysis.providers.web import WebProvider, written
from tests.unit.analysis.providers.backend import Asked, credentials, question, serving


async def ask(respond: Any, **fields: Any) -> tuple[Reading, list[Asked]]:
    async with serving(respond) as backend, GuardedHttp() as http:
        provider = WebProvider(http, credentials(http))
        return await provider.measure(
            question(web={"url": f"{backend.url}/data?a=1", **fields})
        ), backend.asked


def body(document: Any) -> Any:
    return lambda _: web.json_response(document)


async def test_the_first_hit_of_the_path_is_measured() -> None:
    reading, asked = await ask(body({"data": {"ok": True, "rate": 0.5}}), jsonPath="{$.data.rate}")
    assert (reading.result, reading.text) == (0.5, "0.5")
    assert (asked[0].method, asked[0].path, asked[0].query) == ("GET", "/data", {"a": "1"})


async def test_without_a_path_the_whole_answer_is_measured() -> None:
    reading, _ = await ask(body({"b": 1, "a": [2.5]}))
    assert reading.result == {"b": 1.0, "a": [2.5]}
    assert type(reading.result["b"]) is float
    assert reading.text == '{"a":[2.5],"b":1}'


async def test_an_answer_that_is_no_json_is_a_string() -> None:
    reading, _ = await ask(lambda _: web.Response(text="all good"))
    assert (reading.result, reading.text) == ("all good", "all good")


async def test_a_json_body_is_posted_with_its_content_type() -> None:
    _, asked = await ask(
        body(1), method="POST", jsonBody={"k": ["v"]}, headers=[{"key": "Authorization", "value": "Bearer t"}]
    )
    assert (asked[0].method, asked[0].body) == ("POST", '{"k":["v"]}')
    assert asked[0].headers["Content-Type"] == "application/json"
    assert asked[0].headers["Authorization"] == "Bearer t"


async def test_a_text_body_is_put_as_it_is() -> None:
    _, asked = await ask(body(1), method="PUT", body="plain")
    assert (asked[0].method, asked[0].body) == ("PUT", "plain")


@pytest.mark.parametrize("status", [199 + 101, 304, 404, 500])
async def test_anything_but_2xx_is_an_error(status: int) -> None:
    with pytest.raises(BackendError, match=f"received non 2xx response code: {status}"):
        await ask(lambda _: web.Response(status=status))


async def test_no_hit_is_reported_as_missing_data() -> None:
    with pytest.raises(BackendError, match="no data: jsonPath"):
        await ask(body({}), jsonPath="{$.data.rate}")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": "DELETE"}, "is not one of GET, POST, PUT"),
        ({"method": "POST", "body": "x", "jsonBody": {}}, "either body or jsonBody"),
        ({"body": "x"}, "need the method POST or PUT"),
        ({"jsonPath": "$.x"}, "must stand in braces"),
        ({"jsonPath": "{$.x[}"}, "unexpected"),
        ({"url": "file:///etc/passwd"}, "is not an http"),
        ({"url": "gopher://x"}, "is not an http"),
    ],
)
async def test_a_wrong_configuration_names_its_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await ask(body({"x": 1}), **fields)


async def test_a_redirect_on_the_same_host_is_followed() -> None:
    def respond(asked: Asked) -> web.Response:
        if asked.path == "/data":
            return web.Response(status=302, headers={"Location": "/moved"})
        return web.json_response(7)

    reading, asked = await ask(respond)
    assert (reading.result, asked[1].path) == (7.0, "/moved")


async def test_a_redirect_to_another_host_is_refused() -> None:
    elsewhere = "http://localhost:1/latest/meta-data"
    with pytest.raises(EgressRefused, match="redirects to another host"):
        await ask(lambda _: web.Response(status=302, headers={"Location": elsewhere}))


async def test_an_answer_that_is_too_large_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.providers.http.LARGEST_ANSWER", 1000)
    with pytest.raises(BackendError, match="larger than 1000 bytes"):
        await ask(lambda _: web.Response(text="x" * 5000))


def test_values_are_written_as_go_writes_json() -> None:
    assert written({"b": [1.0, 0.5, None, True], "a": "ü"}) == '{"a":"ü","b":[1,0.5,null,true]}'


@pytest.mark.parametrize(("seconds", "limit"), [(3, 3.0), (0, 10.0), (None, 10.0)])
async def test_a_request_gets_the_timeout_of_the_metric(seconds: int | None, limit: float) -> None:
    """The request is not made: what it would be made with is looked at."""
    given: list[float] = []

    class Noting(GuardedHttp):
        async def send(self, request: HttpRequest) -> HttpAnswer:
            given.append(request.timeout)
            raise BackendError(f"no answer within {request.timeout:g} s")

    async with Noting() as http:
        provider = WebProvider(http, credentials(http))
        with pytest.raises(BackendError, match="no answer within"):
            await provider.measure(question(web={"url": "http://metrics", "timeoutSeconds": seconds}))
    assert given == [limit]
