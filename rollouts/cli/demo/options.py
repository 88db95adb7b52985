"""What the demo is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """``rate`` is the load in requests per second; ``output`` "json" ends with a summary on stdout."""

    rate: float = 60.0
    output: Literal["text", "json"] = "text"
    keep: bool = False
    terminal: bool = False
    """Whether a live table can be shown."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be true at the end of a chapter; ``seen`` is what was measured."""

    name: str
    met: bool
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one commit went."""

    chapter: str
    version: str
    commit: str
    seconds: float
    checks: Sequence[Check]

    @property
    def met(self) -> bool:
        """Tell whether everything that must be true was seen."""
        return all(check.met for check in self.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """The whole run."""

    outcomes: Sequence[Outcome]
    seconds: float
    requests: dict[str, dict[str, int]] = field(default_factory=dict)
    """Answers seen by the load generator: version → status code → number."""
    timeline: Sequence[dict[str, Any]] = ()
    """One entry for each change of what was asked or measured."""
    problem: str = ""

    @property
    def succeeded(self) -> bool:
        """Tell whether every outcome really happened."""
        return not self.problem and bool(self.outcomes) and all(o.met for o in self.outcomes)

    def summary(self) -> dict[str, Any]:
        """Return the result as JSON data."""
        outcomes = [{**asdict(o), "met": o.met} for o in self.outcomes]
        return {
            "succeeded": self.succeeded,
            "seconds": round(self.seconds, 1),
            "problem": self.problem,
            "outcomes": outcomes,
            "requests": self.requests,
            "timeline": list(self.timeline),
        }
