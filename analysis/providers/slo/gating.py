"""The gate: which queries it takes, and what their answers say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from analysis.providers.slo.config import PATH, Gate
from analysis.slo.budget import pages, reading_of
from analysis.slo.gate import GateDecision, GatePolicy, Override, decide_gate, override_of
from analysis.slo.indicator import read_indicator
from analysis.slo.model import ServiceLevelObjectiveSpec
from analysis.slo.periods import format_period, parse_period


def gate_queries(spec: ServiceLevelObjectiveSpec, gate: Gate) -> dict[str, str]:
    """Return the queries by name."""
    measured = read_indicator(spec.indicator)
    period = format_period(parse_period(spec.window))
    queries = {"remaining": gate.remaining} if gate.remaining else {"period": measured.error_ratio(period)}
    for pair in pages(spec):
        for window in (format_period(pair.long), format_period(pair.short)):
            queries[f"ratio {window}"] = measured.error_ratio(window)
    return queries


def decided(
    spec: ServiceLevelObjectiveSpec,
    gate: Gate,
    numbers: Mapping[str, float | None],
    now: datetime,
    problem: str = "",
) -> GateDecision:
    """Return the decision. Raises SpecError for an override that is none."""
    policy = GatePolicy(gate.guarded_below, gate.blocked_below, gate.block_on_page_burn)
    reading = reading_of(spec, numbers, problem)
    return decide_gate(policy, reading, now, override=_override(gate, now), rollback=gate.rollback)


def _override(gate: Gate, now: datetime) -> Override | None:
    written = gate.override
    if not written.reason.strip() and not written.until.strip():
        return None
    paths = (f"{PATH}.gate.override.reason", f"{PATH}.gate.override.until")
    return override_of(written.reason.strip(), written.until.strip(), now, paths)
