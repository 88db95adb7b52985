"""How long a key waits after a failure."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from rollouts.clock import Randomness
from rollouts.kube.errors import Forbidden, Invalid, TooManyRequests

K = TypeVar("K", bound=Hashable)

REFUSED_SECONDS = 5.0
"""The least wait after a request that the server finds wrong: the same again will be wrong, too."""


class Backoff(Generic[K]):
    """Exponential per key, from ``first`` to ``longest`` seconds, with jitter between half and all of it."""

    def __init__(self, randomness: Randomness, first: float = 0.01, longest: float = 60.0) -> None:
        self._randomness = randomness
        self._first = first
        self._longest = longest
        self._failures: dict[K, int] = {}

    def attempts(self, key: K) -> int:
        """Return the failures in a row so far."""
        return self._failures.get(key, 0)

    def failed(self, key: K, error: BaseException | None = None) -> float:
        """Note a failure and return the seconds to wait; at least what a 429 asked for."""
        failures = self._failures[key] = self.attempts(key) + 1
        ceiling = min(self._longest, self._first * 2.0 ** min(failures - 1, 30))
        pause = self._randomness.uniform(ceiling / 2, ceiling)
        if isinstance(error, TooManyRequests):
            return max(pause, error.retry_after)
        if isinstance(error, Invalid | Forbidden):
            return max(pause, REFUSED_SECONDS)
        return pause

    def succeeded(self, key: K) -> None:
        """Begin anew."""
        self._failures.pop(key, None)
