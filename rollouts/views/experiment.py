"""An Experiment as people look at it: its versions and its analyses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rollouts.kube import objects
from rollouts.kube.objects import ReadOnly
from rollouts.views.analysis import RunRow, run_row


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRow:
    """One version of an experiment."""

    name: str
    status: str
    message: str
    replicas: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentView:
    """The whole picture of one Experiment."""

    namespace: str
    name: str
    phase: str
    message: str
    duration: str
    age_seconds: int
    templates: tuple[TemplateRow, ...]
    runs: tuple[RunRow, ...]

    def data(self) -> dict[str, Any]:
        """Return the view as plain data for JSON and YAML."""
        return asdict(self)


def experiment_view(experiment: ReadOnly, runs: Sequence[objects.Manifest], now: datetime) -> ExperimentView:
    """Return the view of an Experiment and the AnalysisRuns that it owns."""
    spec, status = experiment.get("spec") or {}, experiment.get("status") or {}
    created = objects.parse_time(objects.metadata(experiment).get("creationTimestamp"))
    states = {str(t.get("name", "")): t for t in status.get("templateStatuses") or ()}
    names = [str(t.get("name", "")) for t in spec.get("templates") or ()]
    return ExperimentView(
        namespace=objects.namespace_of(experiment),
        name=objects.name_of(experiment),
        phase=str(status.get("phase") or "Pending"),
        message=str(status.get("message") or ""),
        duration=str(spec.get("duration") or ""),
        age_seconds=int((now - created).total_seconds()) if created else 0,
        templates=tuple(_template(name, states.get(name) or {}) for name in names),
        runs=tuple(run_row(run, now) for run in sorted(runs, key=objects.name_of)),
    )


def _template(name: str, state: ReadOnly) -> TemplateRow:
    return TemplateRow(
        name=name,
        status=str(state.get("status") or "Pending"),
        message=str(state.get("message") or ""),
        replicas=int(state.get("replicas") or 0),
        available=int(state.get("availableReplicas") or 0),
    )
