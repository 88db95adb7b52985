"""Ticks for the judge's tests, by hand and by chance."""

import random

from analysis.judges.corroborated import Tick


def tick(
    stable: list[tuple[float, float]], canary: list[tuple[float, float]] | None = None, young: float = 0.0
) -> Tick:
    """Fill up to 16 and 4 groups with nothing."""
    canary = canary or []
    empty = (0.0, 0.0)
    return Tick(
        tuple(stable + [empty] * (16 - len(stable))), tuple(canary + [empty] * (4 - len(canary))), young
    )


def drawn(seed: int, ticks: int, *, rate: float = 0.01, factor: float = 1.0, pods: int = 4) -> list[Tick]:
    """Draw counts from binomials: 16 stable groups and ``pods`` canary groups of 100 requests."""
    dice = random.Random(seed)

    def group(p: float) -> tuple[float, float]:
        return float(sum(dice.random() < p for _ in range(100))), 100.0

    return [
        tick([group(rate) for _ in range(16)], [group(rate * factor) for _ in range(pods)])
        for _ in range(ticks)
    ]
