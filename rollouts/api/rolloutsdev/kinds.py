"""The kinds of our own group: names, subresources, columns and model of each."""

from __future__ import annotations

from typing import Final

from rollouts.api.argoproj.kinds import VERSION, Column, Kind
from rollouts.api.rolloutsdev import GROUP
from rollouts.api.rolloutsdev.slo import ServiceLevelObjective

API_VERSION: Final = f"{GROUP}/{VERSION}"

SERVICE_LEVEL_OBJECTIVE: Final = Kind(
    "ServiceLevelObjective",
    "servicelevelobjectives",
    ServiceLevelObjective,
    ("slo",),
    (
        Column("Service", "string", ".spec.service"),
        Column("Objective", "number", ".spec.objective", "Share of good events that is promised"),
        Column("Window", "string", ".spec.window", "Rolling period of the promise"),
        Column("Gate", "string", ".status.state", "What the error budget says to a rollout"),
        Column("Budget", "string", ".status.remaining", "Share of the error budget that is left"),
        Column(
            "Burn rate", "string", ".status.burnRate", "Spending against what lasts the period", priority=1
        ),
        Column("Age", "date", ".metadata.creationTimestamp", "Time since the object was created"),
    ),
    status=True,
    group=GROUP,
)

OWN_KINDS: Final = {kind.kind: kind for kind in (SERVICE_LEVEL_OBJECTIVE,)}
"""Every kind of our group by its name."""
