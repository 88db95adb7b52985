"""InfluxDB's query API and annotated CSV as they are documented."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from analysis.conditions.condition import compile_condition
from analysis.providers.errors import BackendError, ConfigurationError, NoData
from analysis.providers.http import GuardedHttp
from analysis.providers.influxdb import InfluxdbProvider, read_values
from analysis.providers.protocol import Reading
from tests.unit.analysis.providers.backend import NOW, Asked, question
from tests.unit.analysis.providers.vendors import TOKEN, ask, profiles, saying

TWO_TABLES = """\
#datatype,string,long,dateTime:RFC3339,double,string
#group,false,false,false,false,true
#default,mean,,,,
,result,table,_time,_value,host
,,0,2025-12-31T23:55:00Z,15.43,A
,,0,2025-12-31T23:56:00Z,59.25,"B, with a comma"

#datatype,string,long,dateTime:RFC3339,long,string
#group,false,false,false,false,true
#default,mean,,,,
,result,table,_time,_value,host
,,1,2025-12-31T23:55:00Z,7,C
"""


def table(kind: str, *values: str, default: str = "") -> str:
    rows = "".join(f",,0,{value}\r\n" for value in values)
    head = f"#datatype,string,long,{kind}\r\n#group,false,false,false\r\n#default,_result,,{default}\r\n"
    return f"{head},result,table,_value\r\n{rows}\r\n"


async def measured(text: str) -> tuple[Reading, Asked]:
    reading, asked = await ask("influxdb", lambda _: web.Response(text=text, content_type="text/csv"))
    assert isinstance(reading, Reading)
    return reading, asked[0]


async def test_records_of_all_tables_are_one_list() -> None:
    reading, asked = await measured(TWO_TABLES)
    assert (reading.result, reading.text) == ([15.43, 59.25, 7], "[15.43 59.25 7]")
    assert compile_condition("result[0] < 20 && len(result) == 3").evaluate(reading.result, NOW)
    assert (asked.method, asked.path, asked.query) == ("POST", "/api/v2/query", {"org": "acme"})
    assert asked.headers["Authorization"] == f"Token {TOKEN}"
    body = json.loads(asked.body)
    assert (body["type"], body["query"]) == ("flux", 'from(bucket: "b") |> range(start: -5m)')
    assert body["dialect"] == {"header": True, "annotations": ["datatype", "group", "default"]}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (table("double", "1e-3", "NaN"), [0.001, "NaN"]),
        (table("unsignedLong", "5"), [5]),
        (table("boolean", "true", "false"), [True, False]),
        (table("string", "a b", ""), ["a b", ""]),
        (table("double", "", default="4"), [4.0]),
        (table("double", ""), [None]),
        (table("dateTime:RFC3339", "2026-01-01T00:00:00Z"), [datetime(2026, 1, 1, tzinfo=UTC)]),
        (table("duration", "5m"), ["5m"]),
        (",result,table,_field\r\n,,0,x\r\n", [None]),
    ],
    ids=["double", "unsigned", "bool", "string", "default", "null", "time", "duration", "no-value-column"],
)
def test_values_have_the_type_that_the_annotation_says(text: str, values: list[Any]) -> None:
    assert [str(v) if v != v else v for v in read_values(text)] == [
        "nan" if v == "NaN" else v for v in values
    ]


@pytest.mark.parametrize("text", ["", "\r\n", table("double")], ids=["empty", "blank", "header-only"])
async def test_no_record_is_no_data(text: str) -> None:
    with pytest.raises(NoData, match="no data: influxdb has no records"):
        await measured(text)


async def test_an_error_after_the_headers_is_an_error() -> None:
    text = (
        table("double", "1") + "#datatype,string,long\n,error,reference\n,query terminated: out of memory,\n"
    )
    with pytest.raises(BackendError, match="influxdb: query terminated: out of memory"):
        await measured(text)


async def test_a_compile_error_is_told() -> None:
    with pytest.raises(BackendError, match="influxdb answered 400: compilation failed: loc 1:1"):
        await ask("influxdb", saying({"code": "invalid", "message": "compilation failed: loc 1:1"}, 400))


async def test_a_number_that_is_none_is_an_error() -> None:
    with pytest.raises(BackendError, match="CSV that cannot be read"):
        await measured(table("double", "many"))


async def test_a_profile_without_org_is_named() -> None:
    async with GuardedHttp() as http:
        provider = InfluxdbProvider(http, profiles("prod", None, address="https://i", authToken=TOKEN))
        with pytest.raises(ConfigurationError, match=r"Secret 'rollouts-system/prod' .* has no org"):
            await provider.measure(question(influxdb={"query": "q", "profile": "prod"}))
