"""AnalysisTemplate, ClusterAnalysisTemplate, AnalysisRun: the kinds around the specs of ``analysis.spec``."""

from __future__ import annotations

from pydantic import Field

from analysis.spec.objects import AnalysisRunSpec, AnalysisTemplateSpec
from analysis.spec.status import AnalysisRunStatus
from rollouts.api.base import ApiModel, FreeForm


class AnalysisTemplate(ApiModel):
    """What to measure and how to judge it, for use in one namespace."""

    api_version: str = "argoproj.io/v1alpha1"
    kind: str = "AnalysisTemplate"
    metadata: FreeForm = {}
    spec: AnalysisTemplateSpec


class ClusterAnalysisTemplate(ApiModel):
    """What to measure and how to judge it, for use in every namespace."""

    api_version: str = "argoproj.io/v1alpha1"
    kind: str = "ClusterAnalysisTemplate"
    metadata: FreeForm = {}
    spec: AnalysisTemplateSpec


class AnalysisRun(ApiModel):
    """One analysis that runs or has ended."""

    api_version: str = "argoproj.io/v1alpha1"
    kind: str = "AnalysisRun"
    metadata: FreeForm = {}
    spec: AnalysisRunSpec
    status: AnalysisRunStatus = Field(default_factory=AnalysisRunStatus)
