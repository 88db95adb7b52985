"""The three versions that the demo commits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the shop: how its pods behave, and what the commit says."""

    name: str
    error_rate: float
    latency_ms: int
    message: str


FIRST = Version("v1", 0.0, 12, "Shop v1")
GOOD = Version("v2", 0.0, 10, "Shop v2: new recommendations")
BAD = Version("v3", 0.25, 400, "Shop v3: recommendations from a slow service that fails at times")
