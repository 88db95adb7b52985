"""What one revision's verdicts may cost in false aborts, over its attempts.

Attempt i multiplies every level by 2^(i-1), so that all attempts together spend at most twice the first.
Rates of several metrics add up at worst. This is an account of nominal, calibrated rates, not a proof.
"""

from __future__ import annotations

from dataclasses import dataclass

NOMINAL = 0.01
"""False aborts per release and metric that the levels were calibrated for."""


@dataclass(frozen=True, slots=True)
class Spent:
    """One metric's share in one attempt (counted from 1)."""

    attempt: int
    nominal: float
    factor: float

    @property
    def so_far(self) -> float:
        """Return what this and the earlier attempts of the revision have spent on this metric."""
        return NOMINAL * (2.0 - 2.0 ** (1 - self.attempt))


def spend(attempt: int) -> Spent:
    """Return the share of an attempt. Raises ValueError below 1."""
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    factor = 2.0 ** (attempt - 1)
    return Spent(attempt, NOMINAL / factor, factor)
