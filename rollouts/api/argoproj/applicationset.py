"""ApplicationSet: Applications made from a template and generated parameters."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rollouts.api.argoproj.application import HealthStatus, ResourceStatus
from rollouts.api.argoproj.apptemplate import ApplicationTemplate
from rollouts.api.argoproj.generators import Generator
from rollouts.api.base import ApiModel, FreeForm, IntOrString, NoneAsEmpty, Strings


class ApplicationSetSyncPolicy(ApiModel):
    """What may happen to the Applications of a set."""

    applications_sync: str | None = None
    """``create-only``, ``create-update``, ``create-delete`` or ``sync``."""
    preserve_resources_on_deletion: bool = False


class ApplicationMatchExpression(ApiModel):
    """A rule on one label of the Applications: ``In`` or ``NotIn``."""

    key: str = ""
    operator: str = ""
    values: Strings = ()


class RollingSyncStep(ApiModel):
    """Applications that sync together; ``maxUpdate`` 0 waits for a person."""

    match_expressions: Annotated[tuple[ApplicationMatchExpression, ...], NoneAsEmpty] = ()
    max_update: IntOrString | None = None


class RollingSync(ApiModel):
    """Groups of Applications, one after the other."""

    steps: Annotated[tuple[RollingSyncStep, ...], NoneAsEmpty] = ()


class ApplicationSetStrategy(ApiModel):
    """``AllAtOnce`` or ``RollingSync``; ``deletionOrder`` is ``AllAtOnce`` or ``Reverse``."""

    type: str = ""
    rolling_sync: RollingSync | None = None
    deletion_order: str = ""


class PreservedFields(ApiModel):
    """Labels and annotations of the Applications that are left alone."""

    annotations: Strings = ()
    labels: Strings = ()


class IgnoreApplicationDifference(ApiModel):
    """Fields of the Applications that are left alone; without a name, of all."""

    name: str = ""
    json_pointers: Strings = ()
    jq_path_expressions: Strings = ()


class ApplicationSetSpec(ApiModel):
    """Desired state."""

    go_template: bool = False
    go_template_options: Strings = ()
    generators: Annotated[tuple[Generator, ...], NoneAsEmpty] = ()
    template: ApplicationTemplate = Field(default_factory=ApplicationTemplate)
    template_patch: str | None = None
    sync_policy: ApplicationSetSyncPolicy | None = None
    strategy: ApplicationSetStrategy | None = None
    preserved_fields: PreservedFields | None = None
    apply_nested_selectors: bool = False
    ignore_application_differences: Annotated[tuple[IgnoreApplicationDifference, ...], NoneAsEmpty] = ()


class ApplicationSetCondition(ApiModel):
    """An error, or whether the set is up to date."""

    type: str
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class ApplicationSetApplicationStatus(ApiModel):
    """Where one Application is in a rolling sync."""

    application: str = ""
    status: str = ""
    """Waiting, Pending, Progressing or Healthy."""
    message: str = ""
    step: str = ""
    target_revisions: Strings = ()
    last_transition_time: str | None = None


class ApplicationSetStatus(ApiModel):
    """Observed state."""

    conditions: Annotated[tuple[ApplicationSetCondition, ...], NoneAsEmpty] = ()
    application_status: Annotated[tuple[ApplicationSetApplicationStatus, ...], NoneAsEmpty] = ()
    resources: Annotated[tuple[ResourceStatus, ...], NoneAsEmpty] = ()
    resources_count: int = 0
    health: HealthStatus | None = None


class ApplicationSet(ApiModel):
    """Applications that are made from a template and generated parameters."""

    api_version: str = "argoproj.io/v1alpha1"
    kind: str = "ApplicationSet"
    metadata: FreeForm = {}
    spec: ApplicationSetSpec = Field(default_factory=ApplicationSetSpec)
    status: ApplicationSetStatus = Field(default_factory=ApplicationSetStatus)
