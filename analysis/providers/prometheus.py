"""Prometheus, and whatever speaks its HTTP API: instant and range queries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

from analysis.conditions.condition import compile_expression
from analysis.conditions.errors import ConditionError
from analysis.conditions.values import FloatVector, type_name
from analysis.providers.authentication import Credentials, plain_headers
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.http import GuardedHttp, HttpAnswer, HttpRequest
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.providers.texts import shown
from analysis.spec.duration import parse_duration
from analysis.spec.objects import Metric
from analysis.spec.providers import DEFAULT_PROMETHEUS_TIMEOUT_SECONDS, PrometheusMetric, RangeQuery

ADDRESS_VARIABLE = "ARGO_ROLLOUTS_PROMETHEUS_ADDRESS"
"""Environment variable with the address for metrics that name none."""
SIGNED_SERVICE = "aps"
"""Amazon Managed Service for Prometheus, as signatures name it."""
QUERY_KEY = "ResolvedPrometheusQuery"
"""Key of a metric's metadata that shows its query with the arguments in."""


class PrometheusProvider(Immediate):
    """Asks ``/api/v1/query`` or ``/api/v1/query_range``.

    A scalar becomes a float; a vector and a matrix become a FloatVector in the server's order, without
    labels, a matrix series after series.
    """

    name: ClassVar[str] = "prometheus"

    def __init__(self, http: GuardedHttp, credentials: Credentials, default_address: str = "") -> None:
        self._http = http
        self._credentials = credentials
        self._default_address = default_address

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Return the resolved query."""
        prometheus = metric.provider.prometheus
        return {QUERY_KEY: prometheus.query} if prometheus is not None and prometheus.query else {}

    async def measure(self, question: Question) -> Reading:
        """Run the query at ``question.now``. Raises ProviderError."""
        prometheus = question.metric.provider.prometheus
        if prometheus is None or not prometheus.query:
            raise ConfigurationError("provider.prometheus.query is empty")
        url, form = self._request(prometheus, question.now)
        answer = await self._send(prometheus, url, form)
        return read_answer(answer)

    def _request(self, prometheus: PrometheusMetric, now: datetime) -> tuple[str, dict[str, str]]:
        address = (prometheus.address or self._default_address).rstrip("/")
        if not address:
            raise ConfigurationError(
                f"prometheus address is not configured: set provider.prometheus.address or {ADDRESS_VARIABLE}"
            )
        if not urlsplit(address).scheme or not urlsplit(address).netloc:
            raise ConfigurationError(
                "provider.prometheus.address is not a URL such as http://prometheus:9090"
            )
        if prometheus.range_query is None:
            return f"{address}/api/v1/query", {"query": prometheus.query, "time": _seconds(now)}
        return f"{address}/api/v1/query_range", {
            "query": prometheus.query,
            **_bounds(prometheus.range_query, now),
        }

    async def _send(self, prometheus: PrometheusMetric, url: str, form: Mapping[str, str]) -> HttpAnswer:
        timeout = _timeout(prometheus.timeout)
        headers = plain_headers(prometheus.headers)

        async def send(method: str, target: str, body: bytes | None, extra: Mapping[str, str]) -> HttpAnswer:
            request = HttpRequest(
                method=method,
                url=target,
                headers={**headers, **extra},
                body=body,
                timeout=timeout,
                insecure=prometheus.insecure,
                repeatable=True,
            )
            proven = await self._credentials.proven(
                request, prometheus.authentication, sign_as=SIGNED_SERVICE
            )
            try:
                return await self._http.send(proven)
            except BackendError as error:
                raise BackendError(
                    f"provider.prometheus.address: {error}; is Prometheus up and can it be reached?"
                ) from None

        encoded = urlencode(form, quote_via=quote)
        answer = await send(
            "POST", url, encoded.encode(), {"Content-Type": "application/x-www-form-urlencoded"}
        )
        # Some proxies in front of Prometheus let only GET through.
        return await send("GET", f"{url}?{encoded}", None, {}) if answer.status in (405, 501) else answer


def _timeout(seconds: int | None) -> float:
    if seconds is None:
        return float(DEFAULT_PROMETHEUS_TIMEOUT_SECONDS)
    if seconds < 0:
        raise ConfigurationError("prometheus timeout should not be negative")
    return float(seconds) or float(DEFAULT_PROMETHEUS_TIMEOUT_SECONDS)


def _seconds(moment: datetime) -> str:
    return f"{moment.timestamp():.3f}"


def _bounds(bounds: RangeQuery, now: datetime) -> dict[str, str]:
    start = _moment(bounds.start, "start", now)
    end = _moment(bounds.end, "end", now)
    try:
        step = parse_duration(bounds.step).total_seconds()
    except ValueError as error:
        raise ConfigurationError(f"provider.prometheus.rangeQuery.step: {error}") from error
    if step <= 0:
        raise ConfigurationError("provider.prometheus.rangeQuery.step must be longer than zero")
    if start > end:
        raise ConfigurationError("provider.prometheus.rangeQuery: start is after end")
    return {"start": _seconds(start), "end": _seconds(end), "step": f"{step:g}"}


def _moment(source: str, field: str, now: datetime) -> datetime:
    path = f"provider.prometheus.rangeQuery.{field}"
    try:
        value = compile_expression(source).evaluate(None, now)
    except ConditionError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    if not isinstance(value, datetime):
        raise ConfigurationError(
            f'{path}: expected a time such as now() - duration("5m"), got {type_name(value)}'
        )
    return value


def read_answer(answer: HttpAnswer) -> Reading:
    """Read an answer of the HTTP API. Raises BackendError with what the server said.

    Raises ConfigurationError when the server could not make sense of the query.
    """
    try:
        read = json.loads(answer.body)
    except ValueError:
        read = None
    if not isinstance(read, dict) or "status" not in read:
        raise BackendError(f"prometheus answered {answer.status} with something that is not its JSON")
    if read.get("errorType") == "bad_data":
        text = str(read.get("error", ""))[:500]
        # The bounds of a range query end here too.
        of_query = "parse error" in text or '"query"' in text
        field = "provider.prometheus.query" if of_query else "provider.prometheus"
        raise ConfigurationError(f"{field}: bad_data: {text}; correct it")
    if read["status"] != "success":
        raise BackendError(f"{read.get('errorType', 'error')}: {read.get('error', '')}"[:500])
    data = read.get("data") or {}
    kind = str(data.get("resultType", ""))
    metadata = {"resultType": kind}
    warnings = [*(read.get("warnings") or ()), *(read.get("infos") or ())]
    if warnings:
        metadata["warnings"] = ", ".join(f'"{warning}"' for warning in warnings)[:1000]
    try:
        result = _result(kind, data.get("result"))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise BackendError(f"prometheus answered a {kind or 'result'} that cannot be read") from None
    return Reading(result, shown(result), metadata)


def _result(kind: str, result: Any) -> float | FloatVector:
    if kind == "scalar":
        return float(result[1])
    if kind == "vector":
        return FloatVector(float(_sample(series, "value")[1]) for series in result)
    if kind == "matrix":
        return FloatVector(float(point[1]) for series in result for point in _sample(series, "values"))
    raise BackendError("Prometheus metric type not supported: the query gives a string, not numbers")


def _sample(series: Mapping[str, Any], key: str) -> Any:
    if key not in series:
        raise BackendError(
            "the query gives native histograms, not numbers; use histogram_quantile or the like"
        )
    return series[key]
