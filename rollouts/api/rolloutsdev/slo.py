"""ServiceLevelObjective: the kind around the spec of ``analysis.slo.model``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from analysis.slo.model import ServiceLevelObjectiveSpec
from rollouts.api.base import ApiModel, FreeForm, NoneAsEmpty


class ObjectiveWindow(ApiModel):
    """A pair of windows: the burn rate in each, and the factor above which both together alert."""

    severity: str = ""
    long: str = ""
    short: str = ""
    factor: str = ""
    long_burn_rate: str = ""
    short_burn_rate: str = ""
    firing: bool = False


class ObjectiveCondition(ApiModel):
    """Ready: the budget is known. DataAvailable: the queries find data."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str = ""


class ServiceLevelObjectiveStatus(ApiModel):
    """What was read of the budget the last time that it said something new."""

    state: str = ""
    """What the budget says to a rollout: ok, guarded, blocked or unknown."""
    remaining: str = ""
    """Share of the period's error budget that is left, such as 0.831; below 0 when it is overspent."""
    burn_rate: str = ""
    """How many times faster than allowed the budget is spent, over the first window of the alerts."""
    windows: Annotated[tuple[ObjectiveWindow, ...], NoneAsEmpty] = ()
    message: str = ""
    checked_at: str = ""
    """When it was read, RFC 3339."""
    observed_generation: int = 0
    conditions: Annotated[tuple[ObjectiveCondition, ...], NoneAsEmpty] = ()


class ServiceLevelObjective(ApiModel):
    """What a service promises, how that is measured, and when a burning error budget alerts."""

    api_version: str = "rollouts.dev/v1alpha1"
    kind: str = "ServiceLevelObjective"
    metadata: FreeForm = {}
    spec: ServiceLevelObjectiveSpec
    status: ServiceLevelObjectiveStatus = Field(default_factory=ServiceLevelObjectiveStatus)
