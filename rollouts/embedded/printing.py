"""Small renderings that table cells share: ages, selectors, lists. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rollouts.kube.objects import parse_time

NONE = "<none>"
UNKNOWN = "<unknown>"


def age(since: Any, now: datetime) -> str:
    """Return the time since a timestamp as kubectl writes it: 30s, 5m10s, 3h, 2d4h."""
    moment = parse_time(since if isinstance(since, str) else None)
    return UNKNOWN if moment is None else duration((now - moment).total_seconds())


def duration(total: float) -> str:
    """Return seconds in the two largest units that matter."""
    seconds = int(max(0.0, total))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _pair(days // 365, "y", days % 365, "d")


def _pair(first: int, unit: str, second: int, small: str) -> str:
    return f"{first}{unit}{second}{small}" if second else f"{first}{unit}"


def joined(values: Iterable[Any]) -> str:
    """Return values joined by commas, <none> for none."""
    return ",".join(str(v) for v in values) or NONE


def pairs(values: Mapping[str, Any] | None) -> str:
    """Return a map as k=v,…"""
    return joined(f"{k}={v}" for k, v in sorted((values or {}).items()))


def at(obj: Any, *path: str) -> Any:
    """Return a nested value, None when absent."""
    for part in path:
        obj = obj.get(part) if isinstance(obj, Mapping) else None
    return obj
