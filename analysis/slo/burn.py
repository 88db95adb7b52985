"""Burn rates: how fast an error budget is spent, and when that is worth a page or a ticket.

With an objective T over a period P the budget is B = 1 - T. The burn rate over a window is the share of bad
events in it, divided by B: at 1 the budget lasts exactly P. To tell when a share x of the budget went in a
window w, the burn rate to alert at is x * P / w (Google, *The Site Reliability Workbook*, chapter 5). A long
window says that it matters, a short one (a twelfth) that it still goes on. Shares are of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from analysis.slo.model import PAGE, TICKET, ServiceLevelObjectiveSpec
from analysis.slo.periods import parse_period
from analysis.spec.errors import SpecError


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """A pair of windows that fires when the burn rate is above ``factor`` in both."""

    severity: str
    long: timedelta
    short: timedelta
    factor: Fraction


@dataclass(frozen=True, slots=True)
class Share:
    """A pair as it is declared: the share of the budget that may go within ``long``."""

    severity: str
    budget: Fraction
    long: timedelta
    short: timedelta


STANDARD = (
    Share(PAGE, Fraction(2, 100), timedelta(hours=1), timedelta(minutes=5)),
    Share(PAGE, Fraction(5, 100), timedelta(hours=6), timedelta(minutes=30)),
    Share(TICKET, Fraction(10, 100), timedelta(days=1), timedelta(hours=2)),
    Share(TICKET, Fraction(10, 100), timedelta(days=3), timedelta(hours=6)),
)
"""The pairs of the SRE Workbook; for 30 days the factors are 14.4, 6, 3 and 1."""


SLOWEST = Fraction(9, 10)
"""Standard pairs with a lower factor are left out: they would alert while the objective is kept."""


def exact(value: float) -> Fraction:
    """Return the decimal number that a person wrote: 0.999 is 999/1000, not the nearest binary number."""
    return Fraction(repr(value))


def budget(objective: float) -> Fraction:
    """Return the share of events that may be bad."""
    return 1 - exact(objective)


def factor(budget_share: Fraction, window: timedelta, period: timedelta) -> Fraction:
    """Return the burn rate that spends ``budget_share`` of the period's budget within ``window``."""
    return budget_share * _ratio(period, window)


def burn_windows(period: timedelta, shares: Sequence[Share] = STANDARD) -> tuple[BurnWindow, ...]:
    """Return the pairs for a period, with their factors."""
    return tuple(
        BurnWindow(share.severity, share.long, share.short, factor(share.budget, share.long, period))
        for share in shares
    )


def windows_of(spec: ServiceLevelObjectiveSpec) -> tuple[BurnWindow, ...]:
    """Return the pairs of an objective: its own, else the standard ones. Raises SpecError."""
    period = _period(spec.window, "spec.window")
    if not spec.alerting.windows:
        return tuple(pair for pair in burn_windows(period) if pair.factor >= SLOWEST)
    shares = []
    for index, window in enumerate(spec.alerting.windows):
        path = f"spec.alerting.windows[{index}]"
        long, short = _period(window.long, f"{path}.long"), _period(window.short, f"{path}.short")
        if window.severity not in (PAGE, TICKET):
            raise SpecError(f"{path}.severity", f"wanted {PAGE} or {TICKET}, not {window.severity!r}")
        if not 0 < window.budget_share <= 1:
            raise SpecError(f"{path}.budgetShare", "wanted a share of the budget, above 0 and up to 1 (0.02)")
        if not short < long <= period:
            raise SpecError(path, "short must be shorter than long, and long not longer than spec.window")
        shares.append(Share(window.severity, exact(window.budget_share), long, short))
    return burn_windows(period, shares)


def burn_rate(error_ratio: float, objective: float) -> float:
    """Return how many times faster than allowed the budget is spent."""
    return error_ratio / float(budget(objective))


def budget_used(rate: float, window: timedelta, period: timedelta) -> float:
    """Return the share of the period's budget that a burn rate spends in a window."""
    return rate * float(_ratio(window, period))


def budget_remaining(error_ratio: float, objective: float) -> float:
    """Return the share of the budget that is left, from the error ratio over the whole period.

    Below 0 when more than the budget is gone.
    """
    return 1.0 - burn_rate(error_ratio, objective)


def time_to_exhaustion(remaining: float, rate: float, period: timedelta) -> timedelta | None:
    """Return when the budget is gone if it burns on at ``rate``; None when it does not burn."""
    if remaining <= 0:
        return timedelta()
    return period * (remaining / rate) if rate > 0 else None


def detection_time(error_ratio: float, objective: float, window: BurnWindow) -> timedelta | None:
    """Return after how long a constant error ratio, out of the blue, exceeds a pair's factor; None for never.

    The long window fills last, so the short one does not matter here.
    """
    threshold = float(window.factor * budget(objective))
    if error_ratio <= threshold:
        return None
    return window.long * (threshold / error_ratio)


def canary_error_to_page(
    weight: float, stable_error: float, objective: float, window: BurnWindow
) -> float | None:
    """Return the error ratio with which a canary trips a pair that looks at the whole service.

    ``weight`` is its share of the traffic. None when even all of its requests failing would not do.

    The reason to burn on canary-only traffic: at 5 % weight, 0.02 % base errors and 99.9 % that is 28 %.
    """
    needed = (float(window.factor * budget(objective)) - (1 - weight) * stable_error) / weight
    return needed if needed <= 1 else None


def requests_to_certify(objective: float) -> int:
    """Return how many requests without a bad one say, with 95 % confidence, that the objective is kept.

    The rule of three: about 3 / B.
    """
    return -(-3 // budget(objective))


def _ratio(one: timedelta, other: timedelta) -> Fraction:
    tick = timedelta(microseconds=1)
    return Fraction(one // tick, other // tick)


def _period(text: str, path: str) -> timedelta:
    try:
        return parse_period(text)
    except ValueError as error:
        raise SpecError(path, str(error)) from None
