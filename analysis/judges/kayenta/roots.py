"""Brent's root finder in the form that R's ``uniroot`` uses; where curves are stairs, the form decides."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

MOST_STEPS = 1_000


def brent(curve: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Return a point within ``tolerance`` of where the curve changes its sign between two ends.

    The ends must have different signs, or a zero. ``b`` is the best guess, ``a`` the one before, and ``c``
    lies on the other side of zero from ``b``.
    """
    a, b, c = low, high, low
    at_a, at_b = curve(a), curve(b)
    at_c = at_a
    if at_a == 0.0:
        return a
    for _ in range(MOST_STEPS):
        before = b - a
        if abs(at_c) < abs(at_b):
            a, b, c = b, c, b
            at_a, at_b, at_c = at_b, at_c, at_b
        least = 2.0 * sys.float_info.epsilon * abs(b) + tolerance / 2.0
        half = (c - b) / 2.0
        if abs(half) <= least or at_b == 0.0:
            return b
        step = half
        if abs(before) >= least and abs(at_a) > abs(at_b):
            step = _interpolated((a, at_a), (b, at_b), (c, at_c), before, least)
        a, at_a = b, at_b
        b += step if abs(step) >= least else math.copysign(least, step)
        at_b = curve(b)
        if (at_b > 0.0 and at_c > 0.0) or (at_b < 0.0 and at_c < 0.0):
            c, at_c = a, at_a
    return b


Point = tuple[float, float]


def _interpolated(a: Point, b: Point, c: Point, before: float, least: float) -> float:
    """Return the step by a line or an inverse parabola, or half the way where that would go astray."""
    half, width = (c[0] - b[0]) / 2.0, c[0] - b[0]
    if a[0] == c[0]:
        t = b[1] / a[1]
        p, q = width * t, 1.0 - t
    else:
        s, r, t = a[1] / c[1], b[1] / c[1], b[1] / a[1]
        p = t * (width * s * (s - r) - (b[0] - a[0]) * (r - 1.0))
        q = (s - 1.0) * (r - 1.0) * (t - 1.0)
    if p > 0.0:
        q = -q
    else:
        p = -p
    if p < 0.75 * width * q - abs(least * q) / 2.0 and p < abs(before * q / 2.0):
        return p / q
    return half
