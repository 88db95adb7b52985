"""What happened, line by line: reproducible, and readable when a simulation fails."""

from __future__ import annotations

import hashlib

import orjson

from rollouts.clock import Clock
from rollouts.embedded.store import Change, Collection

_QUIET = frozenset({"leases", "nodes", "customresourcedefinitions", "namespaces"})


class Trace:
    """Lines with the virtual time, and a digest over all of them and over every stored object."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._digest = hashlib.sha256()
        self.lines: list[str] = []

    def say(self, who: str, text: str) -> None:
        """Add a line."""
        line = f"{self._clock.monotonic():9.3f} {who}: {text}"
        self.lines.append(line)
        self._digest.update(line.encode())

    def changed(self, collection: Collection, change: Change) -> None:
        """Note a change of the store; the digest takes in the whole object."""
        self._digest.update(orjson.dumps(change.entry.object, option=orjson.OPT_SORT_KEYS))
        if collection.plural not in _QUIET:
            version = f"@{change.version}"
            self.say("store", f"{change.type} {collection.plural} {change.key.name} {version}")

    def digest(self) -> str:
        """Return the fingerprint of everything so far."""
        return self._digest.hexdigest()

    def tail(self, count: int = 60) -> str:
        """Return the last lines."""
        return "\n".join(self.lines[-count:])
