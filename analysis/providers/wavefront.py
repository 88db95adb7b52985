"""Wavefront (Operations for Applications): the point of each series that is closest to now."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from analysis.conditions.values import FloatVector
from analysis.providers.answers import complaint, read_json
from analysis.providers.errors import BackendError, ConfigurationError, NoData
from analysis.providers.http import GuardedHttp, HttpRequest
from analysis.providers.profiles import Profiles
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.providers.texts import shown

TOKENS_SECRET = "wavefront-api-tokens"  # noqa: S105 - a Secret's name
"""Secret in the controller's namespace: address → API token."""
TIMEOUT_SECONDS = 30.0


class WavefrontProvider(Immediate):
    """One series becomes a float, more series a list of floats; no series is no data.

    The metadata tell the points' times and how far those are from now, in seconds.
    """

    name: ClassVar[str] = "wavefront"

    def __init__(self, http: GuardedHttp, profiles: Profiles, scheme: str = "https") -> None:
        self._http = http
        self._profiles = profiles
        self._scheme = scheme

    async def measure(self, question: Question) -> Reading:
        """Run the query. Raises ProviderError."""
        wavefront = question.metric.provider.wavefront
        if wavefront is None or not wavefront.query or not wavefront.address:
            raise ConfigurationError("provider.wavefront needs address and query")
        keys = (wavefront.address,)
        tokens = await self._profiles.need(TOKENS_SECRET, keys, keys, "provider.wavefront.address")
        now = int(question.now.timestamp())
        form = {"q": wavefront.query, "s": now * 1000, "e": now * 1000, "g": "s", "p": 1, "i": "true"}
        request = HttpRequest(
            method="GET",
            url=f"{self._scheme}://{wavefront.address}/api/v2/chart/api?{urlencode(form)}",
            headers={"Authorization": f"Bearer {tokens[wavefront.address]}"},
            timeout=TIMEOUT_SECONDS,
            repeatable=True,
        )
        return _reading(read_json(await self._http.send(request), "wavefront"), now)


def _reading(document: Any, now: int) -> Reading:
    try:
        if document.get("errorType"):
            raise BackendError(f"wavefront: {document['errorType']}: {complaint(document)}"[:500])
        points = [_closest(series.get("data") or [], now) for series in document.get("timeseries") or []]
        warnings = str(document.get("warnings") or "")
    except (AttributeError, TypeError, IndexError, ValueError):
        raise BackendError("wavefront answered series that cannot be read") from None
    if not points:
        raise NoData("wavefront has no time series for the query")
    values = FloatVector(value for _, value in points)
    times = [str(time) for time, _ in points]
    drifts = [str(time - now) for time, _ in points]
    metadata = {"warnings": warnings[:1000]} if warnings else {}
    if len(points) == 1:
        return Reading(values[0], shown(values[0]), {**metadata, "timestamps": times[0], "drift": drifts[0]})
    lists = {"timestamps": f"[{','.join(times)}]", "drift": f"[{','.join(drifts)}]"}
    return Reading(values, shown(values), {**metadata, **lists})


def _closest(data: list[Any], now: int) -> tuple[int, float]:
    if not data:
        raise NoData("wavefront answered a time series without points")
    time, value = min(((float(point[0]), float(point[1])) for point in data), key=lambda p: abs(p[0] - now))
    return int(time), value
