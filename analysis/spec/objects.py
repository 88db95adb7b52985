"""AnalysisTemplate, ClusterAnalysisTemplate and AnalysisRun: their specs, with every upstream field."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from analysis.spec.base import IntOrString, NoneAsEmpty, SpecModel
from analysis.spec.providers import MetricProvider

DEFAULT_FAILURE_LIMIT = 0
DEFAULT_INCONCLUSIVE_LIMIT = 0
DEFAULT_CONSECUTIVE_ERROR_LIMIT = 4
DEFAULT_RETENTION = 10
"""Measurements kept per metric."""


class SecretKeyRef(SpecModel):
    """One key of a Secret in the run's namespace."""

    name: str = ""
    key: str = ""


class FieldRef(SpecModel):
    """A field of the Rollout."""

    field_path: str = ""


class ArgumentValueFrom(SpecModel):
    """Where an argument's value comes from."""

    secret_key_ref: SecretKeyRef | None = None
    field_ref: FieldRef | None = None


class Argument(SpecModel):
    """A named value that ``{{args.<name>}}`` stands for."""

    name: str = ""
    value: str | None = None
    value_from: ArgumentValueFrom | None = None


class DryRun(SpecModel):
    """Metrics whose name matches the regular expression (or ``*``) never decide."""

    metric_name: str = ""


class MeasurementRetention(SpecModel):
    """How many measurements to keep of the metrics whose name matches."""

    metric_name: str = ""
    limit: int = 0


class TemplateRef(SpecModel):
    """Names an AnalysisTemplate, or a ClusterAnalysisTemplate when ``cluster_scope``."""

    template_name: str = ""
    cluster_scope: bool = False


class Metric(SpecModel):
    """What to measure, how often, and when it counts as failed.

    ``interval`` and ``initial_delay`` are Go durations. The limits may be ``{{args.x}}``.
    """

    name: str = ""
    interval: str = ""
    initial_delay: str = ""
    count: IntOrString | None = None
    success_condition: str = ""
    failure_condition: str = ""
    failure_limit: IntOrString | None = None
    inconclusive_limit: IntOrString | None = None
    consecutive_error_limit: IntOrString | None = None
    consecutive_success_limit: IntOrString | None = None
    provider: MetricProvider = Field(default_factory=MetricProvider)


class AnalysisTemplateSpec(SpecModel):
    """Spec of an AnalysisTemplate or ClusterAnalysisTemplate."""

    metrics: Annotated[tuple[Metric, ...], NoneAsEmpty] = ()
    args: Annotated[tuple[Argument, ...], NoneAsEmpty] = ()
    dry_run: Annotated[tuple[DryRun, ...], NoneAsEmpty] = ()
    measurement_retention: Annotated[tuple[MeasurementRetention, ...], NoneAsEmpty] = ()
    templates: Annotated[tuple[TemplateRef, ...], NoneAsEmpty] = ()


class TtlStrategy(SpecModel):
    """Seconds after which a finished run is deleted."""

    seconds_after_completion: int | None = None
    seconds_after_failure: int | None = None
    seconds_after_success: int | None = None


class AnalysisRunSpec(SpecModel):
    """Spec of an AnalysisRun."""

    metrics: Annotated[tuple[Metric, ...], NoneAsEmpty] = ()
    args: Annotated[tuple[Argument, ...], NoneAsEmpty] = ()
    terminate: bool = False
    dry_run: Annotated[tuple[DryRun, ...], NoneAsEmpty] = ()
    measurement_retention: Annotated[tuple[MeasurementRetention, ...], NoneAsEmpty] = ()
    ttl_strategy: TtlStrategy | None = None
