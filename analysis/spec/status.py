"""AnalysisRun.status, as upstream stores it. Times are RFC 3339 strings in whole seconds."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from analysis.spec.base import NoneAsEmpty, SpecModel


class Phase(StrEnum):
    """Where a measurement, a metric or a run is."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    ERROR = "Error"
    INCONCLUSIVE = "Inconclusive"

    @property
    def completed(self) -> bool:
        """Tell whether nothing more will happen."""
        return self not in (Phase.PENDING, Phase.RUNNING)


def is_completed(phase: str) -> bool:
    """Tell whether a phase as status has it ("" when not started) is final."""
    return phase in _COMPLETED


_COMPLETED = frozenset(phase.value for phase in Phase if phase.completed)


class Measurement(SpecModel):
    """One result of one metric. ``value`` is the raw result as text."""

    phase: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    value: str = ""
    metadata: dict[str, str] | None = None
    resume_at: str | None = None


class RunSummary(SpecModel):
    """Counts of metrics by how they ended."""

    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0


class MetricResult(SpecModel):
    """State of one metric: the kept measurements, and counters over all of them."""

    name: str = ""
    phase: str = ""
    measurements: Annotated[tuple[Measurement, ...], NoneAsEmpty] = ()
    message: str = ""
    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_error: int = 0
    consecutive_success: int = 0
    dry_run: bool = False
    metadata: dict[str, str] | None = None


class AnalysisRunStatus(SpecModel):
    """State of a run."""

    phase: str = ""
    message: str = ""
    metric_results: Annotated[tuple[MetricResult, ...], NoneAsEmpty] = ()
    started_at: str | None = None
    run_summary: RunSummary | None = None
    dry_run_summary: RunSummary | None = None
    completed_at: str | None = None

    def result(self, name: str) -> MetricResult | None:
        """Return the state of one metric, or None before its first measurement."""
        return next((r for r in self.metric_results if r.name == name), None)

    def manifest(self) -> dict[str, Any]:
        """Return the JSON form without empty fields, as Go's ``omitempty`` writes it."""
        dumped: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {key: kept for key, value in dumped.items() if not _empty(kept := _without_empty(value))}


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ("", 0) or value == [] or value == {}


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: kept for key, item in value.items() if not _empty(kept := _without_empty(item))}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value
