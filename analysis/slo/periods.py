"""Periods as Prometheus writes them: ``5m``, ``1h30m``, ``3d``. Days have 24 hours, years 365 days."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {
    "y": timedelta(days=365),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_PERIOD = re.compile(r"(?:[0-9]{1,9}(?:y|w|d|h|ms|m|s))+")
_PART = re.compile(r"([0-9]{1,9})(y|w|d|h|ms|m|s)")
LONGEST = timedelta(days=2 * 365)
"""Of a period: no store keeps more, and no objective looks back further."""


def parse_period(text: str) -> timedelta:
    """Return a period. Raises ValueError for anything that is not one, for zero, and above ``LONGEST``."""
    if not _PERIOD.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a period such as 5m, 1h30m, 3d or 4w")
    total = sum((int(count) * _UNITS[unit] for count, unit in _PART.findall(text)), timedelta())
    if total <= timedelta():
        raise ValueError(f"{text[:40]!r} is no time at all; wanted a period such as 5m or 30d")
    if total > LONGEST:
        raise ValueError(f"{text[:40]!r} is longer than {LONGEST.days} days")
    return total


def format_period(period: timedelta) -> str:
    """Return a period in the largest units that hold it whole, such as ``30d``, ``1h30m`` or ``250ms``."""
    left, parts = period, []
    for unit in ("d", "h", "m", "s", "ms"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
