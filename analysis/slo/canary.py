"""Does the canary alone burn the budget too fast? Its own traffic, in windows as short as its life, decides.

Alerts on the whole service cannot protect it: at 5 % weight a canary must fail 28 % of its requests before a
99.9 % objective pages. The pairs here are those of the bake: 14.4 times in 5m and 1m, 6 times in 30m and 5m.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from analysis.slo.spend import Spent

MIN_REQUESTS = 100
MIN_BAD = 5


class Outcome(StrEnum):
    """What the burn says. ``no data``: nobody can tell; that is neither good nor bad."""

    BURNING = "burning"
    SPENT = "spent"
    WELL = "well"
    NO_DATA = "no data"


@dataclass(frozen=True, slots=True)
class CanaryPair:
    """Two windows, as Prometheus writes them, and the burn rate that is too fast in both."""

    long: str
    short: str
    factor: float


DEFAULT_PAIRS = (CanaryPair("5m", "1m", 14.4), CanaryPair("30m", "5m", 6.0))


@dataclass(frozen=True, slots=True)
class Seen:
    """The canary's traffic over a window. ``ratio`` is None without traffic, counts are None when unknown."""

    ratio: float | None
    requests: float | None = None
    bad: float | None = None


@dataclass(frozen=True, slots=True)
class Least:
    """How much must be seen before a verdict: one bad request of twenty is no burn rate of 50."""

    requests: float = MIN_REQUESTS
    bad: float = MIN_BAD


@dataclass(frozen=True, slots=True)
class CanaryBurn:
    """The judgement, with the numbers it rests on."""

    outcome: Outcome
    reason: str
    evidence: Mapping[str, str]


def judge_canary(
    pairs: Sequence[CanaryPair],
    seen: Mapping[str, Seen],
    budget: float,
    least: Least = Least(),
    spent: Spent | None = None,
) -> CanaryBurn:
    """Return whether the canary burns too fast, from what was seen over every window of the pairs.

    ``budget`` is the share of requests that may be bad. Raises KeyError when a window is missing.
    """
    evidence = _evidence(pairs, seen, budget, spent)
    if spent is not None and spent.over:
        reason = f"the canary has cost {spent.extra:.0f} bad requests, more than the {spent.cap:.0f} it may"
        return CanaryBurn(Outcome.SPENT, reason, evidence)
    for pair in pairs:
        long, short = _rate(seen[pair.long], budget), _rate(seen[pair.short], budget)
        if long is None or short is None or min(long, short) <= pair.factor:
            continue
        if _enough(seen[pair.long], least) and _enough_bad(seen[pair.long], least):
            reason = (
                f"the canary burns the error budget {long:.3g} times too fast over {pair.long} and"
                f" {short:.3g} times over {pair.short}, above {pair.factor:g}"
            )
            return CanaryBurn(Outcome.BURNING, reason, evidence)
    widest = max((seen[pair.long] for pair in pairs), key=lambda one: one.requests or 0.0)
    if widest.ratio is None:
        return CanaryBurn(Outcome.NO_DATA, "no request of the canary was measured", evidence)
    if not _enough(widest, least):
        reason = f"the canary had {widest.requests:.0f} requests, too few to tell (below {least.requests:g})"
        return CanaryBurn(Outcome.NO_DATA, reason, evidence)
    return CanaryBurn(Outcome.WELL, "the canary keeps within the error budget", evidence)


def _rate(seen: Seen, budget: float) -> float | None:
    return None if seen.ratio is None else seen.ratio / budget


def _enough(seen: Seen, least: Least) -> bool:
    return seen.requests is None or seen.requests >= least.requests


def _enough_bad(seen: Seen, least: Least) -> bool:
    return seen.bad is None or seen.bad >= least.bad


def _evidence(
    pairs: Sequence[CanaryPair], seen: Mapping[str, Seen], budget: float, spent: Spent | None
) -> dict[str, str]:
    found: dict[str, str] = {"budget": f"{budget:.6g}"}
    for pair in pairs:
        rates = [_text(_rate(seen[window], budget)) for window in (pair.long, pair.short)]
        found[f"burn {pair.long}/{pair.short}"] = f"{rates[0]}/{rates[1]} of {pair.factor:g}"
    for window in dict.fromkeys(pair.long for pair in pairs):
        if seen[window].requests is not None:
            found[f"requests {window}"] = _text(seen[window].requests)
            found[f"bad {window}"] = _text(seen[window].bad)
    if spent is not None:
        found["spent"] = f"{spent.extra:.6g} of {spent.cap:.6g} bad requests"
    return found


def _text(number: float | None) -> str:
    return "no data" if number is None else f"{number:.4g}"
