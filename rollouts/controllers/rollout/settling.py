"""Since when routers have been as sure of what is live as they are now. Memory only; pure but for that.

Data planes follow an accepted change after a while (``TrafficState.settle``). Nobody writes the moment of
acceptance down, so it is the moment at which this process first saw it: a restart only makes it later, and a
weight is then waited for once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rollouts.kube.objects import Key, Manifest, generation, uid_of
from rollouts.traffic.router import Confidence

_Seen = tuple[tuple[tuple[str, int], ...], Confidence]


class Settling:
    """Remembers for each router of each Rollout what was seen last, and when first."""

    def __init__(self) -> None:
        self._seen: dict[Key, dict[str, tuple[_Seen, datetime]]] = {}

    def since(
        self, key: Key, router: str, live: Sequence[Manifest], confidence: Confidence, now: datetime
    ) -> datetime:
        """Return when these generations were first seen with this confidence, without a break."""
        seen = (tuple(sorted((uid_of(obj), generation(obj)) for obj in live)), confidence)
        routers = self._seen.setdefault(key, {})
        if router not in routers or routers[router][0] != seen:
            routers[router] = (seen, now)
        return routers[router][1]

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a deleted Rollout."""
        self._seen.pop(key, None)
