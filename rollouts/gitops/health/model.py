"""The health scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How well something is."""

    HEALTHY = "Healthy"
    SUSPENDED = "Suspended"
    PROGRESSING = "Progressing"
    MISSING = "Missing"
    DEGRADED = "Degraded"
    UNKNOWN = "Unknown"


_ORDER = list(Level)


@dataclass(frozen=True, slots=True)
class Health:
    """A level, and why."""

    level: Level
    message: str = ""


def worst(healths: Iterable[Health]) -> Health:
    """Return the worst; Healthy when there is none. The first of several equally bad ones is named."""
    return max(healths, key=lambda health: _ORDER.index(health.level), default=Health(Level.HEALTHY))
