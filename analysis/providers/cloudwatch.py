"""Amazon CloudWatch: GetMetricData over a window."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from analysis.conditions.values import go_text
from analysis.providers.answers import seconds
from analysis.providers.aws import AwsCredentials, endpoint, read_xml
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.http import GuardedHttp, HttpRequest
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.spec.arguments import integer
from analysis.spec.errors import SpecError
from analysis.spec.providers import CloudWatchMetric, CloudWatchQuery, CloudWatchStat

DEFAULT_INTERVAL = "5m"
TIMEOUT_SECONDS = 30.0
_PATH = "provider.cloudWatch.metricDataQueries"


class CloudWatchProvider(Immediate):
    """The list of MetricDataResults: ``result[0].Values[0]`` is the newest value of the first query.

    Credentials and region are the process's own (AWS_REGION). A query without data has empty ``Values``.
    """

    name: ClassVar[str] = "cloudWatch"

    def __init__(self, http: GuardedHttp, aws: AwsCredentials, variables: Mapping[str, str]) -> None:
        self._http = http
        self._aws = aws
        self._variables = variables

    async def measure(self, question: Question) -> Reading:
        """Ask for the window that ends at ``question.now``. Raises ProviderError."""
        metric = question.metric.provider.cloud_watch
        if metric is None or not metric.metric_data_queries:
            raise ConfigurationError(f"{_PATH} is empty")
        form = dict(_form(metric, question.now.astimezone(UTC)))
        region = self._variables.get("AWS_REGION") or self._variables.get("AWS_DEFAULT_REGION") or ""
        request = HttpRequest(
            method="POST",
            url=endpoint("monitoring", region, self._variables),
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
            body=urlencode(form).encode(),
            timeout=TIMEOUT_SECONDS,
            repeatable=True,
        )
        keys = await self._aws.keys(region)
        answer = await self._http.send(self._aws.signed(request, region, "monitoring", keys))
        return _reading(read_xml(answer, "cloudwatch"))


def _form(metric: CloudWatchMetric, end: datetime) -> Iterator[tuple[str, str]]:
    window = timedelta(seconds=seconds(metric.interval, DEFAULT_INTERVAL, "provider.cloudWatch.interval"))
    yield from (("Action", "GetMetricData"), ("Version", "2010-08-01"))
    yield "StartTime", f"{end - window:%Y-%m-%dT%H:%M:%SZ}"
    yield "EndTime", f"{end:%Y-%m-%dT%H:%M:%SZ}"
    for number, query in enumerate(metric.metric_data_queries):
        prefix = f"MetricDataQueries.member.{number + 1}"
        for key, value in _query_fields(query, f"{_PATH}[{number}]"):
            yield f"{prefix}.{key}", value


def _query_fields(query: CloudWatchQuery, path: str) -> Iterator[tuple[str, str]]:
    if not query.id:
        raise ConfigurationError(f"{path}.id is empty")
    if bool(query.expression) == (query.metric_stat is not None):
        raise ConfigurationError(f"{path} needs either expression or metricStat")
    yield "Id", query.id
    if query.expression:
        yield "Expression", query.expression
    if query.label:
        yield "Label", query.label
    if query.period is not None:
        yield "Period", _period(query.period, f"{path}.period")
    if query.return_data is not None:
        yield "ReturnData", str(query.return_data).lower()
    if query.metric_stat is not None:
        yield from _stat_fields(query.metric_stat, f"{path}.metricStat")


def _stat_fields(stat: CloudWatchStat, path: str) -> Iterator[tuple[str, str]]:
    if stat.metric is None or not stat.metric.metric_name or not stat.stat:
        raise ConfigurationError(f"{path} needs metric.metricName and stat")
    yield "MetricStat.Metric.MetricName", stat.metric.metric_name
    if stat.metric.namespace:
        yield "MetricStat.Metric.Namespace", stat.metric.namespace
    for number, dimension in enumerate(stat.metric.dimensions, start=1):
        prefix = f"MetricStat.Metric.Dimensions.member.{number}"
        yield f"{prefix}.Name", dimension.name
        yield f"{prefix}.Value", dimension.value
    yield "MetricStat.Period", _period(stat.period, f"{path}.period")
    yield "MetricStat.Stat", stat.stat
    if stat.unit:
        yield "MetricStat.Unit", stat.unit


def _period(value: int | str | None, path: str) -> str:
    try:
        found = integer(value, 0, path)
    except SpecError as error:
        raise ConfigurationError(str(error)) from None
    if found <= 0:
        raise ConfigurationError(f"{path} must be a positive number of seconds")
    return str(found)


def _reading(root: ElementTree.Element) -> Reading:
    found = root.find("GetMetricDataResult")
    if found is None:
        raise BackendError("cloudwatch answered without a GetMetricDataResult")
    try:
        results = [_result(member) for member in found.iterfind("MetricDataResults/member")]
    except ValueError:
        raise BackendError("cloudwatch answered values that cannot be read") from None
    for result in results:
        if result["StatusCode"] in ("InternalError", "Forbidden"):
            raise BackendError(f"cloudwatch could not answer query '{result['Id']}': {result['StatusCode']}")
    messages = [*_messages(found), *(text for result in results for text in result["Messages"])]
    if found.findtext("NextToken") or any(result["StatusCode"] == "PartialData" for result in results):
        messages.append("the data are not complete: a shorter interval or a longer period gives fewer points")
    metadata = {"messages": "; ".join(messages)[:1000]} if messages else {}
    return Reading(results, go_text([result["Values"] for result in results])[:2000], metadata)


def _result(member: ElementTree.Element) -> dict[str, Any]:
    return {
        "Id": member.findtext("Id") or "",
        "Label": member.findtext("Label") or "",
        "StatusCode": member.findtext("StatusCode") or "",
        "Messages": _messages(member),
        "Timestamps": [
            datetime.fromisoformat((time.text or "").replace("Z", "+00:00"))
            for time in member.iterfind("Timestamps/member")
        ],
        "Values": [float(value.text or "") for value in member.iterfind("Values/member")],
    }


def _messages(element: ElementTree.Element) -> list[str]:
    return [
        f"{message.findtext('Code') or ''}: {message.findtext('Value') or ''}"
        for message in element.iterfind("Messages/member")
    ]
