"""Asks a Prometheus for the budgets of objectives, each window as often as it can have changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from analysis.providers.errors import BackendError, ConfigurationError
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.slo.config import PATH, Gate, SloConfig
from analysis.providers.slo.reading import read_numbers
from analysis.slo.budget import Numbers, budget_queries
from analysis.slo.model import PrometheusSource, ServiceLevelObjectiveSpec

LAG = timedelta(seconds=30)
"""How far back is asked, so that what was scraped is there."""


@dataclass(frozen=True, slots=True)
class _Answer:
    asked: datetime
    number: float | None


class BudgetReader:
    """Keeps the answers of each ``owner`` while they are good."""

    def __init__(self, prometheus: PrometheusProvider) -> None:
        self._prometheus = prometheus
        self._known: dict[str, dict[str, _Answer]] = {}

    async def read(self, owner: str, spec: ServiceLevelObjectiveSpec, now: datetime) -> Numbers:
        """Return the number of each query; asks only for what is due. Raises ProviderError and SpecError."""
        queries = budget_queries(spec)
        source = spec.prometheus or PrometheusSource()
        known = self._known.get(owner, {})
        places = {name: f"{source.address} {query.text}" for name, query in queries.items()}
        due = {
            name: query.text
            for name, query in queries.items()
            if places[name] not in known or now - known[places[name]].asked >= query.every
        }
        found = await self._ask(source, due, now)
        fresh = {places[name]: _Answer(now, number) for name, number in found.items()}
        # Answers to what is no longer asked go with this.
        kept = {place: fresh.get(place) or known[place] for place in places.values()}
        self._known[owner] = kept
        return {name: kept[place].number for name, place in places.items()}

    async def _ask(
        self, source: PrometheusSource, queries: dict[str, str], now: datetime
    ) -> dict[str, float | None]:
        config = SloConfig(
            address=source.address,
            headers=source.headers,
            insecure=source.insecure,
            timeout=source.timeout,
            slo={},
            gate=Gate(),
        )
        try:
            return await read_numbers(self._prometheus, config, queries, now - LAG)
        except (BackendError, ConfigurationError) as error:
            raise type(error)(str(error).replace(PATH, "spec.prometheus")) from error

    def forget(self, owner: str) -> None:
        """Drop what is remembered of an objective that is gone."""
        self._known.pop(owner, None)
