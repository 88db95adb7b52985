"""The eight kinds of ``argoproj.io/v1alpha1``: names, scope, subresources, columns and model of each.

Names and columns are those of the upstream CRDs, so that ``kubectl`` behaves the same with either.
``rollouts.kube.objects`` has the matching ``Resource`` values; a test keeps the two in step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rollouts.api.argoproj.analysis import AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate
from rollouts.api.argoproj.application import Application
from rollouts.api.argoproj.applicationset import ApplicationSet
from rollouts.api.argoproj.appproject import AppProject
from rollouts.api.argoproj.experiment import Experiment
from rollouts.api.argoproj.rollout import Rollout
from rollouts.api.base import ApiModel

GROUP: Final = "argoproj.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of ``kubectl get``. One with a priority above 0 shows with ``-o wide`` only."""

    name: str
    type: str
    path: str
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Scale:
    """Paths of the scale subresource."""

    spec_replicas: str
    status_replicas: str
    label_selector: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of an API group of ours, by default of this one."""

    kind: str
    plural: str
    model: type[ApiModel]
    short_names: tuple[str, ...]
    columns: tuple[Column, ...] = ()
    namespaced: bool = True
    status: bool = False
    """Whether status is a subresource: then a write to it does not raise the generation."""
    scale: Scale | None = None
    group: str = GROUP

    @property
    def singular(self) -> str:
        """Return the name for one object, as kubectl takes it."""
        return self.kind.lower()

    @property
    def crd_name(self) -> str:
        """Return the name of the CustomResourceDefinition."""
        return f"{self.plural}.{self.group}"


_AGE = Column("Age", "date", ".metadata.creationTimestamp", "Time since the object was created")
_ROLLOUT_COLUMNS = (
    Column("Desired", "integer", ".spec.replicas", "Pods wanted"),
    Column("Current", "integer", ".status.replicas", "Pods that exist, of all versions"),
    Column("Up-to-date", "integer", ".status.updatedReplicas", "Pods of the wanted version"),
    Column("Available", "integer", ".status.availableReplicas", "Pods ready for minReadySeconds"),
    _AGE,
)
_APPLICATION_COLUMNS = (
    Column("Sync Status", "string", ".status.sync.status"),
    Column("Health Status", "string", ".status.health.status"),
    Column("Revision", "string", ".status.sync.revision", priority=10),
    Column("Project", "string", ".spec.project", priority=10),
)


def _phase(description: str) -> tuple[Column, ...]:
    return (Column("Status", "string", ".status.phase", description), _AGE)


ROLLOUT: Final = Kind(
    "Rollout",
    "rollouts",
    Rollout,
    ("ro",),
    _ROLLOUT_COLUMNS,
    status=True,
    scale=Scale(".spec.replicas", ".status.HPAReplicas", ".status.selector"),
)
ANALYSIS_TEMPLATE: Final = Kind("AnalysisTemplate", "analysistemplates", AnalysisTemplate, ("at",), (_AGE,))
CLUSTER_ANALYSIS_TEMPLATE: Final = Kind(
    "ClusterAnalysisTemplate",
    "clusteranalysistemplates",
    ClusterAnalysisTemplate,
    ("cat",),
    (_AGE,),
    namespaced=False,
)
ANALYSIS_RUN: Final = Kind("AnalysisRun", "analysisruns", AnalysisRun, ("ar",), _phase("Phase of the run"))
EXPERIMENT: Final = Kind("Experiment", "experiments", Experiment, ("exp",), _phase("Phase of the experiment"))
APPLICATION: Final = Kind("Application", "applications", Application, ("app", "apps"), _APPLICATION_COLUMNS)
APP_PROJECT: Final = Kind("AppProject", "appprojects", AppProject, ("appproj", "appprojs"))
APPLICATION_SET: Final = Kind(
    "ApplicationSet", "applicationsets", ApplicationSet, ("appset", "appsets"), status=True
)

KINDS: Final = {
    kind.kind: kind
    for kind in (
        ROLLOUT,
        ANALYSIS_TEMPLATE,
        CLUSTER_ANALYSIS_TEMPLATE,
        ANALYSIS_RUN,
        EXPERIMENT,
        APPLICATION,
        APP_PROJECT,
        APPLICATION_SET,
    )
}
"""Every kind by its name."""


def kind_of(api_version: str, kind: str) -> Kind | None:
    """Return the kind that an object says it has, or None when it is not one of this group."""
    return KINDS.get(kind) if api_version == API_VERSION else None
