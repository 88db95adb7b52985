"""What error budgets say to a new version that is about to start: the facts, and their verdict. Pure.

A Rollout asks for the gate by an annotation that names objectives of its namespace. The facts are the
statuses of these objects; whoever keeps them there has read the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from analysis.slo.gate import GateState, Override, read_override
from analysis.slo.model import HOLD, GateSpec, OnNoData
from analysis.slo.periods import parse_period
from analysis.spec.errors import SpecError
from rollouts.kube import objects
from rollouts.kube.objects import ReadOnly
from rollouts.workloads import labels

CONDITION = "WaitsForBudget"
"""Type of the Rollout's condition; its last update is when a wait for data began."""
BLOCKED, UNKNOWN = "BudgetBlocked", "BudgetUnknown"
"""Reasons of the condition while it is True."""
STALE = timedelta(minutes=30)
"""A status is renewed every quarter of an hour; an older one is nobody's word any more."""

FindObjective = Callable[[str], ReadOnly | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one objective says. Without data a start waits ``after``, or for good when ``holds``."""

    name: str
    state: GateState
    message: str
    holds: bool = False
    after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetGate:
    """The budgets that a Rollout asks for, and a person's override; ``problem`` is its fault."""

    budgets: tuple[Budget, ...]
    override: Override | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a new version has to wait, and why; ``until`` is when the wait ends by itself.

    ``override`` is set where it made the difference.
    """

    state: GateState
    held: bool
    reason: str
    until: datetime | None = None
    override: Override | None = None


def asked_for(manifest: ReadOnly) -> tuple[str, ...]:
    """Return the objectives that a Rollout names, each once."""
    text = objects.annotations_of(manifest).get(labels.BUDGET_GATE, "")
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def gate_of(manifest: ReadOnly, find: FindObjective, now: datetime) -> BudgetGate | None:
    """Return the gate that a Rollout asks for, None when it asks for none."""
    names = asked_for(manifest)
    if not names:
        return None
    budgets = tuple(read_budget(name, find(name), now) for name in names)
    try:
        return BudgetGate(budgets=budgets, override=read_override(objects.annotations_of(manifest), now))
    except SpecError as error:
        return BudgetGate(budgets=budgets, problem=str(error))


def read_budget(name: str, manifest: ReadOnly | None, now: datetime) -> Budget:
    """Return what an objective's status says now."""
    if manifest is None:
        return _unknown(name, "there is no such ServiceLevelObjective in this namespace", OnNoData())
    policy = _on_no_data(manifest)
    status: Mapping[str, object] = manifest.get("status") or {}
    if status.get("observedGeneration") != objects.generation(manifest):
        return _unknown(name, "its budget has not been read yet", policy)
    checked = objects.parse_time(str(status.get("checkedAt") or ""))
    if status.get("state") not in tuple(GateState):
        return _unknown(name, "its status has no state", policy)
    message = str(status.get("message") or "")
    state = GateState(str(status["state"]))
    if state is GateState.UNKNOWN:
        return _unknown(name, message, policy)
    if checked is None or now - checked > STALE:
        seen = objects.format_time(checked) if checked else "an unknown time"
        return _unknown(name, f"its budget was last read at {seen}; is its controller running?", policy)
    return Budget(name=name, state=state, message=message, after=timedelta())


def _unknown(name: str, message: str, policy: OnNoData) -> Budget:
    holds, after = policy.action == HOLD, OnNoData().after
    try:
        length = parse_period(policy.after)
    except ValueError:
        length = parse_period(after)
    return Budget(name=name, state=GateState.UNKNOWN, message=message, holds=holds, after=length)


def _on_no_data(manifest: ReadOnly) -> OnNoData:
    """Return the objective's policy; one that cannot be read is reported by the objective itself."""
    try:
        return GateSpec.model_validate((manifest.get("spec") or {}).get("gate") or {}).on_no_data
    except ValidationError:
        return OnNoData()


def verdict_of(gate: BudgetGate, now: datetime, unknown_since: datetime | None = None) -> Verdict:
    """Return the verdict: the worst budget speaks. ``unknown_since`` is when the wait for data began."""
    worst = min(gate.budgets, key=lambda budget: _ORDER.index(budget.state))
    same = [budget for budget in gate.budgets if budget.state is worst.state]
    reason = "; ".join(f"{budget.name}: {budget.message}" for budget in same)
    if worst.state in (GateState.OK, GateState.GUARDED):
        return Verdict(state=worst.state, held=False, reason=reason)
    if gate.override is not None and gate.override.until > now:
        return Verdict(state=worst.state, held=False, reason=reason, override=gate.override)
    note = _override_note(gate)
    if worst.state is GateState.BLOCKED:
        return Verdict(state=worst.state, held=True, reason=reason + note)
    if any(budget.holds for budget in same):
        return Verdict(state=worst.state, held=True, reason=reason + note)
    until = (unknown_since or now) + max(budget.after for budget in same)
    held = now < until
    return Verdict(state=worst.state, held=held, reason=reason + note * held, until=until if held else None)


_ORDER = (GateState.BLOCKED, GateState.UNKNOWN, GateState.GUARDED, GateState.OK)


def _override_note(gate: BudgetGate) -> str:
    if gate.problem:
        return f" (the override is not valid: {gate.problem})"
    if gate.override is not None:
        return f" (the override ended at {objects.format_time(gate.override.until)})"
    return ""
