"""What the gateway reports on a route, per parent. Pure.

Conditions: https://gateway-api.sigs.k8s.io/reference/spec/#routeparentstatus
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rollouts.embedded.gateway.table import Rule, read_rule
from rollouts.kube.objects import Manifest, ReadOnly, format_time, generation

CONTROLLER = "rollouts.dev/embedded-gateway"


def parents(route: ReadOnly, services: Mapping[tuple[str, str], ReadOnly], now: datetime) -> list[Manifest]:
    """Return status.parents: ours anew for each parentRef, those of other controllers as they are."""
    rules = [
        read_rule(route, index, raw, services)
        for index, raw in enumerate((route.get("spec") or {}).get("rules") or ())
    ]
    known: Sequence[ReadOnly] = (route.get("status") or {}).get("parents") or ()
    result: list[Manifest] = [dict(p) for p in known if p.get("controllerName") != CONTROLLER]
    for ref in (route.get("spec") or {}).get("parentRefs") or ():
        old = next((p for p in known if p["controllerName"] == CONTROLLER and p["parentRef"] == ref), {})
        result.append(
            {
                "parentRef": ref,
                "controllerName": CONTROLLER,
                "conditions": _conditions(rules, generation(route), old.get("conditions") or (), now),
            }
        )
    return result


def _conditions(rules: Sequence[Rule], seen: int, old: Sequence[ReadOnly], now: datetime) -> list[Manifest]:
    problem = next((backend for rule in rules for backend in rule.backends if backend.problem), None)
    unsupported = next((rule.unsupported for rule in rules if rule.unsupported), "")
    accepted = (
        ("False", "UnsupportedValue", f"not supported by this gateway: {unsupported}")
        if unsupported
        else ("True", "Accepted", "the route is in force")
    )
    resolved = (
        ("False", problem.problem, f"backend {problem.service}:{problem.port} cannot be used")
        if problem
        else ("True", "ResolvedRefs", "all backends exist")
    )
    return [
        _condition("Accepted", *accepted, seen=seen, old=old, now=now),
        _condition("ResolvedRefs", *resolved, seen=seen, old=old, now=now),
    ]


def _condition(
    kind: str, status: str, reason: str, message: str, *, seen: int, old: Sequence[ReadOnly], now: datetime
) -> dict[str, Any]:
    before = next((c for c in old if c.get("type") == kind), {})
    since = before.get("lastTransitionTime") if before.get("status") == status else None
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": seen,
        "lastTransitionTime": since or format_time(now),
    }
