"""What a rollout costs: bad requests that the canary adds, against a share of the error budget.

Whatever the statistics say, a rollout may spend only so much. With E bad and N all requests of canary (c) and
stable (b), the canary has cost E_c - E_b * N_c / N_b bad requests: those beyond what stable pods would have
failed of the same traffic. Without a stable side all of its bad requests count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from analysis.slo.burn import budget


@dataclass(frozen=True, slots=True)
class Served:
    """Requests of one version since the rollout began."""

    bad: float
    total: float


@dataclass(frozen=True, slots=True)
class Spent:
    """``extra`` bad requests of the ``cap`` that this rollout may cost."""

    extra: float
    cap: float

    @property
    def over(self) -> bool:
        """Tell whether the rollout has cost more than it may."""
        return self.extra > self.cap

    @property
    def share(self) -> float:
        """Return the used share of the cap."""
        return self.extra / self.cap


def extra_bad(canary: Served, stable: Served | None) -> float:
    """Return how many bad requests are the canary's own doing; never below 0."""
    expected = 0.0
    if stable is not None and stable.total > 0:
        expected = stable.bad * canary.total / stable.total
    return max(0.0, canary.bad - expected)


def spend_cap(share: float, objective: float, requests_per_second: float, period: timedelta) -> float:
    """Return how many bad requests are a share (0.02) of the period's whole budget, at today's traffic."""
    return share * float(budget(objective)) * requests_per_second * period.total_seconds()


def spent(canary: Served, stable: Served | None, cap: float) -> Spent:
    """Return what the rollout has cost so far. Raises ValueError for a cap that is not above zero."""
    if cap <= 0:
        raise ValueError(f"a cap of {cap:g} bad requests allows nothing: is there any traffic?")
    return Spent(extra_bad(canary, stable), cap)
