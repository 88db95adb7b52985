"""The ``Randomness`` port from a seed: one independent stream for each part of a simulation."""

from __future__ import annotations

import random
import uuid


class SeededRandomness:
    """Numbers and ids that depend on ``seed`` and ``stream`` alone."""

    def __init__(self, seed: int, stream: str) -> None:
        # A text seeds by its SHA-512, so PYTHONHASHSEED plays no part.
        self._random = random.Random(f"{seed}/{stream}")  # noqa: S311 - reproducible, not secret

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high]."""
        return self._random.uniform(low, high)

    def token(self) -> str:
        """Return an id in UUID form."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def happens(self, probability: float) -> bool:
        """Return True with this probability."""
        return self._random.random() < probability
