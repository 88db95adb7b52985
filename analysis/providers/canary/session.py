"""What the AnalysisRun keeps between two looks: the moment, the pods, the trial. Pure."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import Any

from analysis.counts.groups import Groups
from analysis.judges.sums import StateUnreadable
from analysis.judges.terms import Terms
from analysis.judges.trial import Trial

VERSION = 2


@dataclass(frozen=True, slots=True)
class Session:
    """The state. Moments are Unix seconds at tick boundaries.

    ``position`` is the end of the last interval and ``print`` the fingerprint of the counters there;
    ``began_at`` is where judging began, and ``good_at`` ends the last interval that was judged. ``jumps``
    counts intervals in a row that are void because the backend answered differently the second time,
    ``uncounted`` pods that came back after a gap. ``held_since`` is set while something is held.
    ``attempt`` and ``analyses`` are what the levels were raised for.
    """

    config: str
    terms: Terms
    trial: Trial
    groups: Groups
    position: float
    print: str
    began_at: float
    good_at: float
    why: str
    look_back: int = 0
    lost: bool = False
    jumps: int = 0
    uncounted: int = 0
    held_since: float | None = None
    attempt: int = 1
    analyses: int = 1

    def dump(self) -> str:
        """Return the state as text for ``load``."""
        data = {
            "v": VERSION,
            "config": self.config,
            "terms": self.terms.dump(),
            "trial": self.trial.dump(),
            "groups": self.groups.dump(),
            "at": [self.position, self.print, self.began_at, self.good_at, self.held_since],
            "why": self.why,
            "counts": [self.look_back, self.lost, self.jumps, self.uncounted],
            "share": [self.attempt, self.analyses],
        }
        return pack(data)

    @classmethod
    def load(cls, text: str) -> Session:
        """Return what ``dump`` wrote. Raises StateUnreadable."""
        data = unpack(text)
        try:
            if data["v"] != VERSION:
                raise StateUnreadable(f"saved state has version {data['v']}, not {VERSION}")
            position, printed, began_at, good_at, held_since = data["at"]
            look_back, lost, jumps, uncounted = data["counts"]
            attempt, analyses = data["share"]
            return cls(
                data["config"],
                Terms.load(data["terms"]),
                Trial.load(data["trial"]),
                Groups.load(data["groups"]),
                float(position),
                str(printed),
                float(began_at),
                float(good_at),
                str(data["why"]),
                int(look_back),
                bool(lost),
                int(jumps),
                int(uncounted),
                held_since,
                int(attempt),
                int(analyses),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateUnreadable(f"saved state cannot be read: {error!r}") from error


def pack(data: Any) -> str:
    """Return JSON data as short text, exact to the last digit."""
    text = json.dumps(data, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 1)).decode()


def unpack(text: str) -> Any:
    """Return what ``pack`` wrote. Raises StateUnreadable."""
    try:
        return json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
    except (ValueError, zlib.error) as error:
        raise StateUnreadable(f"saved state cannot be read: {error}") from error
