"""Graphite's render API as it is documented."""

from typing import Any

import pytest

from analysis.conditions.values import FloatVector
from analysis.providers.errors import BackendError, ConfigurationError, NoData
from analysis.providers.protocol import Reading
from tests.unit.analysis.providers.backend import Asked
from tests.unit.analysis.providers.vendors import ask, saying


def series(*points: Any) -> dict[str, Any]:
    return {"target": "app.errors", "datapoints": [[value, 60 * i] for i, value in enumerate(points)]}


async def measured(document: Any, **fields: Any) -> tuple[Reading, Asked]:
    reading, asked = await ask("graphite", saying(document), **fields)
    assert isinstance(reading, Reading)
    return reading, asked[0]


async def test_points_are_a_list_without_gaps() -> None:
    reading, asked = await measured([series(None, 0.5, None, "1", 2)])
    assert (reading.result, reading.text) == (FloatVector((0.5, 1.0, 2.0)), "[0.5,1,2]")
    assert (asked.method, asked.path) == ("GET", "/render")
    assert asked.query == {"target": "app.errors", "from": "-5min", "format": "json"}


async def test_a_target_over_several_lines_is_one_line_and_its_format_is_ours() -> None:
    query = "target=summarize(\n  sumSeries(a.{b,c}.*),\n  '5min', 'avg')&from=-5min&format=png"
    _, asked = await measured([series(1)], query=query)
    assert asked.query["target"] == "summarize( sumSeries(a.{b,c}.*), '5min', 'avg')"
    assert asked.query["format"] == "json"


async def test_gaps_only_are_an_empty_list() -> None:
    reading, _ = await measured([series(None, None)])
    assert (reading.result, reading.text) == (FloatVector(), "[]")


async def test_no_series_is_no_data() -> None:
    with pytest.raises(NoData, match="no data: graphite has no series for the target"):
        await measured([])


async def test_a_second_series_is_not_passed_over_in_silence() -> None:
    reading, _ = await measured([series(1), series(2)])
    assert reading.result == FloatVector((1.0,))
    assert reading.metadata == {"warnings": "1 more series are not measured: only the first is"}


@pytest.mark.parametrize("points", [[["x", 1]], [[]], [5], 5], ids=["text", "empty", "number", "no-list"])
async def test_points_that_cannot_be_read_are_an_error(points: Any) -> None:
    with pytest.raises(BackendError, match="points that cannot be read"):
        await measured([{"target": "t", "datapoints": points}])


async def test_an_error_of_the_server_is_told() -> None:
    with pytest.raises(BackendError, match="graphite answered 400: Invalid target"):
        await ask("graphite", saying({"errors": "Invalid target"}, 400))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"query": "app.errors"}, r"provider\.graphite\.query has no target"),
        ({"address": "graphite:80"}, r"provider\.graphite\.address is not a URL"),
        ({"address": ""}, r"provider\.graphite\.address is empty"),
    ],
)
async def test_a_wrong_configuration_names_its_field(fields: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await measured([series(1)], **fields)
