"""Does traffic arrive in the ratio that was asked for? A broken split is found before it is believed.

The Dirichlet-multinomial test of Lindon and Malek for two arms. Real routers deviate a little (connections
last, clients are sticky), so the answer is a warning and never a verdict.
"""

from __future__ import annotations

import math

ALPHA = 0.001
BROKEN = math.log(1.0 / ALPHA)
CONCENTRATION = 100.0
"""Strength of the prior around the wanted share: deviations of a few points are plausible alternatives."""


def log_e(canary: float, stable: float, weight: float) -> float:
    """Return ln e against "the canary gets ``weight`` (0…1) of the requests". Raises ValueError outside."""
    if not 0.0 < weight < 1.0:
        raise ValueError(f"weight {weight} is not between 0 and 1")
    a, b = CONCENTRATION * weight, CONCENTRATION * (1.0 - weight)
    mixture = _log_beta(a + canary, b + stable) - _log_beta(a, b)
    return mixture - canary * math.log(weight) - stable * math.log(1.0 - weight)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
