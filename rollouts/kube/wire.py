"""The byte and header level of the Kubernetes API: what goes into a URL, what comes out of a stream. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson

from rollouts.kube import errors
from rollouts.kube.api import WatchEvent
from rollouts.kube.objects import Manifest

MAX_RETRY_AFTER = 60.0
"""A server that asks for a longer pause is asked again after this many seconds."""


def truth(value: bool) -> str:
    """Return a boolean as the API server spells it."""
    return "true" if value else "false"


def selectors(label_selector: str, field_selector: str) -> dict[str, str]:
    """Return the query parameters of the selectors that are set."""
    named = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in named.items() if value}


def write_params(field_manager: str, dry_run: bool, timeout: float) -> dict[str, str]:
    """Return the query parameters of a write; ``timeout`` bounds its time on the server too."""
    params = {"timeout": f"{max(1, int(timeout))}s"}
    if field_manager:
        params["fieldManager"] = field_manager
    if dry_run:
        params["dryRun"] = "All"
    return params


def decode(raw: bytes) -> Manifest:
    """Decode an answer's body ({} when empty). Raises errors.ServerFailure when it is not a JSON object."""
    if not raw:
        return {}
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise errors.ServerFailure(
            f"the server answered with something other than a JSON object: {raw[:200]!r}"
        )
    return value


def failure(status: int, raw: bytes, headers: Mapping[str, str]) -> errors.KubeError:
    """Return the error for an answer of 400 and above."""
    try:
        body = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError:
        body = {}
    if not isinstance(body, dict) or not body:
        body = {"message": raw[:300].decode("utf-8", "replace").strip()}
    error = errors.from_status(status, body)
    if isinstance(error, errors.TooManyRequests):
        error.retry_after = retry_after(headers, body)
    return error


def retry_after(headers: Mapping[str, str], body: Mapping[str, Any]) -> float:
    """Return the pause in seconds that a 429 asks for; 1 when it names none."""
    named = headers.get("Retry-After") or (body.get("details") or {}).get("retryAfterSeconds") or 1
    try:
        return min(MAX_RETRY_AFTER, max(0.0, float(named)))
    except (TypeError, ValueError):
        return 1.0


class LineSplitter:
    """Cuts a stream of chunks into whole lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that ``chunk`` completes, without blank ones."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return (line for line in lines if line.strip())


def watch_event(line: bytes) -> WatchEvent:
    """Decode one line of a watch. Raises errors.Gone or another KubeError for an ERROR event."""
    event = decode(line)
    kind, obj = event.get("type"), event.get("object") or {}
    if kind == "ERROR":
        raise errors.from_status(int(obj.get("code") or 500), obj)
    return WatchEvent(cast("Any", kind), obj)
