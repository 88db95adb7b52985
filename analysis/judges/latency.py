"""Latency as counts: one judge per histogram edge on "slower than it", joined by the mean of e-values."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.judges.corroborated import Evidence, from_rows
from analysis.judges.grid import ROWS, log_sum_exp

WARM_UP_SECONDS = 90.0
"""Ticks in which over half of the canary's requests go to younger pods are void."""
WARM_UP_SHARE = 0.55
"""Over half, with room for chance: when a step doubles the pods, the young ones get half, give or take."""
USUAL_SHARE = 0.5
"""An edge that more stable requests than this exceed says nothing about slow ones."""


def join(edges: Sequence[Evidence], slow_shares: Sequence[float]) -> Evidence:
    """Return the evidence over all edges: each row is the mean of e over the edges, before any minimum.

    ``slow_shares`` is the mean share of stable requests slower than each edge; an edge above ``USUAL_SHARE``
    counts as e = 1. Dispersion is that of the strongest edge.
    """
    counted = [
        edge.rows if share <= USUAL_SHARE else (0.0,) * len(ROWS)
        for edge, share in zip(edges, slow_shares, strict=True)
    ]
    if not counted:
        raise ValueError("a latency judge needs at least one edge")
    rows = tuple(log_sum_exp(values) - math.log(len(counted)) for values in zip(*counted, strict=True))
    leading = edges[strongest(edges, slow_shares)]
    return from_rows(rows, leading.groups, leading.dispersion)


def strongest(edges: Sequence[Evidence], slow_shares: Sequence[float]) -> int:
    """Return the index of the edge with the largest e."""
    return max(
        range(len(edges)), key=lambda i: edges[i].total if slow_shares[i] <= USUAL_SHARE else -math.inf
    )
