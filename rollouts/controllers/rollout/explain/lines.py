"""The pieces of an explanation. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rollouts.kube.objects import format_time


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to tell; ``at`` is the moment that it is about (RFC 3339), "" when there is none."""

    text: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """What a person can type, and what it does."""

    command: str
    effect: str


def line(text: str, at: datetime | None = None) -> Line:
    """Return a line about a moment."""
    return Line(text, format_time(at) if at else "")
