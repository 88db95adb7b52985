"""SkyWalking's GraphQL as it is documented."""

import json
from typing import Any

import pytest

from analysis.conditions.condition import compile_condition
from analysis.providers.errors import BackendError, ConfigurationError, NoData
from analysis.providers.protocol import Reading
from tests.unit.analysis.providers.backend import NOW, Asked
from tests.unit.analysis.providers.vendors import ask, saying


async def measured(document: Any, **fields: Any) -> tuple[Reading, Asked]:
    reading, asked = await ask("skywalking", saying(document), **fields)
    assert isinstance(reading, Reading)
    return reading, asked[0]


async def test_the_data_are_measured_as_they_are() -> None:
    data = {"service_apdex": {"values": {"values": [{"value": 9900}, {"value": 9950}]}}}
    reading, asked = await measured({"data": data})
    condition = "all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"
    assert compile_condition(condition).evaluate(reading.result, NOW)
    assert reading.text == '{"service_apdex":{"values":{"values":[{"value":9900},{"value":9950}]}}}'
    assert (asked.method, asked.path) == ("POST", "/graphql")
    assert json.loads(asked.body)["variables"] == {
        "duration": {"start": "2025-12-31 2355", "end": "2026-01-01 0000", "step": "MINUTE"}
    }


async def test_the_interval_is_the_window() -> None:
    _, asked = await measured({"data": {"x": 1}}, interval="2h")
    assert json.loads(asked.body)["variables"]["duration"]["start"] == "2025-12-31 2200"


@pytest.mark.parametrize("document", [{"data": None}, {}, {"data": {}}])
async def test_no_data_are_no_data(document: Any) -> None:
    with pytest.raises(NoData, match="no data: skywalking answered the query without data"):
        await measured(document)


async def test_errors_of_the_query_are_told() -> None:
    with pytest.raises(BackendError, match="skywalking: Validation error; unknown field"):
        await measured(
            {"data": None, "errors": [{"message": "Validation error"}, {"message": "unknown field"}]}
        )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"interval": "soon"}, r"provider\.skywalking\.interval"),
        ({"address": "oap:12800"}, r"provider\.skywalking\.address is not a URL"),
    ],
)
async def test_a_wrong_configuration_names_its_field(fields: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await measured({"data": {"x": 1}}, **fields)
