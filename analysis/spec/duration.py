"""Durations as Go writes them: ``1h30m``, ``5m``, ``1.5s``, ``300ms``."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

_UNITS_IN_MICROSECONDS = {
    "ns": Decimal("0.001"),
    "us": Decimal(1),
    "µs": Decimal(1),
    "μs": Decimal(1),
    "ms": Decimal(1_000),
    "s": Decimal(1_000_000),
    "m": Decimal(60_000_000),
    "h": Decimal(3_600_000_000),
}
_PART = re.compile(r"([0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(ns|us|µs|μs|ms|s|m|h)")
_LONGEST_SECONDS = Decimal(2**63) / Decimal(1_000_000_000)


def parse_duration(text: str) -> timedelta:
    """Parse a Go duration; parts below a microsecond are cut.

    Raises ValueError for anything else, and for more than Go's int64 of nanoseconds (about 292 years).
    """
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if body == "0":
        return timedelta()
    position, total = 0, Decimal(0)
    while match := _PART.match(body, position):
        total += Decimal(match[1]) * _UNITS_IN_MICROSECONDS[match[2]]
        position = match.end()
    if position == 0 or position != len(body):
        raise ValueError(f"{text[:40]!r} is not a duration such as 30s, 5m or 1h30m")
    if total / 1_000_000 >= _LONGEST_SECONDS:
        raise ValueError(f"{text[:40]!r} is longer than a duration can be")
    return sign * timedelta(microseconds=int(total))


def format_duration(duration: timedelta) -> str:
    """Format as Go does, such as ``1h30m0s``, ``1.5s`` or ``250ms``."""
    microseconds = duration // timedelta(microseconds=1)
    sign, left = ("-", -microseconds) if microseconds < 0 else ("", microseconds)
    if left == 0:
        return "0s"
    if left < 1_000:
        return f"{sign}{left}µs"
    if left < 1_000_000:
        return f"{sign}{_decimal(left, 1_000)}ms"
    hours, left = divmod(left, 3_600_000_000)
    minutes, left = divmod(left, 60_000_000)
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{head}{_decimal(left, 1_000_000)}s"


def _decimal(value: int, scale: int) -> str:
    whole, fraction = divmod(value, scale)
    digits = str(fraction).rjust(len(str(scale)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
