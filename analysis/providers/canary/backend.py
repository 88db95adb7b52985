"""Counters at tick boundaries from the Prometheus HTTP API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from analysis.counts.vectors import MatrixReader, Vectors, checked_matrix
from analysis.providers.authentication import Credentials, plain_headers
from analysis.providers.canary.config import CanaryConfig
from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.http import GuardedHttp, HttpAnswer, HttpRequest
from analysis.providers.prometheus import ADDRESS_VARIABLE, SIGNED_SERVICE

PORTION = 50
"""Series that are read before the event loop has a turn."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def breathe() -> None:
    """Let others have a turn; no time passes."""
    await asyncio.sleep(0)  # noqa: TID251 - it waits for nothing


class Backend:
    """Asks for vectors at boundaries: one range query whose step is the tick gives exactly those."""

    def __init__(self, http: GuardedHttp, credentials: Credentials, default_address: str = "") -> None:
        self._http = http
        self._credentials = credentials
        self._default_address = default_address

    async def read(self, config: CanaryConfig, boundaries: Sequence[float]) -> tuple[Vectors, ...]:
        """Return the answer to each of the configuration's queries. Raises ProviderError or CountsError.

        A warning (a part of the backend did not answer) is an error here: half an answer is no count.
        """
        asked = [self._query(config, query, boundaries) for query in config.queries()]
        return tuple(await asyncio.gather(*asked))

    async def _query(self, config: CanaryConfig, query: str, boundaries: Sequence[float]) -> Vectors:
        form = {
            "query": query,
            "start": f"{boundaries[0]:.3f}",
            "end": f"{boundaries[-1]:.3f}",
            "step": f"{config.tick:g}",
        }
        request = HttpRequest(
            method="POST",
            url=f"{self._address(config)}/api/v1/query_range",
            headers={**plain_headers(config.headers), **FORM},
            body=urlencode(form).encode(),
            timeout=config.timeout,
            insecure=config.insecure,
            repeatable=True,
        )
        proven = await self._credentials.proven(request, config.authentication, sign_as=SIGNED_SERVICE)
        answer = await self._http.send(proven)
        series = checked_matrix(_result(answer), config.series_cap)
        reader = MatrixReader(boundaries, config.native_edges())
        for first in range(0, len(series), PORTION):
            reader.add(series[first : first + PORTION])
            await breathe()
        return reader.vectors()

    def _address(self, config: CanaryConfig) -> str:
        address = (config.address or self._default_address).rstrip("/")
        if not address or not urlsplit(address).scheme or not urlsplit(address).netloc:
            raise ConfigurationError(
                "address is not a URL such as http://prometheus:9090: set it, or the environment variable"
                f" {ADDRESS_VARIABLE}"
            )
        return address


def _result(answer: HttpAnswer) -> Any:
    try:
        read = json.loads(answer.body)
    except ValueError:
        read = None
    if not isinstance(read, dict) or "status" not in read:
        raise BackendError(f"prometheus answered {answer.status} with something that is not its JSON")
    if read["status"] != "success":
        raise BackendError(f"{read.get('errorType', 'error')}: {read.get('error', '')}"[:500])
    warnings = [str(warning) for warning in read.get("warnings") or ()]
    if warnings:
        raise BackendError(f"the answer is incomplete, prometheus warned: {'; '.join(warnings)}"[:500])
    data = read.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "matrix":
        raise BackendError("prometheus did not answer a range query with a matrix")
    return data.get("result")
