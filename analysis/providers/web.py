"""An HTTP request whose answer is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from analysis.conditions.values import from_json
from analysis.providers.authentication import Credentials, plain_headers
from analysis.providers.errors import BackendError, ConfigurationError, NoData
from analysis.providers.http import GuardedHttp, HttpRequest
from analysis.providers.jsonpath import JsonPathError, find
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.providers.texts import written
from analysis.spec.providers import DEFAULT_WEB_TIMEOUT_SECONDS, WebMetric

_METHODS = ("GET", "POST", "PUT")


class WebProvider(Immediate):
    """Sends a request and takes the first hit of ``jsonPath`` (default ``{$}``) in the JSON answer.

    An answer that is no JSON is measured as a string. Anything but 2xx is an error.
    """

    name: ClassVar[str] = "web"

    def __init__(self, http: GuardedHttp, credentials: Credentials) -> None:
        self._http = http
        self._credentials = credentials

    async def measure(self, question: Question) -> Reading:
        """Send the request. Raises ProviderError."""
        web = question.metric.provider.web
        if web is None or not web.url:
            raise ConfigurationError("provider.web.url is empty")
        method, body, headers = _payload(web)
        timeout = float(web.timeout_seconds or 0)
        timeout = timeout if timeout > 0 else float(DEFAULT_WEB_TIMEOUT_SECONDS)
        request = HttpRequest(
            method=method,
            url=web.url,
            headers={**plain_headers(web.headers), **headers},
            body=body,
            timeout=timeout,
            insecure=web.insecure,
            repeatable=method == "GET",
        )
        answer = await self._http.send(await self._credentials.proven(request, web.authentication))
        if not 200 <= answer.status < 300:
            raise BackendError(f"received non 2xx response code: {answer.status}")
        return _reading(answer.body, web.json_path or "{$}")


def _payload(web: WebMetric) -> tuple[str, bytes | None, Mapping[str, str]]:
    method = web.method or "GET"
    if method not in _METHODS:
        raise ConfigurationError(f"provider.web.method {method!r} is not one of {', '.join(_METHODS)}")
    if web.body and web.json_body is not None:
        raise ConfigurationError("provider.web: use either body or jsonBody, not both")
    if (web.body or web.json_body is not None) and method == "GET":
        raise ConfigurationError("provider.web: body and jsonBody need the method POST or PUT")
    if web.json_body is not None:
        written = json.dumps(web.json_body, separators=(",", ":"), ensure_ascii=False)
        return method, written.encode(), {"Content-Type": "application/json"}
    return method, web.body.encode() if web.body else None, {}


def _reading(body: bytes, path: str) -> Reading:
    try:
        document = from_json(body)
    except (ValueError, RecursionError):
        text = body.decode(errors="replace")
        return Reading(text, text[:1000])
    try:
        hits = find(path, document)
    except JsonPathError as error:
        raise ConfigurationError(f"provider.web.jsonPath: {error}") from error
    if not hits:
        raise NoData(f"jsonPath {path} finds nothing in the answer")
    return Reading(hits[0], written(hits[0])[:1000])
