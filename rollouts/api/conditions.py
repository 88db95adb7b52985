"""Conditions of a status: read, set and remove on plain lists of condition dicts. Pure.

A condition has ``type``, ``status`` (``True``, ``False`` or ``Unknown``), ``reason``, ``message``,
``lastUpdateTime`` and ``lastTransitionTime``; the upstream CRDs require all six. Lists are never changed
in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

Status = Literal["True", "False", "Unknown"]
Conditions = Sequence[Mapping[str, Any]]

INVALID_SPEC: Final = "InvalidSpec"
AVAILABLE: Final = "Available"
PROGRESSING: Final = "Progressing"
REPLICA_FAILURE: Final = "ReplicaFailure"
PAUSED: Final = "Paused"
COMPLETED: Final = "Completed"
HEALTHY: Final = "Healthy"


def new_condition(kind: str, status: Status, reason: str, message: str, now: str) -> dict[str, Any]:
    """Return a condition that changed at ``now`` (RFC 3339, see ``rollouts.kube.objects.format_time``)."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": now,
        "lastTransitionTime": now,
    }


def get_condition(conditions: Conditions | None, kind: str) -> Mapping[str, Any] | None:
    """Return the condition of type ``kind``, or None."""
    return next((c for c in conditions or () if c.get("type") == kind), None)


def condition_is(conditions: Conditions | None, kind: str, status: Status, reason: str | None = None) -> bool:
    """Tell whether the condition exists with this status, and with this reason when one is given."""
    found = get_condition(conditions, kind)
    if found is None or found.get("status") != status:
        return False
    return reason is None or found.get("reason") == reason


def set_condition(
    conditions: Conditions | None, new: Mapping[str, Any], *, refresh: bool = False
) -> list[dict[str, Any]]:
    """Return the list with ``new`` in it, at the end.

    A condition with the same status and reason is left as it was, message and times included. ``refresh``
    rewrites it all the same: wanted when Progressing has made progress, since its ``lastUpdateTime`` is
    the clock of the progress deadline, and when a message has to change. ``lastTransitionTime`` moves only
    when the status does.
    """
    kept = [dict(c) for c in conditions or ()]
    old = get_condition(kept, str(new["type"]))
    if old is None:
        return [*kept, dict(new)]
    same_status = old.get("status") == new.get("status")
    if same_status and old.get("reason") == new.get("reason") and not refresh:
        return kept
    written = dict(new)
    if same_status and old.get("lastTransitionTime"):
        written["lastTransitionTime"] = old["lastTransitionTime"]
    return [*remove_condition(kept, str(new["type"])), written]


def remove_condition(conditions: Conditions | None, kind: str) -> list[dict[str, Any]]:
    """Return the list without the condition of type ``kind``."""
    return [dict(c) for c in conditions or () if c.get("type") != kind]
