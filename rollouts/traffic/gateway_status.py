"""What a route's ``status.parents`` says about the generation that is live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rollouts.kube.objects import Manifest, generation, metadata, namespace_of, parse_time
from rollouts.traffic.router import Confidence

_REQUIRED = ("Accepted", "ResolvedRefs")

SILENCE = timedelta(seconds=10)
"""How old a route must be before a parent that has never reported is taken for one that never will."""

SETTLE = timedelta(seconds=2.5)
"""How long data planes may take after a route was accepted.

Traefik accepts within milliseconds and, with its default of one reload in 2 s, has the change in force up to
2.02 s after the write; what is left is for the way of the answer.
"""

_PROMPT = frozenset({"rollouts.dev/embedded-gateway"})
"""Controllers that report a route only once its change is in force."""

_NO_MIRRORS = {"traefik.io/gateway-controller": "Traefik"}
"""Controllers that accept a rule with a RequestMirror filter and then answer all its requests with 500.

Measured with Traefik 3.7.15, whose conformance reports do not claim the feature.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What a route's parents say; fields as in ``TrafficState``."""

    reached: Confidence = Confidence.WRITTEN
    attainable: Confidence = Confidence.ACCEPTED
    message: str = ""
    recheck_at: datetime | None = None


def acceptance(route: Manifest, title: str, now: datetime) -> Acceptance:
    """Return what the parents say about the live generation.

    A parent that never reports cannot be waited for: it does not count, once the route is old enough for
    it to have done so. ``Accepted`` means that the configuration was accepted, not that every proxy has it.
    """
    parents = [entry for entry in _entries(route) if _reports(entry)]
    silent = _silent_parents(route)
    created = parse_time(metadata(route).get("creationTimestamp"))
    heard = (created or now - SILENCE) + SILENCE
    if silent and now < heard:
        text = f"{title}: parent {silent[0]!r} has not reported yet"
        return Acceptance(message=text, recheck_at=heard)
    if not parents:
        return Acceptance(attainable=Confidence.WRITTEN)
    problem = next((text for entry in parents for text in _problems(entry, generation(route))), "")
    if problem:
        return Acceptance(message=f"{title}: {problem}")
    return Acceptance(reached=Confidence.ACCEPTED)


def settle_time(route: Manifest) -> timedelta:
    """Return how long after its acceptance a change of the route is in force everywhere."""
    controllers = {str(entry.get("controllerName", "")) for entry in _entries(route)}
    return timedelta(0) if controllers and controllers <= _PROMPT else SETTLE


def without_mirrors(route: Manifest) -> str:
    """Return the name of an implementation behind the route that cannot mirror requests, or ""."""
    controllers = (str(entry.get("controllerName", "")) for entry in _entries(route))
    return next((_NO_MIRRORS[name] for name in controllers if name in _NO_MIRRORS), "")


def _entries(route: Manifest) -> list[Mapping[str, Any]]:
    return list((route.get("status") or {}).get("parents") or ())


def _silent_parents(route: Manifest) -> list[str]:
    """Return the names of parents that nobody has reported for."""
    seen = {_identity(entry.get("parentRef") or {}, route) for entry in _entries(route) if _reports(entry)}
    asked = (route.get("spec") or {}).get("parentRefs") or ()
    return [str(ref.get("name", "?")) for ref in asked if _identity(ref, route) not in seen]


def _identity(ref: Mapping[str, Any], route: Manifest) -> tuple[str, ...]:
    namespace = ref.get("namespace") or namespace_of(route)
    parts = (
        ref.get("kind") or "Gateway",
        namespace,
        ref.get("name"),
        ref.get("sectionName"),
        ref.get("port"),
    )
    return tuple(str(part or "") for part in parts)


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
