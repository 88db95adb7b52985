"""The error-budget gate: a new version waits, unscaled, while a budget that the Rollout names is spent. Pure.

Opt-in by an annotation (``rollouts.dev/budget-gate: <objective>[,…]``). Only the start of a version that
never ran here is held: not the first version, and not one whose ReplicaSet is there (a way back, a retry).
Meanwhile the Rollout stays what it is, so an autoscaler, a restart or a lost pod are followed as ever. Below
``guardedBelow`` a version starts with a warning.
"""

from __future__ import annotations

from analysis.slo.gate import GateState
from rollouts.api import conditions as c
from rollouts.controllers.rollout.budget import BLOCKED, CONDITION, UNKNOWN, Verdict
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.kube.objects import Manifest, annotations_of, format_time, metadata
from rollouts.workloads import labels

WAITS = "RolloutWaitsForBudget"
MISSED_DEADLINE = "ProgressDeadlineExceeded"
LOOK_AGAIN_SECONDS = 60
"""For objectives that are not there, or whose kind is not served: nothing tells when they come."""


def hold_for_budget(d: Draft) -> bool:
    """Keep a new version from starting while its budgets say so; tell when it waits, and why it goes."""
    verdict = d.s.budget_verdict
    if verdict is None:
        _not_waiting(d, "NothingToStart", "No new version is about to start")
        return False
    if not verdict.held:
        _let_go(d, verdict)
        return False
    reason = BLOCKED if verdict.state is GateState.BLOCKED else UNKNOWN
    before = c.get_condition(d.status.get("conditions"), CONDITION) or {}
    if before.get("status") != "True" or before.get("reason") != reason:
        new = c.new_condition(CONDITION, "True", reason, held_text(verdict), d.now_text)
        d.set("conditions", c.set_condition(d.status.get("conditions"), new))
        d.tell(WAITS, held_text(verdict), "Warning")
    d.wait(held_text(verdict).removeprefix("waits for "))
    if verdict.state is GateState.UNKNOWN:
        d.look_again_in(LOOK_AGAIN_SECONDS)
    if verdict.until is not None:
        d.look_again(verdict.until)
    return _retried(d)


def held_text(verdict: Verdict) -> str:
    """Return what the Rollout waits for, as its message shows it."""
    until = f", at most until {format_time(verdict.until)}" if verdict.until is not None else ""
    return f"waits for the error budget{until}: {verdict.reason}"


def held_phase(d: Draft, phase: str, message: str) -> tuple[str, str]:
    """Return the phase and message of a Rollout whose next version waits, else those given."""
    verdict = d.s.budget_verdict
    if (
        verdict is None
        or not verdict.held
        or d.invalid
        or d.s.spec.paused
        or message.startswith(MISSED_DEADLINE)
    ):
        return phase, message
    return "Paused", held_text(verdict)


def recorded(d: Draft, body: Manifest) -> Manifest:
    """Return a new ReplicaSet's manifest with what let it start although the budget was not well."""
    verdict = d.s.budget_verdict
    if verdict is None or verdict.state is GateState.OK:
        return body
    notes = {**annotations_of(body), labels.BUDGET_VERDICT: _passed(verdict)[1]}
    return {**body, "metadata": {**metadata(body), "annotations": notes}}


def _let_go(d: Draft, verdict: Verdict) -> None:
    reason, message = _passed(verdict)
    waited = _not_waiting(d, reason, message)
    if verdict.state is not GateState.OK:
        d.tell(reason, message, "Warning")
    elif waited:
        d.tell(reason, message)


def _passed(verdict: Verdict) -> tuple[str, str]:
    if verdict.override is not None:
        until = format_time(verdict.override.until)
        return (
            "BudgetOverridden",
            f"started by an override until {until}: {verdict.override.reason} ({verdict.reason})",
        )
    match verdict.state:
        case GateState.OK:
            return "BudgetOk", f"the error budget lets it start: {verdict.reason}"
        case GateState.GUARDED:
            return "BudgetGuarded", f"started with little of the error budget left: {verdict.reason}"
        case _:
            return UNKNOWN, f"started without knowing the error budget: {verdict.reason}"


def _not_waiting(d: Draft, reason: str, message: str) -> bool:
    """End the condition; tell whether there was a wait."""
    if not c.condition_is(d.status.get("conditions"), CONDITION, "True"):
        return False
    new = c.new_condition(CONDITION, "False", reason, message, d.now_text)
    d.set("conditions", c.set_condition(d.status.get("conditions"), new))
    return True


def _retried(d: Draft) -> bool:
    """Take back a retry: it would start a version that the spec does not name any more."""
    progressing = c.get_condition(d.status.get("conditions"), c.PROGRESSING) or {}
    if d.s.aborted or d.s.fully_promoted or progressing.get("reason") != "RolloutAborted":
        return False
    d.set("abort", True)
    text = "the spec names a newer version, which waits for the error budget; the aborted one is not retried"
    d.tell("RetryRefused", text, "Warning")
    return True
