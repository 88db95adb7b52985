"""What a route's ``status.parents`` says about the generation that is live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollouts.kube.objects import Manifest, generation
from rollouts.traffic.router import Confidence

_REQUIRED = ("Accepted", "ResolvedRefs")


def acceptance(route: Manifest, title: str) -> tuple[Confidence, Confidence, str]:
    """Return (reached, attainable, message) for one route.

    A parent that never reports a generation cannot be waited for: it does not count. ``Accepted`` means
    that the configuration was accepted, not that every proxy has it.
    """
    parents = [entry for entry in (route.get("status") or {}).get("parents") or () if _reports(entry)]
    if not parents:
        return Confidence.WRITTEN, Confidence.WRITTEN, ""
    problem = next((text for entry in parents for text in _problems(entry, generation(route))), "")
    reached = Confidence.WRITTEN if problem else Confidence.ACCEPTED
    return reached, Confidence.ACCEPTED, f"{title}: {problem}" if problem else ""


def _conditions(entry: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(c.get("type", "")): c for c in entry.get("conditions") or ()}


def _reports(entry: Mapping[str, Any]) -> bool:
    return "observedGeneration" in _conditions(entry).get("Accepted", {})


def _problems(entry: Mapping[str, Any], live: int) -> Iterator[str]:
    """Yield why the parent has not accepted generation ``live``, the most telling reason first."""
    parent = str((entry.get("parentRef") or {}).get("name", "?"))
    conditions = _conditions(entry)
    for name in _REQUIRED:
        condition = conditions.get(name)
        if condition is None:
            yield f"parent {parent!r} does not report {name} yet"
        elif int(condition.get("observedGeneration") or 0) < live:
            seen = condition.get("observedGeneration")
            yield f"parent {parent!r} has seen generation {seen} of {live} ({name})"
        elif condition.get("status") != "True":
            yield f"parent {parent!r}: {_words(name, condition)}"
    partial = conditions.get("PartiallyInvalid")
    if partial is not None and partial.get("status") == "True":
        yield f"parent {parent!r}: {_words('PartiallyInvalid', partial)}"


def _words(name: str, condition: Mapping[str, Any]) -> str:
    reason, message = condition.get("reason", ""), condition.get("message", "")
    return f"{name}={condition.get('status')} {reason}: {message}".rstrip(": ")
