"""InfluxDB 2: a Flux query, answered as annotated CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from analysis.conditions.values import go_text
from analysis.providers.answers import base_url, check
from analysis.providers.errors import BackendError, ConfigurationError, NoData
from analysis.providers.http import GuardedHttp, HttpRequest
from analysis.providers.profiles import Profiles
from analysis.providers.protocol import Immediate, Question, Reading

DEFAULT_SECRET = "influxdb"  # noqa: S105 - a Secret's name
TIMEOUT_SECONDS = 30.0
_KEYS = ("address", "org", "authToken")
_DIALECT = {"header": True, "annotations": ["datatype", "group", "default"]}


class InfluxdbProvider(Immediate):
    """The list of all records' ``_value``, in the order of the answer; no record is no data.

    ``profile`` names the Secret (default ``influxdb``) in the controller's namespace with ``address``,
    ``org`` and ``authToken``.
    """

    name: ClassVar[str] = "influxdb"

    def __init__(self, http: GuardedHttp, profiles: Profiles) -> None:
        self._http = http
        self._profiles = profiles

    async def measure(self, question: Question) -> Reading:
        """Run the query. Raises ProviderError."""
        influxdb = question.metric.provider.influxdb
        if influxdb is None or not influxdb.query:
            raise ConfigurationError("provider.influxdb.query is empty")
        name = influxdb.profile or DEFAULT_SECRET
        account = await self._profiles.need(name, _KEYS, _KEYS[2:], "provider.influxdb.profile")
        address = base_url(account["address"], f"address in the Secret '{name}'")
        request = HttpRequest(
            method="POST",
            url=f"{address}/api/v2/query?{urlencode({'org': account['org']})}",
            headers={
                "Authorization": f"Token {account['authToken']}",
                "Content-Type": "application/json",
                "Accept": "application/csv",
            },
            body=json.dumps({"query": influxdb.query, "type": "flux", "dialect": _DIALECT}).encode(),
            timeout=TIMEOUT_SECONDS,
            repeatable=True,
        )
        answer = await self._http.send(request)
        check(answer, "influxdb")
        values = read_values(answer.body.decode(errors="replace"))
        if not values:
            raise NoData("influxdb has no records for the Flux query")
        return Reading(values, go_text(values)[:2000])


def read_values(text: str) -> list[Any]:
    """Return every record's ``_value`` of an annotated CSV. Raises BackendError, also for an error table."""
    try:
        return [_value(record) for record in _records(text)]
    except (csv.Error, ValueError, OverflowError):
        raise BackendError("influxdb answered a CSV that cannot be read") from None


def _records(text: str) -> Iterator[tuple[Mapping[str, str], Mapping[str, str]]]:
    """Yield each record with the types of its columns; a missing field has its column's default."""
    types: list[str] = []
    defaults: list[str] = []
    header: list[str] | None = None
    for row in csv.reader(io.StringIO(text)):
        if not any(row):
            header = None
        elif row[0].startswith("#"):
            header = None
            types = row if row[0] == "#datatype" else types
            defaults = row if row[0] == "#default" else defaults
        elif header is None:
            header = row
        else:
            filled = [
                field or (defaults[index] if index < len(defaults) else "") for index, field in enumerate(row)
            ]
            record = dict(zip(header, filled, strict=False))
            if "error" in record and "_value" not in record:
                raise BackendError(f"influxdb: {record['error']}"[:500])
            yield record, dict(zip(header, types, strict=False))


def _value(found: tuple[Mapping[str, str], Mapping[str, str]]) -> Any:
    record, types = found
    text, kind = record.get("_value", ""), types.get("_value", "string")
    if kind == "string":
        return text if "_value" in record else None
    if not text:
        return None
    if kind == "double":
        return float(text)
    if kind in ("long", "unsignedLong"):
        return int(text)
    if kind == "boolean":
        return text == "true"
    return datetime.fromisoformat(text) if kind.startswith("dateTime") else text
