"""Wavefront's chart API as it is documented."""

from typing import Any

import pytest

from analysis.conditions.values import FloatVector
from analysis.providers.errors import BackendError, ConfigurationError, NoData
from analysis.providers.http import GuardedHttp
from analysis.providers.protocol import Reading
from analysis.providers.wavefront import WavefrontProvider
from tests.unit.analysis.providers.backend import NOW, Asked, question
from tests.unit.analysis.providers.vendors import TOKEN, ask, profiles, saying

T = int(NOW.timestamp())


def series(*lists: Any, **more: Any) -> dict[str, Any]:
    return {"query": "ts(errors)", "timeseries": [{"label": "l", "data": data} for data in lists], **more}


async def measured(document: Any) -> tuple[Reading, Asked]:
    reading, asked = await ask("wavefront", saying(document))
    assert isinstance(reading, Reading)
    return reading, asked[0]


async def test_one_series_is_the_point_closest_to_now() -> None:
    reading, asked = await measured(series([[T - 60, 1.0], [T - 2, 0.5], [T + 30, 9.0]]))
    assert (reading.result, reading.text) == (0.5, "0.5")
    assert reading.metadata == {"timestamps": str(T - 2), "drift": "-2"}
    assert asked.path == "/api/v2/chart/api"
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.query == {
        "q": "ts(errors)",
        "s": str(T * 1000),
        "e": str(T * 1000),
        "g": "s",
        "p": "1",
        "i": "true",
    }


async def test_more_series_are_a_list_in_their_order() -> None:
    reading, _ = await measured(series([[T, 1.0]], [[T - 5, 2.0]], warnings="slow query"))
    assert reading.result == FloatVector((1.0, 2.0))
    assert reading.metadata == {
        "timestamps": f"[{T},{T - 5}]",
        "drift": "[0,-5]",
        "warnings": "slow query",
    }


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (series(), "has no time series"),
        ({}, "has no time series"),
        (series([]), "time series without points"),
    ],
)
async def test_no_series_is_no_data(document: Any, message: str) -> None:
    with pytest.raises(NoData, match=f"no data: wavefront .*{message}"):
        await measured(document)


async def test_an_error_of_the_query_is_told() -> None:
    with pytest.raises(BackendError, match="wavefront: QuerySyntaxError: unexpected token"):
        await measured({"errorType": "QuerySyntaxError", "errorMessage": "unexpected token"})


async def test_an_address_without_a_token_is_named() -> None:
    async with GuardedHttp() as http:
        provider = WavefrontProvider(http, profiles("wavefront-api-tokens", None, other=TOKEN))
        with pytest.raises(ConfigurationError, match=r"wavefront-api-tokens' must hold acme\.wavefront\.com"):
            await provider.measure(question(wavefront={"address": "acme.wavefront.com", "query": "q"}))
