"""Secrets that providers have read: whatever leaves a provider is cleared of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

SHORTEST_SECRET = 6
"""Characters; hiding shorter ones would blank out ordinary words and numbers."""
_MOST = 1024


class Hidden:
    """The secrets in use, the newest ones. ``tell`` hears of each new one, so that logs can hide it too."""

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self._tell = tell
        self._values: dict[str, None] = {}

    def add(self, *values: str) -> None:
        """Remember lasting secrets; short ones are not taken."""
        for value in values:
            if len(value) >= SHORTEST_SECRET and value not in self._values:
                self._tell(value)
            self.add_passing(value)

    def add_passing(self, value: str) -> None:
        """Remember a token that ends soon: logs, which keep what they hide for ever, do not hear of it."""
        if len(value) < SHORTEST_SECRET:
            return
        self._values.pop(value, None)
        self._values[value] = None
        if len(self._values) > _MOST:
            del self._values[next(iter(self._values))]

    def values(self) -> Iterable[str]:
        """Return all secrets that are remembered."""
        return tuple(self._values)
