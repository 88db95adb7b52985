"""ServiceLevelObjective: the kind around the spec of ``analysis.slo.model``."""

from __future__ import annotations

from pydantic import Field

from analysis.slo.model import ServiceLevelObjectiveSpec
from rollouts.api.base import ApiModel, FreeForm


class ServiceLevelObjectiveStatus(ApiModel):
    """What was read of the budget the last time."""

    state: str = ""
    """ok, guarded, blocked or unknown."""
    remaining: str = ""
    """Share of the period's error budget that is left, such as 0.83; below 0 when it is overspent."""
    burn_rate: str = ""
    """How many times faster than allowed the budget is spent at the moment."""
    message: str = ""
    checked_at: str = ""
    """When it was read, RFC 3339."""
    observed_generation: int = 0


class ServiceLevelObjective(ApiModel):
    """What a service promises, how that is measured, and when a burning error budget alerts."""

    api_version: str = "rollouts.dev/v1alpha1"
    kind: str = "ServiceLevelObjective"
    metadata: FreeForm = {}
    spec: ServiceLevelObjectiveSpec
    status: ServiceLevelObjectiveStatus = Field(default_factory=ServiceLevelObjectiveStatus)
