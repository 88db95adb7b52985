"""What is left of an error budget and how fast it burns: which queries that takes, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from analysis.slo.burn import BurnWindow, budget_remaining, burn_rate, windows_of
from analysis.slo.gate import BudgetReading, Burning, GatePolicy
from analysis.slo.indicator import read_indicator
from analysis.slo.model import PAGE, GateSpec, ServiceLevelObjectiveSpec
from analysis.slo.periods import format_period, parse_period

Numbers = Mapping[str, float | None]
"""Answers by the name of their query; None where there is no data."""

OFTEN, SELDOM = timedelta(minutes=1), timedelta(minutes=10)
REFRESH = 60
"""A window is asked again after this part of it: no sooner can it say anything else."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and how long its answer is good."""

    text: str
    every: timedelta


def budget_queries(spec: ServiceLevelObjectiveSpec) -> dict[str, Query]:
    """Return the queries by name: the whole period (or ``gate.remaining``), and each window of the alerts.

    Raises SpecError.
    """
    measured = read_indicator(spec.indicator)
    gate = spec.gate or GateSpec()
    queries: dict[str, Query] = {}
    if gate.remaining:
        queries["remaining"] = Query(gate.remaining, OFTEN)
    else:
        period = parse_period(spec.window)
        queries["period"] = Query(measured.error_ratio(format_period(period)), _every(period))
    for pair in windows_of(spec):
        for window in (pair.long, pair.short):
            text = format_period(window)
            queries[f"ratio {text}"] = Query(measured.error_ratio(text), _every(window))
    return queries


def _every(window: timedelta) -> timedelta:
    return min(max(window / REFRESH, OFTEN), SELDOM)


def remaining_of(spec: ServiceLevelObjectiveSpec, numbers: Numbers) -> float | None:
    """Return the share of the budget that is left; None when it is not known."""
    if "remaining" in numbers:
        return numbers["remaining"]
    ratio = numbers.get("period")
    return None if ratio is None else budget_remaining(ratio, spec.objective)


def burning(spec: ServiceLevelObjectiveSpec, pair: BurnWindow, numbers: Numbers) -> Burning:
    """Return the burn rates in a pair of windows."""
    long, short = format_period(pair.long), format_period(pair.short)

    def rate(window: str) -> float | None:
        ratio = numbers.get(f"ratio {window}")
        return None if ratio is None else burn_rate(ratio, spec.objective)

    return Burning(f"{long}/{short}", float(pair.factor), rate(long), rate(short))


def pages(spec: ServiceLevelObjectiveSpec) -> tuple[BurnWindow, ...]:
    """Return the pairs that page. Raises SpecError."""
    return tuple(pair for pair in windows_of(spec) if pair.severity == PAGE)


def reading_of(spec: ServiceLevelObjectiveSpec, numbers: Numbers, problem: str = "") -> BudgetReading:
    """Return what the gate decides by."""
    paging = [burning(spec, pair, numbers) for pair in pages(spec)]
    return BudgetReading(remaining_of(spec, numbers), paging, problem)


def policy_of(spec: ServiceLevelObjectiveSpec) -> GatePolicy:
    """Return the objective's own limits, else the usual ones."""
    gate = spec.gate or GateSpec()
    return GatePolicy(gate.guarded_below, gate.blocked_below, gate.block_on_page_burn)
