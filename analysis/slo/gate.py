"""May a rollout start? From what is left of the error budget, and from how fast it burns right now.

``ok``: go. ``guarded``: go, with smaller steps. ``blocked``: wait, before anything is scaled. ``unknown``:
the budget could not be read; whether that lets a rollout through is a policy, by default it does not.
A rollback to an earlier revision is never held, and a person can override with a reason and an end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from analysis.spec.errors import SpecError

OVERRIDE_ANNOTATION = "rollouts.dev/budget-override"
_UNTIL = re.compile(r"(.*);\s*until\s*=(.*)", re.DOTALL)
LONGEST_OVERRIDE = timedelta(days=7)


class GateState(StrEnum):
    """What the budget says."""

    OK = "ok"
    GUARDED = "guarded"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class OnUnknown(StrEnum):
    """What follows when the budget cannot be read."""

    HOLD = "hold"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """Shares of the budget that must be left, and what else holds. ``recheck`` is how soon to look again."""

    guarded_below: float = 0.25
    blocked_below: float = 0.10
    block_on_page_burn: bool = True
    on_unknown: OnUnknown = OnUnknown.HOLD
    recheck: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        if not 0 <= self.blocked_below <= self.guarded_below <= 1:
            raise ValueError(
                "wanted 0 <= blockedBelow <= guardedBelow <= 1, not"
                f" {self.blocked_below:g} and {self.guarded_below:g}"
            )


@dataclass(frozen=True, slots=True)
class Burning:
    """A page-level pair and the burn rates in it; None where there is no data."""

    name: str
    factor: float
    long: float | None
    short: float | None

    @property
    def fires(self) -> bool:
        """Tell whether both windows are above the factor."""
        return None not in (self.long, self.short) and min(self.long or 0, self.short or 0) > self.factor


@dataclass(frozen=True, slots=True)
class BudgetReading:
    """What was read: the share that is left (None when unknown: ``problem``), and the page-level pairs."""

    remaining: float | None
    burning: Sequence[Burning] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Override:
    """A person's word that the rollout starts anyway."""

    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class GateDecision:
    """``allowed`` decides; ``state`` is what the budget says, whatever was decided.

    ``recheck_at`` is set while the rollout waits. ``evidence`` has what was read and which rule spoke.
    """

    state: GateState
    allowed: bool
    reason: str
    evidence: Mapping[str, str]
    recheck_at: datetime | None = None
    overridden: bool = False


def decide_gate(
    policy: GatePolicy,
    reading: BudgetReading,
    now: datetime,
    *,
    override: Override | None = None,
    rollback: bool = False,
) -> GateDecision:
    """Return whether a rollout may start. ``rollback`` says that it goes back to an earlier revision."""
    state, reason = _state(policy, reading)
    allowed, rule = _allowed(policy, state)
    overridden = False
    if rollback and not allowed:
        allowed, rule, reason = True, "rollback", f"a rollback is never held ({reason})"
    elif override is not None and not allowed:
        if override.until > now:
            allowed, rule, overridden = True, "override", True
            reason = f"overridden until {_text(override.until)}: {override.reason} ({reason})"
        else:
            reason = f"{reason}; the override ended at {_text(override.until)}"
    evidence = {"state": state.value, "rule": rule, **_evidence(reading)}
    recheck_at = None if allowed else now + policy.recheck
    return GateDecision(state, allowed, reason, evidence, recheck_at, overridden)


def _state(policy: GatePolicy, reading: BudgetReading) -> tuple[GateState, str]:
    firing = [pair for pair in reading.burning if pair.fires]
    if firing and policy.block_on_page_burn:
        pair = firing[0]
        rates = f"{pair.long:.3g} and {pair.short:.3g}"
        return (
            GateState.BLOCKED,
            f"the budget burns at page level: {rates} times in {pair.name}, above {pair.factor:g}",
        )
    if reading.remaining is None:
        return GateState.UNKNOWN, f"the error budget is unknown: {reading.problem or 'no data'}"
    left = f"{reading.remaining:.1%} of the error budget is left"
    if reading.remaining < policy.blocked_below:
        return GateState.BLOCKED, f"{left}, below {policy.blocked_below:.0%}"
    if reading.remaining < policy.guarded_below:
        return GateState.GUARDED, f"{left}, below {policy.guarded_below:.0%}: take smaller steps"
    return GateState.OK, left


def _allowed(policy: GatePolicy, state: GateState) -> tuple[bool, str]:
    if state is GateState.UNKNOWN:
        return policy.on_unknown is OnUnknown.OPEN, f"onUnknown {policy.on_unknown.value}"
    return state is not GateState.BLOCKED, "budget"


def _evidence(reading: BudgetReading) -> dict[str, str]:
    found = {"remaining": "unknown" if reading.remaining is None else f"{reading.remaining:.6g}"}
    for pair in reading.burning:
        found[f"burn {pair.name}"] = f"{_rate(pair.long)}/{_rate(pair.short)} of {pair.factor:g}"
    return found


def _rate(rate: float | None) -> str:
    return "no data" if rate is None else f"{rate:.4g}"


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def read_override(annotations: Mapping[str, str], now: datetime) -> Override | None:
    """Return the override in an object's annotations, expired or not; None when there is none.

    It is written ``reason; until=2026-01-31T18:00:00Z``. Raises SpecError when it has no reason, no end that
    can be read, or an end too far away.
    """
    text = annotations.get(OVERRIDE_ANNOTATION, "").strip()
    if not text:
        return None
    path = f"metadata.annotations[{OVERRIDE_ANNOTATION}]"
    found = _UNTIL.fullmatch(text)
    if found is None:
        raise SpecError(
            path, "an override needs an end: write it as why this cannot wait; until=2026-01-31T18:00:00Z"
        )
    return override_of(found[1].strip(), found[2].strip(), now, (path, path))


def override_of(reason: str, until: str, now: datetime, paths: tuple[str, str]) -> Override:
    """Return an override from its two texts; ``paths`` are their fields. Raises SpecError."""
    if not reason:
        raise SpecError(paths[0], "an override needs a reason: say why this rollout cannot wait")
    try:
        end = datetime.fromisoformat(until)
    except ValueError:
        raise SpecError(
            paths[1], "an override needs an end such as 2026-01-31T18:00:00Z; this cannot be read"
        ) from None
    if end.tzinfo is None:
        raise SpecError(paths[1], "the end has no time zone; write it as 2026-01-31T18:00:00Z")
    if end - now > LONGEST_OVERRIDE:
        raise SpecError(paths[1], f"an override lasts at most {LONGEST_OVERRIDE.days} days")
    return Override(reason, end)
