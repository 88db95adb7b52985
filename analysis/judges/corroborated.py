"""The judge for bad events: a conditional e-process that has to survive leaving out the worst pods.

Each tick compares the canary's share of bad events with its share of requests, so that load, weight and
shared incidents cancel. Evidence is clipped per pod, tempered by the unrest of the stable pods, floored, and
counted for every row of canary groups (all, without each one, without each pair).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.judges.dispersion import degrees, dispersion, leave_out_sick, spread_of_totals
from analysis.judges.grid import (
    CANARY_GROUPS,
    FIRST_PAIR,
    FLOOR,
    GRID,
    LOG_GRID,
    LOG_WEIGHTS,
    MARGIN,
    PAIRS,
    ROWS,
    STABLE_GROUPS,
    log_sum_exp,
    ratio,
)
from analysis.judges.sums import Prior, Priors, Sums

BLOCK_TICKS = 8
LOOK_BACK_ROUND = 20
"""Ticks after which the look-back takes stock of its totals."""
PENALTY = math.log(1.5)
"""Taken off log evidence once a stable group was left out by looking at the data."""

Counts = Sequence[tuple[float, float]]
"""(bad events, requests) per group."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Counts of one disjoint interval: 16 stable and 4 canary groups, (bad events, requests) each.

    ``young`` is the share of canary requests that went to pods in their first 45 s.
    """

    stable: tuple[tuple[float, float], ...]
    canary: tuple[tuple[float, float], ...] = ((0.0, 0.0),) * CANARY_GROUPS
    young: float = 0.0


@dataclass(frozen=True, slots=True)
class Settings:
    """``cold`` is the share y of a declared cold start (0 for none); ``sticky`` adds the block rule."""

    cold: float = 0.0
    sticky: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """Log e-values after a tick: of each row, and the weakest of those that leave out one or two groups.

    ``one_left_out`` is minus infinity below two groups (nothing corroborates a lone pod), ``two_left_out``
    plus infinity below three. ``outside`` are the canary's bad events less those of its worst group.
    """

    rows: tuple[float, ...]
    total: float
    one_left_out: float
    two_left_out: float
    dispersion: float
    groups: tuple[int, ...]
    outside: float = math.inf


NOTHING = Evidence((0.0,) * len(ROWS), 0.0, -math.inf, math.inf, 1.0, ())
"""Before the first tick."""


def advance(sums: Sums, tick: Tick, settings: Settings | None = None) -> Sums:
    """Return the sums with one more tick; the same ones for a tick without stable or canary requests."""
    settings = settings or Settings()
    stable = _without(sums, tick.stable)
    if not sum(n for _, n in stable) or not sum(m for _, m in tick.canary):
        return sums
    sums = sums.copy()
    stable, rate = _clipped(stable)
    canary = [(min(c, 2.0 + 5.0 * rate * m), m) for c, m in tick.canary]
    _count_stable(sums, stable)
    bad, requests = sum(e for e, _ in stable), sum(n for _, n in stable)
    for g, (counted, m) in enumerate(tick.canary):
        sums.canary_bad[g] += counted
        sums.canary_requests[g] += m
        sums.canary_expected[g] += bad / requests * m
    leave_out_sick(sums)
    margin = MARGIN * (1.0 + settings.cold * tick.young)
    floor = -FLOOR * dispersion(sums, sticky=settings.sticky)
    for row, groups in enumerate(ROWS):
        _weigh(sums.evidence[row], [canary[g] for g in groups], bad, requests, margin)
        sums.evidence[row] = [max(value, floor) for value in sums.evidence[row]]
    return sums


def evidence(sums: Sums, settings: Settings | None = None) -> Evidence:
    """Return what the sums say."""
    d = dispersion(sums, sticky=settings is not None and settings.sticky)
    penalty = PENALTY if any(sums.out) else 0.0
    rows = tuple(
        log_sum_exp(w + value / d for w, value in zip(LOG_WEIGHTS, row, strict=True)) - penalty
        for row in sums.evidence
    )
    groups = tuple(g for g in range(CANARY_GROUPS) if sums.canary_requests[g] > 0)
    return from_rows(rows, groups, d, sum(sums.canary_bad) - max(sums.canary_bad))


def from_rows(
    rows: tuple[float, ...], groups: tuple[int, ...], dispersion: float, outside: float = math.inf
) -> Evidence:
    """Return the evidence of rows, with the weakest ones taken over the groups that had requests."""
    one = min((rows[1 + g] for g in groups), default=-math.inf) if len(groups) >= 2 else -math.inf
    pairs = [FIRST_PAIR + i for i, (g, h) in enumerate(PAIRS) if g in groups and h in groups]
    two = min((rows[i] for i in pairs), default=math.inf) if len(groups) >= 3 else math.inf
    return Evidence(rows, rows[0], one, two, dispersion, groups, outside)


def look_back(ticks: Sequence[Tick]) -> Sums:
    """Return fresh sums whose priors were learnt from ticks of the stable pods alone."""
    sums, worth, chi = Sums(), 0.0, 0.0
    for number, tick in enumerate(ticks, start=1):
        stable = _without(sums, tick.stable)
        if sum(n for _, n in stable):
            _count_stable(sums, _clipped(stable)[0])
        if number % LOOK_BACK_ROUND:
            continue
        leave_out_sick(sums)
        nu, raw = spread_of_totals(sums.bad, sums.expected)
        worth, chi = worth + nu, chi + nu * raw
        sums.bad, sums.expected = [0.0] * STABLE_GROUPS, [0.0] * STABLE_GROUPS
    return _start(sums, worth, chi)


def _start(sums: Sums, worth: float, chi: float) -> Sums:
    tick_chi = sums.tick_nu * ratio(sums.tick_chi, sums.tick_variance)
    priors = Priors(
        tick=Prior(min(10.0 + sums.tick_nu, 60.0), (10.0 + tick_chi) / (10.0 + sums.tick_nu)),
        time=Prior(min(8.0 + sums.time.nu, 30.0), (8.0 + sums.time.chi) / (8.0 + sums.time.nu)),
        totals=Prior(min(6.0 + worth, 40.0), (6.0 * 1.25 + chi) / (6.0 + worth)),
        blocks=Prior(min(2.0 + sums.blocks.nu, 20.0), (2.0 * 2.0 + sums.blocks.chi) / (2.0 + sums.blocks.nu)),
    )
    fresh = Sums(out=sums.out.copy(), priors=priors, block=sums.block)
    fresh.time.held, fresh.blocks.held = sums.time.held, sums.blocks.held
    return fresh


def _without(sums: Sums, stable: Counts) -> list[tuple[float, float]]:
    return [(0.0, 0.0) if out else counts for counts, out in zip(stable, sums.out, strict=True)]


def _clipped(stable: Counts) -> tuple[list[tuple[float, float]], float]:
    """Return stable counts in which no group shouts, and the bad share without the loudest one."""
    loudest = max(range(len(stable)), key=lambda g: stable[g][0])
    bad = sum(e for e, _ in stable) - stable[loudest][0]
    requests = sum(n for _, n in stable) - stable[loudest][1]
    rate = bad / max(requests, 1.0)
    return [(min(e, 2.0 + 5.0 * rate * n), n) for e, n in stable], rate


def _count_stable(sums: Sums, stable: Counts) -> None:
    bad, requests = sum(e for e, _ in stable), sum(n for _, n in stable)
    for g, (e, n) in enumerate(stable):
        expected = bad * n / requests
        sums.tick_chi += (e - expected) ** 2
        sums.tick_variance += expected * (1.0 - n / requests)
        sums.bad[g] += e
        sums.expected[g] += expected
    groups = sum(n > 0 for _, n in stable)
    sums.tick_nu += degrees(groups, bad / groups)
    sums.time.add(bad, requests)
    filling = (sums.block[0] + bad, sums.block[1] + requests, sums.block[2] + 1)
    if filling[2] == BLOCK_TICKS:
        sums.blocks.add(filling[0], filling[1])
        filling = (0.0, 0.0, 0)
    sums.block = filling


def _weigh(row: list[float], canary: Counts, bad: float, requests: float, margin: float) -> None:
    """Add the tick's log likelihood ratio of each alternative to a row."""
    canary_bad, canary_requests = sum(c for c, _ in canary), sum(m for _, m in canary)
    if not canary_requests:
        return
    usual = margin * canary_requests
    for k, (g, log_g) in enumerate(zip(GRID, LOG_GRID, strict=True)):
        change = math.log((usual * g + requests) / (usual + requests))
        row[k] += canary_bad * log_g - (canary_bad + bad) * change
