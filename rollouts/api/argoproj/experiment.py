"""Experiment: versions that run side by side for a while, and the analyses over them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rollouts.api.argoproj.rollout import (
    Condition,
    DryRun,
    ExperimentTemplateService,
    FieldRef,
    MeasurementRetention,
    ObjectMetadata,
)
from rollouts.api.base import ApiModel, FreeForm, NoneAsEmpty

DEFAULT_REPLICAS = 1
DEFAULT_PROGRESS_DEADLINE_SECONDS = 600
DEFAULT_SCALE_DOWN_DELAY_SECONDS = 30


class ExperimentTemplate(ApiModel):
    """A version: one ReplicaSet."""

    name: str
    replicas: int | None = None
    min_ready_seconds: int = 0
    selector: FreeForm | None = None
    template: FreeForm | None = None
    service: ExperimentTemplateService | None = None


class SecretKeyRef(ApiModel):
    """A key of a Secret in the namespace of the object."""

    name: str
    key: str


class ExperimentArgumentSource(ApiModel):
    """Where an argument gets its value from."""

    secret_key_ref: SecretKeyRef | None = None
    field_ref: FieldRef | None = None


class ExperimentArgument(ApiModel):
    """An argument of an analysis."""

    name: str
    value: str | None = None
    value_from: ExperimentArgumentSource | None = None


class ExperimentAnalysis(ApiModel):
    """An analysis over the experiment. A required one must end before the experiment can."""

    name: str
    template_name: str = ""
    cluster_scope: bool = False
    args: Annotated[tuple[ExperimentArgument, ...], NoneAsEmpty] = ()
    required_for_completion: bool = False


class ExperimentSpec(ApiModel):
    """Desired state."""

    templates: Annotated[tuple[ExperimentTemplate, ...], NoneAsEmpty] = ()
    duration: str | None = None
    progress_deadline_seconds: int | None = None
    terminate: bool = False
    analyses: Annotated[tuple[ExperimentAnalysis, ...], NoneAsEmpty] = ()
    scale_down_delay_seconds: int | None = None
    dry_run: Annotated[tuple[DryRun, ...], NoneAsEmpty] = ()
    measurement_retention: Annotated[tuple[MeasurementRetention, ...], NoneAsEmpty] = ()
    analysis_run_metadata: ObjectMetadata | None = None


class TemplateStatus(ApiModel):
    """State of one version: Progressing, Running, Successful, Failed or Error."""

    name: str
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    collision_count: int | None = None
    status: str = ""
    message: str = ""
    last_transition_time: str | None = None
    service_name: str = ""
    pod_template_hash: str = ""


class ExperimentAnalysisRunStatus(ApiModel):
    """The AnalysisRun of one analysis."""

    name: str
    analysis_run: str = ""
    phase: str = ""
    message: str = ""


class ExperimentStatus(ApiModel):
    """Observed state; phases as of an AnalysisRun."""

    phase: str = ""
    message: str = ""
    available_at: str | None = None
    template_statuses: Annotated[tuple[TemplateStatus, ...], NoneAsEmpty] = ()
    analysis_runs: Annotated[tuple[ExperimentAnalysisRunStatus, ...], NoneAsEmpty] = ()
    conditions: Annotated[tuple[Condition, ...], NoneAsEmpty] = ()


class Experiment(ApiModel):
    """Versions that run side by side for a while, and analyses over them."""

    api_version: str = "argoproj.io/v1alpha1"
    kind: str = "Experiment"
    metadata: FreeForm = {}
    spec: ExperimentSpec
    status: ExperimentStatus = Field(default_factory=ExperimentStatus)
