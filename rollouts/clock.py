"""Time and chance as ports: deciding code never reads a clock or a die, it is handed their values.

``Clock`` and ``Randomness`` are the only doors to wall time, sleeping, ids and jitter. Production uses
``SystemClock`` and ``SystemRandomness``; simulations pass a clock that follows a virtual event loop.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time, monotonic time and waiting."""

    def now(self) -> datetime:
        """Return the present moment, timezone-aware in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` (not at all when negative)."""
        ...


class Randomness(Protocol):
    """Source of jitter and of unique ids."""

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high]."""
        ...

    def token(self) -> str:
        """Return a new unique id in UUID form."""
        ...


class SystemClock:
    """The machine's clock and the running event loop's timers."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(max(0.0, seconds))


class SystemRandomness:
    """The operating system's randomness."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high]."""
        return self._random.uniform(low, high)

    def token(self) -> str:
        """Return a random UUID."""
        return str(uuid.uuid4())
