"""What a trial is about, and what it is fed with: terms and counted intervals, and their saved forms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.judges.corroborated import Settings, Tick
from analysis.judges.profiles import LEVELS, Levels, Profile
from analysis.judges.sums import StateUnreadable


@dataclass(frozen=True, slots=True)
class Terms:
    """What the trial is about; fixed at its start.

    ``edges`` are those of a histogram (seconds), () for errors. ``focus`` is the question that the objective
    and non-inferiority are about, None when no edge was named. ``allowed`` is the bad share of the
    objective. ``factor`` multiplies the levels (a later attempt). ``weight`` is the canary's share 0…1.
    """

    profile: Profile
    factor: float = 1.0
    edges: tuple[float, ...] = ()
    focus: int | None = 0
    cold: float = 0.0
    sticky: bool = False
    allowed: float | None = None
    strict: bool = False
    weight: float | None = None
    spend_cap: float | None = None

    @property
    def levels(self) -> Levels:
        """Return the levels of this attempt."""
        return LEVELS[self.profile].times(self.factor)

    @property
    def settings(self) -> Settings:
        """Return the judge's own settings."""
        return Settings(self.cold, self.sticky)

    def dump(self) -> dict[str, Any]:
        """Return JSON data for ``load``."""
        return {
            "profile": self.profile.value,
            "factor": self.factor,
            "edges": list(self.edges),
            "focus": self.focus,
            "cold": self.cold,
            "sticky": self.sticky,
            "allowed": self.allowed,
            "strict": self.strict,
            "weight": self.weight,
            "spendCap": self.spend_cap,
        }

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Terms:
        """Return what ``dump`` wrote. Raises StateUnreadable."""
        try:
            return cls(
                Profile(data["profile"]),
                float(data["factor"]),
                tuple(float(edge) for edge in data["edges"]),
                data["focus"],
                float(data["cold"]),
                bool(data["sticky"]),
                data["allowed"],
                bool(data["strict"]),
                data["weight"],
                data["spendCap"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StateUnreadable(f"saved terms cannot be read: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Counted:
    """One interval, ready to be judged: a tick per question (or edge), and the canary's pods by group.

    ``warming`` says that most canary requests went to pods that are too young for a latency judge.
    """

    ticks: tuple[Tick, ...]
    pods: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    warming: bool = False

    @property
    def void(self) -> bool:
        """Tell whether one side had no requests: the interval says nothing."""
        return not sum(n for _, n in self.ticks[0].stable) or not sum(m for _, m in self.ticks[0].canary)

    def dump(self) -> list[Any]:
        """Return JSON data for ``load``."""
        return [
            [[_numbers(tick.stable), _numbers(tick.canary), tick.young] for tick in self.ticks],
            {str(group): list(names) for group, names in self.pods.items()},
            self.warming,
        ]

    @classmethod
    def load(cls, data: Any) -> Counted:
        """Return what ``dump`` wrote. Raises StateUnreadable."""
        try:
            ticks, pods, warming = data
            return cls(
                tuple(Tick(_pairs(stable), _pairs(canary), float(young)) for stable, canary, young in ticks),
                {int(group): tuple(names) for group, names in pods.items()},
                bool(warming),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateUnreadable(f"a saved tick cannot be read: {error!r}") from error


def _numbers(pairs: tuple[tuple[float, float], ...]) -> list[Any]:
    """Return pairs flat, whole numbers without ".0", and nothing after the last group that has any."""
    flat = [int(value) if value == math.floor(value) else value for pair in pairs for value in pair]
    while flat and flat[-1] == 0:
        flat.pop()
    return [len(pairs), *flat]


def _pairs(data: list[Any]) -> tuple[tuple[float, float], ...]:
    size, flat = int(data[0]), [float(value) for value in data[1:]]
    flat += [0.0] * (2 * size - len(flat))
    return tuple((flat[2 * i], flat[2 * i + 1]) for i in range(size))
