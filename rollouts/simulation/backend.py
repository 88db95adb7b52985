"""A metrics backend that answers as the script of a scenario says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from analysis.conditions.values import FloatVector
from analysis.providers.errors import BackendError
from analysis.providers.protocol import Immediate, Question, Reading
from analysis.spec.objects import Metric
from rollouts.clock import Clock

GOOD, BAD = 0.0, 1.0


class ScriptedBackend(Immediate):
    """Stands in for Prometheus: every query gets ``value``; None means that the backend is down."""

    name: ClassVar[str] = "prometheus"

    def __init__(self, clock: Clock) -> None:
        self.value: float | None = GOOD
        self.asked = 0
        self._clock = clock

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    async def measure(self, question: Question) -> Reading:
        """Answer after a few milliseconds. Raises BackendError."""
        self.asked += 1
        await self._clock.sleep(0.005)
        if self.value is None:
            raise BackendError("simulated: the backend does not answer")
        return Reading(FloatVector((self.value,)), f"[{self.value:g}]")
