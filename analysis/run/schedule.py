"""When each metric is measured next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from analysis.run.plan import MetricPlan
from analysis.spec.status import Measurement, MetricResult, Phase, is_completed

ERROR_RETRY = timedelta(seconds=10)
"""After an Error the interval is ignored."""


def read_time(text: str | None) -> datetime | None:
    """Read an RFC 3339 time of a status; None when absent or malformed."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def write_time(moment: datetime) -> str:
    """Write a time as status has it: RFC 3339, whole seconds, the fraction cut."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def last_measurement(result: MetricResult | None) -> Measurement | None:
    """Return the newest measurement of a metric, if there is one."""
    return result.measurements[-1] if result is not None and result.measurements else None


def open_measurement(result: MetricResult | None) -> Measurement | None:
    """Return the newest measurement when it is still under way (a running job)."""
    last = last_measurement(result)
    return last if last is not None and not is_completed(last.phase) else None


def next_measurement(metric: MetricPlan, result: MetricResult | None, started: datetime) -> datetime | None:
    """Return when a metric without an open measurement is measured next; None when never.

    ``started`` is the run's start. The first measurement is taken there (after ``initialDelay``), the next
    one an interval after the last one finished, or 10 s after it when that was an Error.
    """
    if result is not None and is_completed(result.phase):
        return None
    last = last_measurement(result)
    if last is None:
        return started + (metric.initial_delay or timedelta())
    if result is not None and metric.count is not None and result.count >= metric.count:
        return None
    finished = read_time(last.finished_at) or started
    if last.phase == Phase.ERROR:
        return finished + ERROR_RETRY
    return finished + (metric.interval if metric.interval is not None else ERROR_RETRY)


def resume_time(measurement: Measurement, now: datetime) -> datetime:
    """Return when an open measurement is looked at again (now, when it does not say)."""
    return read_time(measurement.resume_at) or now
