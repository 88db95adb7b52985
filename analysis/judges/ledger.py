"""What one revision's verdicts may cost in false aborts, over its analyses and its attempts.

An attempt that plans k analyses gives each 1/k of its share (Bonferroni: every level times k). Attempt i
multiplies every level by 2^(i-1) on top, so that all attempts together spend at most twice the first.
Rates of several metrics of one analysis add up at worst. This is an account of nominal, calibrated rates,
not a proof.
"""

from __future__ import annotations

from dataclasses import dataclass

NOMINAL = 0.01
"""False aborts per release and metric that the levels were calibrated for."""
LAST_ATTEMPT = 20
"""Later attempts count as this one: its levels are out of reach as it is."""


@dataclass(frozen=True, slots=True)
class Spent:
    """One metric's share in one of the ``analyses`` of one attempt (counted from 1)."""

    attempt: int
    analyses: int
    nominal: float
    factor: float

    @property
    def so_far(self) -> float:
        """Return what all analyses of this and the earlier attempts of the revision spend on one metric."""
        return NOMINAL * (2.0 - 2.0 ** (1 - self.attempt))


def spend(attempt: int, analyses: int = 1) -> Spent:
    """Return the share of one analysis in an attempt. Raises ValueError below 1."""
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    if analyses < 1:
        raise ValueError(f"an attempt has at least 1 analysis, not {analyses}")
    factor = analyses * 2.0 ** (attempt - 1)
    return Spent(attempt, analyses, NOMINAL / factor, factor)
