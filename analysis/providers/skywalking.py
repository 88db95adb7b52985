"""Apache SkyWalking: a GraphQL query over the last minutes."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import Any, ClassVar

from analysis.providers.answers import base_url, complaint, read_json, seconds
from analysis.providers.errors import BackendError, ConfigurationError, NoData
from analysis.providers.http import GuardedHttp, HttpRequest
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.providers.texts import written

DEFAULT_INTERVAL = "5m"
TIMEOUT_SECONDS = 30.0
_MINUTES = "%Y-%m-%d %H%M"


class SkyWalkingProvider(Immediate):
    """The ``data`` of the answer, as it is.

    The query is given ``$duration``: the last ``interval`` (default 5m), step MINUTE, in UTC.
    """

    name: ClassVar[str] = "skywalking"

    def __init__(self, http: GuardedHttp) -> None:
        self._http = http

    async def measure(self, question: Question) -> Reading:
        """Run the query. Raises ProviderError."""
        skywalking = question.metric.provider.skywalking
        if skywalking is None or not skywalking.query:
            raise ConfigurationError("provider.skywalking.query is empty")
        address = base_url(skywalking.address, "provider.skywalking.address")
        window = seconds(skywalking.interval, DEFAULT_INTERVAL, "provider.skywalking.interval")
        end = question.now.astimezone(UTC)
        duration = {
            "start": (end - timedelta(seconds=window)).strftime(_MINUTES),
            "end": end.strftime(_MINUTES),
            "step": "MINUTE",
        }
        request = HttpRequest(
            method="POST",
            url=f"{address}/graphql",
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=json.dumps({"query": skywalking.query, "variables": {"duration": duration}}).encode(),
            timeout=TIMEOUT_SECONDS,
            repeatable=True,
        )
        return _reading(read_json(await self._http.send(request), "skywalking"))


def _reading(document: Any) -> Reading:
    if not isinstance(document, dict):
        raise BackendError("skywalking answered something that is not a GraphQL answer")
    if document.get("errors"):
        raise BackendError(f"skywalking: {complaint(document)}"[:500])
    data = document.get("data")
    if not data:
        raise NoData("skywalking answered the query without data")
    if not isinstance(data, dict):
        raise BackendError("skywalking answered data that are not a GraphQL object")
    return Reading(data, written(data)[:2000])
