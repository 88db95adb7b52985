"""Runs rows of the study in portions, and writes what came of them."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tests.studies.tables import NullRow, PowerRow
from tests.studies.vectorised import Outcome, play, rules
from tests.studies.worlds import Batch

PORTION = 2_000
TABLE_RUNS = 10_000
"""Releases behind each rate of the tables."""
DEVIATIONS = 3.3
"""Beyond these a rate is above the table's: among 160 comparisons chance does that once in ten studies."""
PROFILES = ("fast", "careful", "blind")


def wilson(hits: int, runs: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the Wilson interval of a rate, in percent."""
    rate, spread = hits / runs, z * z / runs
    centre = (rate + spread / 2) / (1 + spread)
    half = z * math.sqrt(rate * (1 - rate) / runs + z * z / (4 * runs * runs)) / (1 + spread)
    return max(0.0, 100 * (centre - half)), 100 * (centre + half)


def at_least(hits: int, runs: int, rate: float) -> float:
    """Return the probability of so many hits or more at a true rate."""
    fewer = math.fsum(math.comb(runs, k) * rate**k * (1 - rate) ** (runs - k) for k in range(hits))
    return max(0.0, 1.0 - fewer)


def worse_by(hits: int, runs: int, then: float, runs_then: int) -> float:
    """Return by how many standard deviations a rate lies above another one (pooled, continuity in favour)."""
    pooled = (hits + then * runs_then + 1) / (runs + runs_then + 2)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / runs + 1 / runs_then))
    return ((hits - 0.5) / runs - then) / deviation


@dataclass
class NullResult:
    """Counts of runs."""

    runs: int = 0
    aborted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PROFILES, 0))
    suspected: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PROFILES, 0))
    frozen: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PROFILES, 0))
    fixed: int = 0
    twice: int = 0
    seconds: float = 0.0

    def agrees(self, row: NullRow, profile: str) -> bool:
        """Tell whether the rate is the table's, or lower, as far as both samples can tell."""
        then = getattr(row, profile)[0] / 100
        return worse_by(self.aborted[profile], self.runs, then, TABLE_RUNS) <= DEVIATIONS


def portions(runs: int, seed: int) -> Iterable[tuple[int, int]]:
    for number in range(math.ceil(runs / PORTION)):
        yield min(PORTION, runs - number * PORTION), seed * 1_000 + number


def run_null(row: NullRow, runs: int, seed: int, **variant: float) -> NullResult:
    result, started = NullResult(), time.perf_counter()
    for size, own_seed in portions(runs, seed):
        batches: list[Batch] = []
        outcomes = play(row.world, size, own_seed, keep=batches, **variant)
        fixed, twice = rules(batches)
        result.runs, result.fixed, result.twice = (
            result.runs + size,
            result.fixed + fixed,
            result.twice + twice,
        )
        for profile, outcome in outcomes.items():
            result.aborted[profile] += int((outcome.aborted >= 0).sum())
            result.suspected[profile] += int(outcome.suspected.sum())
            result.frozen[profile] += int(outcome.frozen.sum())
    result.seconds = time.perf_counter() - started
    return result


@dataclass
class PowerResult:
    """Of all runs, those that miss it included: share found in percent, and medians from the onset.

    ``errors`` are canary errors served until the abort (or the end): median and 90th percentile.
    """

    found: float
    minutes: float | None
    errors: tuple[float, float]
    first_suspicion: float | None


def run_power(row: PowerRow, runs: int, seed: int) -> dict[str, PowerResult]:
    parts: dict[str, list[Outcome]] = {profile: [] for profile in PROFILES}
    for size, own_seed in portions(runs, seed):
        for profile, outcome in play(row.world, size, own_seed).items():
            parts[profile].append(outcome)
    return {profile: _power(outcomes, row.world.onset) for profile, outcomes in parts.items()}


def _power(outcomes: list[Outcome], onset: int) -> PowerResult:
    aborted = np.concatenate([o.aborted for o in outcomes])
    first = np.concatenate([o.first_suspicion for o in outcomes])
    errors = np.concatenate([o.errors for o in outcomes])
    return PowerResult(
        100 * float((aborted >= 0).mean()),
        _median_minutes(aborted, onset),
        (float(np.median(errors)), float(np.quantile(errors, 0.9))),
        _median_minutes(first, onset),
    )


def _median_minutes(ticks: NDArray[np.int64], onset: int) -> float | None:
    """Return the median over all runs; None when fewer than half got there."""
    median = float(np.median(np.where(ticks >= 0, (ticks + 1.0 - onset) / 4, np.inf)))
    return None if np.isinf(median) else median


def null_line(name: str, row: NullRow, result: NullResult) -> str:
    cells = [name + (" (t)" if row.tuned else "")]
    for profile in PROFILES:
        low, high = wilson(result.aborted[profile], result.runs)
        rate = 100 * result.aborted[profile] / result.runs
        mark = "" if result.agrees(row, profile) else " **above**"
        cells.append(f"{rate:.2f} [{low:.2f}, {high:.2f}]{mark}")
        cells.append(f"{getattr(row, profile)[0]:.2f}")
    cells.append(" / ".join(f"{100 * result.suspected[p] / result.runs:.1f}" for p in ("fast", "blind")))
    cells.append(" / ".join(f"{100 * result.frozen[p] / result.runs:.0f}" for p in ("fast", "blind")))
    cells += [f"{100 * value / result.runs:.1f}" for value in (result.fixed, result.twice)]
    return "| " + " | ".join(cells) + " |"


NULL_HEAD = (
    "| scenario | fast | then | careful | then | blind | then | suspect | freeze | fixed | twice |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)
POWER_HEAD = (
    "| scenario | fast | then | first suspicion | careful | blind | then |\n|---|---|---|---|---|---|---|"
)


def power_line(name: str, row: PowerRow, results: dict[str, PowerResult]) -> str:
    def shown(result: PowerResult) -> str:
        if result.minutes is None:
            return f"{result.found:.0f} %"
        return f"{result.found:.0f} % {result.minutes:.2f}m {result.errors[0]:.0f}/{result.errors[1]:.0f}"

    first = results["fast"].first_suspicion
    blind = f" {row.blind_minutes:.2f}m" if row.blind_minutes is not None else ""
    cells = [
        name,
        shown(results["fast"]),
        f"{row.found:g} % {row.minutes:.2f}m {row.errors[0]:g}/{row.errors[1]:g}",
        "-" if first is None else f"{first:.2f}m",
        shown(results["careful"]),
        shown(results["blind"]),
        f"{row.blind_found:g} %{blind}",
    ]
    return "| " + " | ".join(cells) + " |"
