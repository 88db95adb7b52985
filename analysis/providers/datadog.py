"""Datadog: a time series' last point (API v1), or a scalar over a window (API v2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from analysis.conditions.values import FloatVector
from analysis.providers.answers import base_url, complaint, read_json, seconds
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.http import GuardedHttp, HttpRequest
from analysis.providers.profiles import Profiles
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.providers.texts import shown, written
from analysis.spec.providers import DatadogMetric

DEFAULT_SECRET = "datadog"  # noqa: S105 - a Secret's name
DEFAULT_ADDRESS = "https://api.datadoghq.com"
DEFAULT_INTERVAL = "5m"
DEFAULT_TIMEOUT = "10s"
AGGREGATORS = ("avg", "min", "max", "sum", "last", "percentile", "mean", "l2norm", "area")
MOST_GROUPS = 100
"""Groups shown in a measurement's metadata: those with the highest values."""
_SECRET_KEYS = ("api-key", "app-key")


@dataclass(frozen=True, slots=True)
class _Account:
    address: str
    headers: Mapping[str, str]


class DatadogProvider(Immediate):
    """A number, or nil when the window holds no data: then ``default(result, 0)`` gives the default.

    A v2 query with ``by {tag}`` gives one number per group, and the groups' names in the metadata.
    """

    name: ClassVar[str] = "datadog"

    def __init__(self, http: GuardedHttp, profiles: Profiles, variables: Mapping[str, str]) -> None:
        self._http = http
        self._profiles = profiles
        self._variables = variables

    async def measure(self, question: Question) -> Reading:
        """Ask for the window that ends at ``question.now``. Raises ProviderError."""
        datadog = question.metric.provider.datadog
        if datadog is None:
            raise ConfigurationError("provider.datadog is empty")
        end = int(question.now.timestamp())
        window = int(seconds(datadog.interval, DEFAULT_INTERVAL, "provider.datadog.interval"))
        timeout = seconds(datadog.request_timeout, DEFAULT_TIMEOUT, "provider.datadog.requestTimeout")
        check_fields(datadog)
        account = await self._account(datadog, question.run_namespace)
        if datadog.api_version == "v2":
            url, body = f"{account.address}/api/v2/query/scalar", _scalar_request(datadog, end, window)
        else:
            form = {"query": datadog.query, "from": end - window, "to": end}
            url, body = f"{account.address}/api/v1/query?{urlencode(form)}", None
        request = HttpRequest(
            method="POST" if body else "GET",
            url=url,
            headers=account.headers,
            body=body,
            timeout=timeout,
            repeatable=True,
        )
        document = read_json(await self._http.send(request), "datadog")
        return _scalar(document) if datadog.api_version == "v2" else _last_point(document)

    async def _account(self, datadog: DatadogMetric, namespace: str) -> _Account:
        """Look for credentials: the metric's Secret, then the process environment, then the shared Secret."""
        reference = datadog.secret_ref
        found: Mapping[str, str] = {}
        if reference is not None and reference.name:
            place = namespace if reference.namespaced else ""
            found = await self._profiles.find(reference.name, _SECRET_KEYS, place)
        if not _complete(found):
            found = {
                key: self._variables.get(f"DD_{key.upper().replace('-', '_')}", "")
                for key in ("address", *_SECRET_KEYS)
            }
            self._profiles.hide(found["api-key"], found["app-key"])
        if not _complete(found):
            found = await self._profiles.find(DEFAULT_SECRET, _SECRET_KEYS)
        if not _complete(found):
            raise ConfigurationError(
                "datadog: no api-key and app-key found: set provider.datadog.secretRef, or DD_API_KEY and"
                f" DD_APP_KEY, or the Secret '{self._profiles.namespace}/{DEFAULT_SECRET}'"
            )
        address = base_url(found.get("address") or DEFAULT_ADDRESS, "address of the datadog credentials")
        headers = {
            "Content-Type": "application/json",
            "DD-API-KEY": found["api-key"],
            "DD-APPLICATION-KEY": found["app-key"],
        }
        return _Account(address, headers)


def _complete(found: Mapping[str, str]) -> bool:
    return all(found.get(key) for key in _SECRET_KEYS)


def check_fields(datadog: DatadogMetric) -> None:
    """Raise ConfigurationError for fields that do not fit together."""
    version = datadog.api_version or "v1"
    if version not in ("v1", "v2"):
        raise ConfigurationError(f"provider.datadog.apiVersion {version!r} is not v1 or v2")
    if bool(datadog.query) == bool(datadog.queries):
        raise ConfigurationError("provider.datadog needs either query or queries")
    if version == "v1" and (datadog.queries or datadog.formula or datadog.aggregator):
        raise ConfigurationError(
            "provider.datadog: queries, formula and aggregator need apiVersion v2; v1 takes only query"
        )
    if datadog.formula and not datadog.queries:
        raise ConfigurationError("provider.datadog.formula needs queries that it names")
    if datadog.queries and len(datadog.queries) > 1 and not datadog.formula:
        raise ConfigurationError("provider.datadog: more than one query needs a formula")
    if datadog.aggregator and datadog.aggregator not in AGGREGATORS:
        raise ConfigurationError(f"provider.datadog.aggregator is not one of {', '.join(AGGREGATORS)}")


def _scalar_request(datadog: DatadogMetric, end: int, window: int) -> bytes:
    queries = [
        {
            "aggregator": datadog.aggregator or "last",
            "data_source": "metrics",
            "name": name,
            "query": query,
        }
        for name, query in (datadog.queries or {"query": datadog.query}).items()
    ]
    attributes: dict[str, Any] = {"from": (end - window) * 1000, "to": end * 1000, "queries": queries}
    if datadog.formula:
        attributes["formulas"] = [{"formula": datadog.formula}]
    return json.dumps({"data": {"type": "scalar_request", "attributes": attributes}}).encode()


def _last_point(document: Any) -> Reading:
    try:
        if document.get("status") == "error" or document.get("error"):
            raise BackendError(f"datadog: {complaint(document) or 'the query failed'}"[:500])
        series = document.get("series") or []
        points = (series[0].get("pointlist") or []) if series else []
        value = points[-1][1] if points else None
    except (AttributeError, KeyError, IndexError, TypeError):
        raise BackendError("datadog answered a series that cannot be read") from None
    return _number(value)


def _scalar(document: Any) -> Reading:
    try:
        if document.get("errors"):
            raise BackendError(f"datadog: {complaint(document)}"[:500])
        columns = ((document.get("data") or {}).get("attributes") or {}).get("columns") or []
        groups = [column["values"] for column in columns if column.get("type") == "group"]
        numbers = next(
            (column.get("values") or [] for column in columns if column.get("type") != "group"), []
        )
        if groups:
            names = [",".join(part for tags in row for part in tags) for row in zip(*groups, strict=True)]
            return _grouped(names, numbers)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise BackendError("datadog answered columns that cannot be read") from None
    return _number(numbers[0] if numbers else None)


def _number(value: Any) -> Reading:
    if value is None:
        return Reading(None, "", {"note": "no data in the window"})
    if isinstance(value, bool) or not isinstance(value, float):
        raise BackendError("datadog answered a value that is no number")
    return Reading(value, shown(value))


def _grouped(names: list[str], numbers: list[Any]) -> Reading:
    found = [(name, float(number)) for name, number in zip(names, numbers, strict=True) if number is not None]
    values = FloatVector(number for _, number in found)
    highest = sorted(found, key=lambda item: item[1], reverse=True)[:MOST_GROUPS]
    metadata = {"groups": written([{"name": name, "value": number} for name, number in highest])}
    if len(found) > MOST_GROUPS:
        metadata["groups_truncated"] = "true"
    return Reading(values, shown(values), metadata)
