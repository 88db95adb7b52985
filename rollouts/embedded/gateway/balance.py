"""Which backend takes the next request: smooth weighted round-robin, deterministic.

With weights w and total W, any W consecutive choices give each backend exactly its w, spread evenly; a
change of weights starts anew.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class _Wheel:
    weights: tuple[int, ...]
    credit: list[int]


class Balancer:
    """Remembers where each rule and each Service stands."""

    def __init__(self) -> None:
        self._wheels: dict[Hashable, _Wheel] = {}
        self._turns: dict[Hashable, int] = {}

    def weighted(self, identity: Hashable, weights: Sequence[int]) -> int | None:
        """Return the index of the chosen weight, or None when all are 0."""
        total = sum(weights)
        if total <= 0:
            return None
        wheel = self._wheels.get(identity)
        if wheel is None or wheel.weights != tuple(weights):
            wheel = self._wheels[identity] = _Wheel(tuple(weights), [0] * len(weights))
        for index, weight in enumerate(weights):
            wheel.credit[index] += weight
        candidates = [index for index, weight in enumerate(weights) if weight > 0]
        chosen = max(candidates, key=lambda index: wheel.credit[index])
        wheel.credit[chosen] -= total
        return chosen

    def turn(self, identity: Hashable, size: int) -> int:
        """Return the next index of a plain round-robin over ``size`` places."""
        turn = self._turns.get(identity, -1) + 1
        self._turns[identity] = turn
        return turn % size

    def take(self, identity: Hashable, numerator: int, denominator: int) -> bool:
        """Tell whether this request is among ``numerator`` of ``denominator``, spread evenly."""
        return self.weighted(identity, (numerator, max(0, denominator - numerator))) == 0
