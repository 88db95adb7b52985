"""How restless the stable pods are, and which of them is sick: the yardstick that evidence is weighed by."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.judges.grid import STABLE_GROUPS, ratio
from analysis.judges.sums import PairSums, Prior, Sums

MOST_LEFT_OUT = 2
FEWEST_GROUPS = 4
FEWEST_BAD = 6.0
SICK_DEVIATIONS = 6.0
LARGEST_LOAD_RATIO = 10.0


def spread_of_totals(bad: Sequence[float], expected: Sequence[float]) -> tuple[float, float]:
    """Return (nu, raw): Pearson dispersion of group totals around their expectation, and what it is worth.

    ``nu`` counts fewer degrees of freedom where fewer than a few events are expected in a group.
    """
    pairs = [(s, v) for s, v in zip(bad, expected, strict=True) if v > 0]
    total = sum(v for _, v in pairs)
    if not pairs:
        return 0.0, 0.0
    nu = degrees(len(pairs), total / len(pairs))
    raw = ratio(sum((s - v) ** 2 for s, v in pairs), sum(v * (1.0 - v / total) for _, v in pairs))
    return nu, raw


def degrees(groups: int, mean: float) -> float:
    """Return what a comparison of groups with this mean count is worth in degrees of freedom."""
    return (groups - 1) * 2.0 * mean / (1.0 + 2.0 * mean) if groups else 0.0


def leave_out_sick(sums: Sums) -> None:
    """Leave out the stable group with the largest excess, when no unrest of the others explains it."""
    groups_with_data = sum(v > 0 for v in sums.expected)
    if sum(sums.out) >= MOST_LEFT_OUT or groups_with_data < FEWEST_GROUPS:
        return
    i = max(range(STABLE_GROUPS), key=lambda g: sums.bad[g] - sums.expected[g])
    others = [g for g in range(STABLE_GROUPS) if g != i]
    scale = ratio(sum(sums.bad[g] for g in others), sum(sums.expected[g] for g in others))
    expected = sums.expected[i] * scale
    nu, raw = spread_of_totals([sums.bad[g] for g in others], [sums.expected[g] * scale for g in others])
    dispersion = max(1.0, (6.0 + nu * raw) / (4.0 + nu))
    limit = SICK_DEVIATIONS * math.sqrt(max(expected, 0.5) * dispersion)
    if sums.bad[i] < FEWEST_BAD or sums.bad[i] - expected <= limit:
        return
    sums.out[i] = True
    sums.expected = [v * scale for v in sums.expected]
    sums.bad[i] = sums.expected[i] = 0.0
    sums.tick_chi = sums.tick_variance = sums.tick_nu = 0.0


def dispersion(sums: Sums, *, sticky: bool = False) -> float:
    """Return D, the factor by which evidence is tempered (1 where stable pods are as calm as chance)."""
    priors = sums.priors
    nu, raw = spread_of_totals(sums.bad, sums.expected)
    tick = _mixed(priors.tick, sums.tick_nu, sums.tick_nu * ratio(sums.tick_chi, sums.tick_variance))
    totals = _mixed(priors.totals, nu, nu * raw)
    between = [_mixed_pairs(priors.time, sums.time)]
    if sticky:
        between.append(_mixed_pairs(priors.blocks, sums.blocks))
    return max(*between, 1.0 + _load_ratio(sums) * (max(1.0, tick, totals) - 1.0))


def _mixed(prior: Prior, nu: float, chi: float) -> float:
    return (prior.nu * prior.dispersion + chi) / (prior.nu + nu)


def _mixed_pairs(prior: Prior, pairs: PairSums) -> float:
    return _mixed(prior, pairs.nu, pairs.chi)


def _load_ratio(sums: Sums) -> float:
    """Return how much more load a canary group carries than a stable one, within 1…10."""
    canary = ratio(sum(u * u for u in sums.canary_expected), sum(sums.canary_expected))
    stable = ratio(sum(v * v for v in sums.expected), sum(sums.expected))
    return min(max(ratio(canary, stable), 1.0), LARGEST_LOAD_RATIO)
