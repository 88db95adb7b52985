"""Logging: text on a terminal, JSON lines otherwise, fields of the context, and no secrets.

``bound(key=…, uid=…)`` adds fields to every record below it. ``redact(value)`` registers a secret: it is
replaced in all output, also in its base64 and URL-quoted form. ``scrub`` does the same to any text that
leaves the process another way (events, status, errors).
"""

from __future__ import annotations

import base64
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO
from urllib.parse import quote

import orjson

Format = Literal["auto", "text", "json"]

FIELDS = ("controller", "key", "uid", "revision", "attempt", "reason")
"""Fields in the order of text output; any of them may come from ``bound`` or from ``extra``."""
SHORTEST_SECRET = 4
"""Shorter values are not replaced: they would blank out ordinary words and numbers."""
MASK = "***"

_bound: ContextVar[Mapping[str, Any]] = ContextVar("rollouts_log_fields", default={})  # noqa: B039 - never changed
_secrets: set[str] = set()
_pattern: re.Pattern[str] | None = None


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Add fields to every record that is logged inside of the block."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def redact(secret: str) -> None:
    """Register a secret value. Values shorter than four characters are not registered."""
    global _pattern
    if len(secret) < SHORTEST_SECRET or secret in _secrets:
        return
    plain = {
        secret,
        secret.strip(),
        *(line for line in secret.splitlines() if len(line) >= 2 * SHORTEST_SECRET),
    }
    forms = plain | {quote(value, safe="") for value in plain}
    forms |= {base64.b64encode(value.encode()).decode() for value in plain}
    _secrets.add(secret)
    _secrets.update(form for form in forms if len(form) >= SHORTEST_SECRET)
    _pattern = re.compile("|".join(re.escape(s) for s in sorted(_secrets, key=len, reverse=True)))


def forget_secrets() -> None:
    """Forget all registered secrets."""
    global _pattern
    _secrets.clear()
    _pattern = None


def scrub(text: str) -> str:
    """Return ``text`` without registered secrets."""
    return _pattern.sub(MASK, text) if _pattern is not None else text


def configure(level: str = "info", form: Format = "auto", stream: TextIO | None = None) -> None:
    """Send the process's logs to ``stream`` (stderr). Raises ValueError for an unknown level or format."""
    target = stream or sys.stderr
    if form not in ("auto", "text", "json"):
        raise ValueError(f"log format is {form!r}, must be auto, text or json")
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level is {level!r}, must be debug, info, warning or error")
    text = form == "text" or (form == "auto" and target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a record: those bound around it, overridden by its ``extra``."""
    own = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
    return {**_bound.get(), **own}


class TextFormatter(logging.Formatter):
    """One line for a person: time, level, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        moment = datetime.fromtimestamp(record.created, UTC)
        fields = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        head = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d} {record.levelname:<7}"
        line = f"{head} {record.getMessage()}{fields}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return scrub(line)


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, fields, and error with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        scrubbed = {name: scrub(value) if isinstance(value, str) else value for name, value in entry.items()}
        return orjson.dumps(scrubbed, default=lambda value: scrub(str(value))).decode()
