"""What an HTTP answer of a metrics backend means: data, an error with its reason, refused, or too busy."""

from __future__ import annotations

import json
from typing import Any

from analysis.conditions.values import from_json
from analysis.providers.errors import BackendError, ConfigurationError, CredentialsRefused
from analysis.providers.http import HttpAnswer
from analysis.spec.duration import parse_duration

_LONGEST_REASON = 300


def read_json(answer: HttpAnswer, backend: str) -> Any:
    """Return the JSON of a good answer; every number is a float, as Go reads it.

    Raises CredentialsRefused, or BackendError with the status and what the backend said.
    """
    check(answer, backend)
    try:
        return from_json(answer.body)
    except (ValueError, RecursionError):
        raise BackendError(f"{backend} answered {answer.status} with something that is not JSON") from None


def check(answer: HttpAnswer, backend: str) -> None:
    """Raise for an answer that is not 2xx: CredentialsRefused or BackendError."""
    if 200 <= answer.status < 300:
        return
    why = reason(answer.body)
    if answer.status in (401, 403):
        raise CredentialsRefused(f"{backend} refuses the credentials ({answer.status}){_after_colon(why)}")
    if answer.status == 429:
        wait = f" and asks to wait {answer.retry_after:g} s" if answer.retry_after else ""
        raise BackendError(
            f"{backend} limits the rate of queries (429){wait}; a longer interval asks less often"
        )
    raise BackendError(f"{backend} answered {answer.status}{_after_colon(why)}")


def reason(body: bytes) -> str:
    """Return what an error answer says, in one short line; "" when that is nothing readable."""
    try:
        found = complaint(json.loads(body))
    except (ValueError, RecursionError):
        text = body.decode(errors="replace").strip()
        found = "" if text.startswith("<") else text
    return " ".join(found.split())[:_LONGEST_REASON]


def complaint(document: Any) -> str:
    """Return the error in a JSON document by the keys that backends use; "" when there is none."""
    if isinstance(document, str):
        return document
    if isinstance(document, list):
        return "; ".join(filter(None, map(complaint, document)))
    if not isinstance(document, dict):
        return ""
    for key in ("errors", "error", "message", "errorMessage", "detail", "title"):
        found = complaint(document.get(key))
        if found:
            return found
    return ""


def _after_colon(text: str) -> str:
    return f": {text}" if text else ""


def base_url(address: str, field: str) -> str:
    """Return an http(s) address without a slash at its end. Raises ConfigurationError naming the field."""
    text = address.strip().rstrip("/")
    if not text:
        raise ConfigurationError(f"{field} is empty")
    if not text.startswith(("http://", "https://")):
        raise ConfigurationError(f"{field} is not a URL such as https://metrics.example.com")
    return text


def seconds(text: str | None, default: str, field: str) -> float:
    """Return a duration in seconds, more than zero. Raises ConfigurationError naming the field."""
    try:
        value = parse_duration(text or default).total_seconds()
    except ValueError as error:
        raise ConfigurationError(f"{field}: {error}") from None
    if value <= 0:
        raise ConfigurationError(f"{field} must be longer than zero")
    return value
