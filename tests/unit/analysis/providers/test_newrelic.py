"""New Relic's NerdGraph as it is documented."""

import json
from typing import Any

import pytest
from aiohttp import web

from analysis.conditions.condition import compile_condition
from analysis.providers.errors import BackendError, ConfigurationError, NoData
from analysis.providers.http import GuardedHttp, HttpAnswer, HttpRequest
from analysis.providers.newrelic import NewRelicProvider
from analysis.providers.protocol import Reading
from tests.unit.analysis.providers.backend import NOW, Asked, question
from tests.unit.analysis.providers.vendors import TOKEN, ask, profiles, saying


def rows(*found: Any) -> dict[str, Any]:
    return {"data": {"actor": {"account": {"nrql": {"results": list(found)}}}}}


async def measured(document: Any, **fields: Any) -> tuple[Reading, Asked]:
    reading, asked = await ask("newRelic", saying(document), **fields)
    assert isinstance(reading, Reading)
    return reading, asked[0]


async def test_one_row_is_a_map() -> None:
    reading, asked = await measured(rows({"average.duration": 0.25, "count": 3}))
    assert compile_condition("result['average.duration'] < 0.5 && result.count == 3").evaluate(
        reading.result, NOW
    )
    assert reading.text == '{"average.duration":0.25,"count":3}'
    assert (asked.method, asked.path, asked.headers["API-Key"]) == ("POST", "/graphql", TOKEN)
    body = json.loads(asked.body)
    assert body["variables"] == {"account": 42, "nrql": "SELECT count(*) FROM Transaction", "timeout": 5}


async def test_the_query_is_a_variable_and_never_part_of_the_document() -> None:
    nrql = 'SELECT count(*) FROM T WHERE a = "x\') { evil"'
    _, asked = await measured(rows({"count": 1}), query=nrql)
    body = json.loads(asked.body)
    assert (nrql in body["query"], body["variables"]["nrql"]) == (False, nrql)


async def test_more_rows_are_a_list() -> None:
    reading, _ = await measured(rows({"count": 1}, {"count": 2}))
    assert compile_condition("result[1].count == 2").evaluate(reading.result, NOW)


@pytest.mark.parametrize("document", [rows(), rows({})], ids=["no-row", "empty-row"])
async def test_no_row_is_no_data(document: Any) -> None:
    with pytest.raises(NoData, match="no data: new relic has no results"):
        await measured(document)


async def test_an_error_of_the_query_is_told() -> None:
    errors = [{"message": "NRQL Syntax Error: unexpected 'FORM'", "extensions": {"errorClass": "INVALID"}}]
    with pytest.raises(BackendError, match="new relic: NRQL Syntax Error: unexpected 'FORM'"):
        await measured({"data": {"actor": None}, "errors": errors})


class Noting(GuardedHttp):
    """A client that notes the address, and answers by itself."""

    url = ""
    timeout = 0.0

    async def send(self, request: HttpRequest) -> HttpAnswer:
        self.url, self.timeout = request.url, request.timeout
        return HttpAnswer(200, "application/json", json.dumps(rows({"count": 1})).encode())


@pytest.mark.parametrize(
    ("account", "url"),
    [
        ({}, "https://api.newrelic.com/graphql"),
        ({"region": "EU"}, "https://api.eu.newrelic.com/graphql"),
        ({"base_url_nerdgraph": "https://proxy.example/graphql"}, "https://proxy.example/graphql"),
    ],
)
async def test_the_region_of_the_profile_chooses_the_address(account: dict[str, str], url: str) -> None:
    async with Noting() as http:
        profile = profiles("team-a", None, personal_api_key=TOKEN, account_id="42", **account)
        asked = question(newRelic={"query": "q", "profile": "team-a", "timeout": 30})
        await NewRelicProvider(http, profile).measure(asked)
        assert (http.url, http.timeout) == (url, 35.0)


@pytest.mark.parametrize(
    ("account", "message"),
    [
        ({}, r"must hold personal-api-key, account-id; it is not there or has no personal-api-key"),
        ({"personal_api_key": TOKEN}, "has no account-id"),
        (
            {"personal_api_key": TOKEN, "account_id": "4x"},
            "account-id in the Secret 'newrelic' is not a whole",
        ),
        ({"personal_api_key": TOKEN, "account_id": "4", "region": "mars"}, "region .* is not one of us, eu"),
    ],
)
async def test_a_profile_that_is_not_complete_is_named(account: dict[str, str], message: str) -> None:
    async with GuardedHttp() as http:
        provider = NewRelicProvider(http, profiles("newrelic", None, **account))
        with pytest.raises(ConfigurationError, match=message):
            await provider.measure(question(newRelic={"query": "q"}))


async def test_a_timeout_below_a_second_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"provider\.newRelic\.timeout must be a positive number"):
        await ask("newRelic", lambda _: web.Response(), timeout=0)
