"""When a finished run is deleted."""

from __future__ import annotations

from datetime import datetime, timedelta

from analysis.run.schedule import read_time
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.status import AnalysisRunStatus, Phase, is_completed


def delete_at(spec: AnalysisRunSpec, status: AnalysisRunStatus) -> datetime | None:
    """Return the moment at which the run's time to live is over; None when it is kept.

    Success and failure have their own limits and fall back to ``secondsAfterCompletion``; Error and
    Inconclusive know only that one.
    """
    completed = read_time(status.completed_at)
    strategy = spec.ttl_strategy
    if strategy is None or completed is None or not is_completed(status.phase):
        return None
    own = {
        Phase.SUCCESSFUL.value: strategy.seconds_after_success,
        Phase.FAILED.value: strategy.seconds_after_failure,
    }.get(status.phase)
    seconds = strategy.seconds_after_completion if own is None else own
    return None if seconds is None else completed + timedelta(seconds=seconds)
