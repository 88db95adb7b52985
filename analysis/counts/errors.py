"""What makes a backend's answer unusable for counting."""

from __future__ import annotations


class CountsError(ValueError):
    """The answer is not counters per pod; the message says what was wanted."""


class TooManySeries(CountsError):
    """More series than the cap: a query without a selector, or labels that should be aggregated away."""
