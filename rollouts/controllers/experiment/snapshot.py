"""Everything that one decision about an Experiment may look at, frozen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from rollouts.api.argoproj import experiment as api
from rollouts.api.scalars import ScalarError, parse_duration
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, ReadOnly
from rollouts.workloads.replicaset import ReplicaSet

COMPLETED = frozenset(("Successful", "Failed", "Error", "Inconclusive"))
"""Phases of an Experiment or a run, and states of a template, after which nothing changes any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRun:
    """What an AnalysisRun of the Experiment says.

    ``analysis`` is the name in ``spec.analyses`` and ``attempt`` the ``availableAt`` that it was started for;
    both are "" for a run that another controller made.
    """

    name: str
    uid: str
    analysis: str
    attempt: str
    phase: str
    message: str
    terminating: bool
    deleting: bool
    created: datetime

    @property
    def finished(self) -> bool:
        """Tell whether a verdict has been reached."""
        return self.phase in COMPLETED


@dataclass(frozen=True, kw_only=True)
class ExperimentSnapshot:
    """One Experiment at ``now``.

    ``replica_sets`` and ``services`` are those it owns, by template name. ``templates`` holds the analysis
    templates that can be named, by (name, cluster scope); ``free_names`` a free name for the next run of each
    analysis. ``rollout`` is the owner, if a Rollout runs the Experiment as a step. ``refused`` says why the
    API server will not have an object, by the object's name. ``invalid`` says what a person must mend.
    """

    now: datetime
    manifest: Manifest
    spec: api.ExperimentSpec
    status: api.ExperimentStatus
    replica_sets: Mapping[str, ReplicaSet] = field(default_factory=dict)
    services: Mapping[str, Manifest] = field(default_factory=dict)
    runs: tuple[AnalysisRun, ...] = ()
    templates: Mapping[tuple[str, bool], ReadOnly] = field(default_factory=dict)
    free_names: Mapping[str, str] = field(default_factory=dict)
    rollout: ReadOnly | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    invalid: str = ""

    @cached_property
    def name(self) -> str:
        """Return the Experiment's name."""
        return objects.name_of(self.manifest)

    @cached_property
    def namespace(self) -> str:
        """Return the Experiment's namespace."""
        return objects.namespace_of(self.manifest)

    @cached_property
    def created(self) -> datetime:
        """Return when somebody asked for the Experiment."""
        return objects.parse_time(objects.metadata(self.manifest).get("creationTimestamp")) or self.now

    @cached_property
    def routed(self) -> frozenset[str]:
        """Return the Services to which the owning Rollout still sends traffic, by its recorded weights."""
        canary = ((self.rollout or {}).get("status") or {}).get("canary") or {}
        additional = (canary.get("weights") or {}).get("additional") or ()
        return frozenset(str(entry.get("serviceName", "")) for entry in additional)

    @cached_property
    def over(self) -> bool:
        """Tell whether the end is committed."""
        return self.status.phase in COMPLETED

    @cached_property
    def available_at(self) -> datetime | None:
        """Return the committed moment since when all versions were available."""
        return objects.parse_time(self.status.available_at)

    @cached_property
    def duration(self) -> timedelta | None:
        """Return how long to run once available; None until something else ends it."""
        if not self.spec.duration:
            return None
        try:
            return parse_duration(self.spec.duration)
        except ScalarError:
            return None  # validation refuses such a spec before anybody asks

    @cached_property
    def ends_at(self) -> datetime | None:
        """Return the end of the duration, once it is known."""
        if self.available_at is None or self.duration is None:
            return None
        return self.available_at + self.duration

    @cached_property
    def time_is_up(self) -> bool:
        """Tell whether the duration has passed, counted from the committed availability."""
        return self.ends_at is not None and self.now >= self.ends_at

    @cached_property
    def progress_deadline(self) -> timedelta:
        """Return how long a version may make no progress."""
        seconds = self.spec.progress_deadline_seconds
        return timedelta(seconds=api.DEFAULT_PROGRESS_DEADLINE_SECONDS if seconds is None else seconds)

    @cached_property
    def scale_down_delay(self) -> timedelta:
        """Return how long pods outlive the Experiment's end."""
        seconds = self.spec.scale_down_delay_seconds
        return timedelta(seconds=api.DEFAULT_SCALE_DOWN_DELAY_SECONDS if seconds is None else seconds)

    def replica_set_name(self, template: str) -> str:
        """Return the name of a template's ReplicaSet."""
        return f"{self.name}-{template}"

    def service_name(self, template: api.ExperimentTemplate) -> str:
        """Return the name of a template's Service, "" when it asks for none."""
        if template.service is None:
            return ""
        return template.service.name or self.replica_set_name(template.name)


def replicas_of(template: api.ExperimentTemplate) -> int:
    """Return how many pods a template asks for."""
    return api.DEFAULT_REPLICAS if template.replicas is None else template.replicas
