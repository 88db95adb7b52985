"""Datadog as its API documents it: v1 time series, v2 scalars, and where the credentials come from."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from analysis.conditions.condition import compile_condition
from analysis.conditions.values import FloatVector
from analysis.providers.datadog import MOST_GROUPS, DatadogProvider
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.hidden import Hidden
from analysis.providers.http import GuardedHttp
from analysis.providers.profiles import Profiles
from analysis.providers.protocol import Reading
from tests.unit.analysis.providers.backend import NOW, Asked, never, question, serving
from tests.unit.analysis.providers.vendors import OWN, TOKEN, ask, saying, secrets

V2 = {"apiVersion": "v2"}


def series(*points: float | None) -> dict[str, Any]:
    return {
        "status": "ok",
        "series": [{"pointlist": [[1000.0 * i, value] for i, value in enumerate(points)]}],
    }


def scalar(*columns: Mapping[str, Any]) -> dict[str, Any]:
    return {"data": {"type": "scalar_response", "attributes": {"columns": list(columns)}}}


def number(*values: float | None) -> dict[str, Any]:
    return {"name": "query", "type": "number", "values": list(values)}


async def measured(document: Any, **fields: Any) -> tuple[Reading, Asked]:
    reading, asked = await ask("datadog", saying(document), **fields)
    assert isinstance(reading, Reading)
    return reading, asked[0]


async def test_v1_takes_the_last_point_of_the_window() -> None:
    reading, asked = await measured(series(0.5, 0.25), interval="10m")
    assert (reading.result, reading.text) == (0.25, "0.25")
    assert (asked.method, asked.path) == ("GET", "/api/v1/query")
    now = int(NOW.timestamp())
    assert asked.query == {"query": "avg:errors{*}", "from": str(now - 600), "to": str(now)}
    assert asked.headers["DD-API-KEY"] == TOKEN
    assert asked.headers["DD-APPLICATION-KEY"] == TOKEN + "-app"


async def test_v2_asks_for_a_scalar_with_the_last_point_by_default() -> None:
    reading, asked = await measured(scalar(number(7.0)), **V2)
    assert (reading.result, reading.text) == (7.0, "7")
    assert (asked.method, asked.path) == ("POST", "/api/v2/query/scalar")
    end = int(NOW.timestamp()) * 1000
    assert json.loads(asked.body) == {
        "data": {
            "type": "scalar_request",
            "attributes": {
                "from": end - 300_000,
                "to": end,
                "queries": [
                    {
                        "aggregator": "last",
                        "data_source": "metrics",
                        "name": "query",
                        "query": "avg:errors{*}",
                    }
                ],
            },
        }
    }


async def test_v2_queries_are_put_together_by_the_formula() -> None:
    queries = {"a": "sum:errors{*}.as_count()", "b": "sum:requests{*}.as_count()"}
    _, asked = await measured(
        scalar(number(1.0)), **V2, query="", queries=queries, formula="a / b", aggregator="sum"
    )
    attributes = json.loads(asked.body)["data"]["attributes"]
    assert attributes["formulas"] == [{"formula": "a / b"}]
    assert {q["name"]: (q["query"], q["aggregator"]) for q in attributes["queries"]} == {
        name: (query, "sum") for name, query in queries.items()
    }


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({"status": "ok", "series": []}, {}),
        ({"status": "ok", "series": [{"pointlist": []}]}, {}),
        (series(1.0, None), {}),
        (scalar(), V2),
        (scalar(number()), V2),
        (scalar(number(None)), V2),
        ({"data": {"attributes": {}}}, V2),
    ],
    ids=["no-series", "no-points", "gap", "v2-no-column", "v2-no-value", "v2-gap", "v2-empty"],
)
async def test_no_data_is_nil_so_that_default_works(document: Any, fields: Any) -> None:
    reading, _ = await measured(document, **fields)
    assert reading.result is None
    assert compile_condition("default(result, 0) < 0.05").evaluate(reading.result, NOW)


async def test_a_grouped_query_gives_a_list_and_its_groups() -> None:
    groups = {"name": "env", "type": "group", "values": [["prod", "GET /a"], ["dev", "GET /b"], ["qa", "x"]]}
    reading, _ = await measured(scalar(groups, number(0.5, 0.75, None)), **V2)
    assert reading.result == FloatVector((0.5, 0.75))
    assert compile_condition("max(result) < 0.8").evaluate(reading.result, NOW)
    assert json.loads(reading.metadata["groups"]) == [
        {"name": "dev,GET /b", "value": 0.75},
        {"name": "prod,GET /a", "value": 0.5},
    ]


async def test_a_single_group_is_a_list_too() -> None:
    reading, _ = await measured(scalar({"type": "group", "values": [["prod"]]}, number(1.0)), **V2)
    assert reading.result == FloatVector((1.0,))


async def test_the_groups_that_are_shown_are_limited_and_the_result_is_not() -> None:
    many = MOST_GROUPS + 5
    groups = {"type": "group", "values": [[str(i)] for i in range(many)]}
    reading, _ = await measured(scalar(groups, number(*(float(i) for i in range(many)))), **V2)
    assert len(reading.result) == many
    shown = json.loads(reading.metadata["groups"])
    assert (len(shown), shown[0]["value"]) == (MOST_GROUPS, many - 1)
    assert reading.metadata["groups_truncated"] == "true"


@pytest.mark.parametrize(
    ("document", "fields", "message"),
    [
        ({"status": "error", "error": "Error parsing query"}, {}, "datadog: Error parsing query"),
        ({"errors": [{"detail": "bad formula"}]}, V2, "datadog: bad formula"),
        (scalar({"type": "number", "values": ["x"]}), V2, "a value that is no number"),
    ],
)
async def test_an_error_in_a_good_answer_is_an_error(document: Any, fields: Any, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        await measured(document, **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"apiVersion": "v3"}, "apiVersion 'v3' is not v1 or v2"),
        ({"queries": {"a": "q"}, **V2}, "either query or queries"),
        ({"query": ""}, "either query or queries"),
        ({"formula": "a"}, "need apiVersion v2"),
        ({"aggregator": "sum"}, "need apiVersion v2"),
        ({"formula": "a", **V2}, "formula needs queries"),
        ({"query": "", "queries": {"a": "q", "b": "q"}, **V2}, "more than one query needs a formula"),
        ({"aggregator": "most", **V2}, "aggregator is not one of avg, min"),
        ({"interval": "5 minutes"}, "provider.datadog.interval: '5 minutes' is not a duration"),
        ({"requestTimeout": "0s"}, "provider.datadog.requestTimeout must be longer than zero"),
    ],
)
async def test_fields_that_do_not_fit_together_are_named(fields: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await measured(series(1.0), **fields)


async def used_key(
    found: Mapping[tuple[str, str], Mapping[str, str]],
    variables: Mapping[str, str],
    hidden: Hidden,
    **fields: Any,
) -> str:
    """Return the API key that a measurement in namespace "shop" uses."""
    async with serving(lambda _: web.json_response(series(1.0))) as backend, GuardedHttp() as http:
        placed = {place: {"address": backend.url, **values} for place, values in found.items()}
        environment = {"DD_ADDRESS": backend.url, **variables}
        provider = DatadogProvider(http, Profiles(secrets(placed), OWN, hidden), environment)
        asked = question(datadog={"query": "q", **fields})
        await provider.measure(replace(asked, run_namespace="shop"))
        return backend.asked[0].headers["DD-API-KEY"]


def account(key: str) -> dict[str, str]:
    return {"api-key": key, "app-key": key + "-app"}


ENVIRONMENT = {"DD_API_KEY": "from-environment", "DD_APP_KEY": "from-environment-app"}
EVERYWHERE = {
    ("shop", "mine"): account("from-tenant"),
    (OWN, "mine"): account("from-operator"),
    (OWN, "datadog"): account("from-default"),
}


@pytest.mark.parametrize(
    ("reference", "found", "variables", "key"),
    [
        ({"name": "mine", "namespaced": True}, EVERYWHERE, ENVIRONMENT, "from-tenant"),
        ({"name": "mine"}, EVERYWHERE, ENVIRONMENT, "from-operator"),
        ({"name": "gone", "namespaced": True}, EVERYWHERE, ENVIRONMENT, "from-environment"),
        (None, EVERYWHERE, ENVIRONMENT, "from-environment"),
        (None, EVERYWHERE, {}, "from-default"),
        (None, EVERYWHERE, {"DD_API_KEY": "half-of-it"}, "from-default"),
    ],
    ids=["namespaced", "operators", "not-found", "environment", "default", "half-an-environment"],
)
async def test_credentials_are_looked_for_in_the_documented_order(
    reference: Any, found: Any, variables: Any, key: str
) -> None:
    hidden = Hidden()
    assert await used_key(found, variables, hidden, secretRef=reference) == key
    assert {key, key + "-app"} <= set(hidden.values())


async def test_without_any_credentials_the_places_are_named() -> None:
    with pytest.raises(ConfigurationError, match=f"DD_APP_KEY, or the Secret '{OWN}/datadog'"):
        await used_key({}, {}, Hidden())


async def test_the_request_timeout_of_the_metric_holds() -> None:
    with pytest.raises(BackendError, match=r"no answer within 0\.03 s"):
        await ask("datadog", never, requestTimeout="30ms")
