"""Graphite: the points of a rendered target."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from analysis.conditions.values import FloatVector
from analysis.providers.answers import base_url, read_json
from analysis.providers.errors import BackendError, ConfigurationError, NoData
from analysis.providers.http import GuardedHttp, HttpRequest
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.providers.texts import shown

TIMEOUT_SECONDS = 10.0


class GraphiteProvider(Immediate):
    """The values of the first series, oldest first, without its gaps.

    ``query`` is the query string of ``/render``, such as ``target=sumSeries(app.*)&from=-5min``. No series
    is no data; a series of gaps only is an empty list.
    """

    name: ClassVar[str] = "graphite"

    def __init__(self, http: GuardedHttp) -> None:
        self._http = http

    async def measure(self, question: Question) -> Reading:
        """Render the target. Raises ProviderError."""
        graphite = question.metric.provider.graphite
        if graphite is None or not graphite.query.strip():
            raise ConfigurationError("provider.graphite.query is empty")
        address = base_url(graphite.address, "provider.graphite.address")
        pairs = parse_qsl(" ".join(graphite.query.split()), keep_blank_values=True)
        if not any(key == "target" for key, _ in pairs):
            raise ConfigurationError("provider.graphite.query has no target=…")
        form = [(key, value) for key, value in pairs if key != "format"]
        request = HttpRequest(
            method="GET",
            url=f"{address}/render?{urlencode([*form, ('format', 'json')])}",
            headers={"Accept": "application/json"},
            timeout=TIMEOUT_SECONDS,
            repeatable=True,
        )
        return _reading(read_json(await self._http.send(request), "graphite"))


def _reading(document: Any) -> Reading:
    if not isinstance(document, list):
        raise BackendError("graphite answered something that is not a list of series")
    if not document:
        raise NoData("graphite has no series for the target")
    try:
        points = document[0].get("datapoints") or []
        values = FloatVector(float(point[0]) for point in points if point[0] is not None)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        raise BackendError("graphite answered points that cannot be read") from None
    unused = len(document) - 1
    metadata = {"warnings": f"{unused} more series are not measured: only the first is"} if unused else {}
    return Reading(values, shown(values), metadata)
