"""Reads counters, round by round, lets the driver judge them, and publishes the rates."""

from __future__ import annotations

import random
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from analysis.aa.driver import Sham, past_of, releases
from analysis.aa.rates import ORDER, Rates
from analysis.counts.vectors import boundaries
from analysis.judges.profiles import FULL_LOOK_BACK, Call
from analysis.providers.canary.backend import Backend, breathe
from analysis.providers.canary.config import CanaryConfig
from analysis.providers.canary.looking import newest_boundary

MOST_AT_ONCE = 5_000
"""Boundaries of one range query; a Prometheus gives 11 000 at most."""


class Published:
    """The metrics of all watches of a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._releases = Counter(
            "rollouts_aa_releases",
            "Sham releases of stable against stable by metric and the worst call of the judge",
            ["metric", "call"],
            registry=registry,
        )
        self._ratio = Gauge(
            "rollouts_aa_false_alarm_ratio",
            "Share of sham releases that the judge would have aborted; bound is the 95 % interval's",
            ["metric", "bound"],
            registry=registry,
        )

    def tell(self, metric: str, fresh: Sequence[Sham], rates: Rates) -> None:
        """Publish some more releases, and the rates of all so far."""
        for sham in fresh:
            self._releases.labels(metric, sham.worst.value if sham.worst else "unjudged").inc()
        for bound, value in zip(("observed", "low", "high"), rates.share(Call.ABORT), strict=True):
            self._ratio.labels(metric, bound).set(value)


class Watch:
    """One metric of a template. Each round judges the sham releases that have ended since the last one."""

    def __init__(
        self,
        name: str,
        config: CanaryConfig,
        backend: Backend,
        *,
        length: int,
        share: float,
        chance: random.Random,
        start: float,
    ) -> None:
        self.name = name
        self.rates = Rates()
        self._config, self._backend = config, backend
        self._length, self._share, self._chance = length, share, chance
        self._position = start

    @property
    def due_at(self) -> float:
        """Return when the next sham release will have ended and settled (Unix seconds)."""
        return self._position + self._length * self._config.tick + self._config.lag

    async def round(self, now: float) -> tuple[Sham, ...]:
        """Judge what has ended by ``now``. Raises ProviderError or CountsError; then nothing is lost."""
        found: list[Sham] = []
        while ticks := self._ended(now):
            start = self._position - FULL_LOOK_BACK * self._config.tick
            end = self._position + ticks * self._config.tick
            answers = await self._backend.read(self._config, boundaries(start, end, self._config.tick))
            fresh = []
            past = past_of(self._config, answers)
            for sham in releases(self._config, past, self._length, self._share, self._chance):
                fresh.append(sham)
                await breathe()
            self._position = end
            self.rates += Rates.of(sham.worst for sham in fresh)
            found += fresh
        return tuple(found)

    def _ended(self, now: float) -> int:
        """Return the ticks of whole sham releases that have ended, no more than are read at once."""
        end = newest_boundary(now, self._config, self._position)
        whole = round((end - self._position) / self._config.tick) // self._length
        most = max(1, (MOST_AT_ONCE - FULL_LOOK_BACK) // self._length)
        return max(0, min(whole, most)) * self._length


def told(name: str, rates: Rates, length: float) -> str:
    """Return the rates of a metric in a sentence."""
    parts = [
        f"{call.value} {share:.2%} [{low:.2%}, {high:.2%}]"
        for call in reversed(ORDER[1:])
        for share, low, high in [rates.share(call)]
    ]
    unjudged = f"; {rates.unjudged} could not be judged" if rates.unjudged else ""
    return f"{name}: {rates.judged} sham releases of {length / 60:g} min: {', '.join(parts)}{unjudged}"
