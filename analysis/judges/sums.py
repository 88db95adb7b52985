"""The judge's state between ticks: sums that fit into a few kilobytes of JSON, exact to the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.judges.grid import CANARY_GROUPS, FIRST_PAIR, GRID, PAIRS, ROWS, STABLE_GROUPS


class StateUnreadable(ValueError):
    """Saved state is not what this version wrote. The judge starts again without history."""


@dataclass(frozen=True, slots=True)
class Prior:
    """A dispersion that is believed before the data, worth ``nu`` degrees of freedom."""

    nu: float
    dispersion: float


@dataclass(frozen=True, slots=True)
class Priors:
    """Of the spread within a tick, between neighbouring ticks, of totals, and between blocks of ticks."""

    tick: Prior = Prior(10.0, 1.0)
    time: Prior = Prior(8.0, 1.0)
    totals: Prior = Prior(6.0, 1.25)
    blocks: Prior = Prior(2.0, 2.0)


BLIND = Priors(totals=Prior(6.0, 2.0))
"""Without a look-back at the stable pods."""
UNKNOWN_BAD = (2.0,) * CANARY_GROUPS
"""Stands in a state that was saved before bad events of canary groups were kept: enough for any verdict."""


@dataclass(slots=True)
class PairSums:
    """Unrest of the stable total from one period to the next, in disjoint pairs of periods.

    ``held`` is (bad, requests) of a period whose partner has not come.
    """

    chi: float = 0.0
    nu: float = 0.0
    held: tuple[float, float] | None = None

    def add(self, bad: float, requests: float) -> None:
        """Take one more period."""
        if self.held is None:
            self.held = (bad, requests)
            return
        bad0, requests0 = self.held
        self.held = None
        share = requests / (requests + requests0)
        variance = (bad + bad0) * share * (1.0 - share)
        if variance > 0.5:
            self.chi += (bad - (bad + bad0) * share) ** 2 / variance
            self.nu += 1.0

    def copy(self) -> PairSums:
        """Return an equal one."""
        return PairSums(self.chi, self.nu, self.held)


@dataclass(slots=True)
class Sums:
    """All that is kept. Lists are per stable group (16), per canary group (4), or per row (11) and grid (8).

    ``evidence`` holds log likelihood sums; ``bad`` and ``expected`` those of stable groups;
    ``canary_expected``, ``canary_requests`` and ``canary_bad`` (as counted, not clipped) those of canary
    groups; ``out`` the stable groups left out as sick.
    """

    evidence: list[list[float]] = field(default_factory=lambda: [[0.0] * len(GRID) for _ in ROWS])
    bad: list[float] = field(default_factory=lambda: [0.0] * STABLE_GROUPS)
    expected: list[float] = field(default_factory=lambda: [0.0] * STABLE_GROUPS)
    canary_expected: list[float] = field(default_factory=lambda: [0.0] * CANARY_GROUPS)
    canary_requests: list[float] = field(default_factory=lambda: [0.0] * CANARY_GROUPS)
    out: list[bool] = field(default_factory=lambda: [False] * STABLE_GROUPS)
    tick_chi: float = 0.0
    tick_variance: float = 0.0
    tick_nu: float = 0.0
    time: PairSums = field(default_factory=PairSums)
    blocks: PairSums = field(default_factory=PairSums)
    block: tuple[float, float, int] = (0.0, 0.0, 0)
    """Bad events, requests and ticks of the block that is filling."""
    priors: Priors = Priors()
    canary_bad: list[float] = field(default_factory=lambda: [0.0] * CANARY_GROUPS)

    def copy(self) -> Sums:
        """Return an equal one that shares no list."""
        return Sums(
            [row.copy() for row in self.evidence],
            self.bad.copy(),
            self.expected.copy(),
            self.canary_expected.copy(),
            self.canary_requests.copy(),
            self.out.copy(),
            self.tick_chi,
            self.tick_variance,
            self.tick_nu,
            self.time.copy(),
            self.blocks.copy(),
            self.block,
            self.priors,
            self.canary_bad.copy(),
        )

    def dropped(self, group: int) -> Sums:
        """Return the sums without what one canary group said: its pod was replaced."""
        rows = [row.copy() for row in self.evidence]
        single = {g: 1 + g for g in range(CANARY_GROUPS)}
        pair = {pair: FIRST_PAIR + i for i, pair in enumerate(PAIRS)}
        rows[0] = self.evidence[single[group]].copy()
        for other in range(CANARY_GROUPS):
            if other != group:
                rows[single[other]] = self.evidence[pair[_ordered(group, other)]].copy()
        for (a, b), index in pair.items():
            if group not in (a, b):
                both = (index, pair[_ordered(group, a)], pair[_ordered(group, b)])
                rows[index] = [min(values) for values in zip(*(self.evidence[i] for i in both), strict=True)]
        left = self.copy()
        left.evidence = rows
        left.canary_expected[group] = left.canary_requests[group] = left.canary_bad[group] = 0.0
        return left

    def dump(self) -> dict[str, Any]:
        """Return JSON data that ``load`` reads back without losing a bit."""
        priors = self.priors
        return {
            "L": self.evidence,
            "S": self.bad,
            "V": self.expected,
            "U": self.canary_expected,
            "X": self.canary_requests,
            "C": self.canary_bad,
            "out": [g for g, left_out in enumerate(self.out) if left_out],
            "tick": [self.tick_chi, self.tick_variance, self.tick_nu],
            "time": _dump_pairs(self.time),
            "blocks": _dump_pairs(self.blocks),
            "block": list(self.block),
            "priors": [
                [p.nu, p.dispersion] for p in (priors.tick, priors.time, priors.totals, priors.blocks)
            ],
        }

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Sums:
        """Return what ``dump`` wrote. Raises StateUnreadable."""
        try:
            chi, variance, nu = _floats(data["tick"], 3)
            return cls(
                [_floats(row, len(GRID)) for row in _sized(data["L"], len(ROWS))],
                _floats(data["S"], STABLE_GROUPS),
                _floats(data["V"], STABLE_GROUPS),
                _floats(data["U"], CANARY_GROUPS),
                _floats(data["X"], CANARY_GROUPS),
                [g in data["out"] for g in range(STABLE_GROUPS)],
                chi,
                variance,
                nu,
                _load_pairs(data["time"]),
                _load_pairs(data["blocks"]),
                _block(data["block"]),
                Priors(*(Prior(*_floats(p, 2)) for p in _sized(data["priors"], 4))),
                _floats(data.get("C", UNKNOWN_BAD), CANARY_GROUPS),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StateUnreadable(f"saved sums of the judge cannot be read: {error}") from error


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)


def _dump_pairs(pairs: PairSums) -> list[Any]:
    return [pairs.chi, pairs.nu, list(pairs.held) if pairs.held is not None else None]


def _load_pairs(data: Any) -> PairSums:
    chi, nu, held = data
    return PairSums(float(chi), float(nu), None if held is None else (float(held[0]), float(held[1])))


def _block(data: Any) -> tuple[float, float, int]:
    bad, requests, ticks = data
    return float(bad), float(requests), int(ticks)


def _sized(data: Any, length: int) -> list[Any]:
    if len(data) != length:
        raise ValueError(f"{len(data)} values where {length} belong")
    return list(data)


def _floats(data: Any, length: int) -> list[float]:
    return [float(value) for value in _sized(data, length)]
