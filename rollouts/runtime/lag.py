"""How late the event loop's timers are."""

from __future__ import annotations

from collections import deque

from rollouts.clock import Clock
from rollouts.runtime.metrics import RuntimeMetrics

PERIOD = 0.25
REMEMBERED = 240


class LagProbe:
    """Sleeps for a quarter of a second, again and again, and measures by how much it overslept."""

    def __init__(self, clock: Clock, metrics: RuntimeMetrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._recent: deque[float] = deque(maxlen=REMEMBERED)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            began = self._clock.monotonic()
            await self._clock.sleep(PERIOD)
            lag = max(0.0, self._clock.monotonic() - began - PERIOD)
            self._recent.append(lag)
            self._metrics.lag.observe(lag)

    def worst(self) -> float:
        """Return the longest lag of about the last minute, seconds."""
        return max(self._recent, default=0.0)
