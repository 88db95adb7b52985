"""What comes next, and when, as far as it can be known. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from analysis.spec.duration import parse_duration as analysis_duration
from analysis.spec.errors import SpecError
from rollouts.api.argoproj import rollout as api
from rollouts.api.argoproj.rollout import DEFAULT_PROGRESS_DEADLINE_SECONDS
from rollouts.api.conditions import PROGRESSING, get_condition
from rollouts.controllers.rollout.explain.lines import Line, line
from rollouts.controllers.rollout.explain.position import phrase
from rollouts.controllers.rollout.explain.sight import Sight, pause_length
from rollouts.controllers.rollout.snapshot import RolloutSnapshot, TemplateKey
from rollouts.kube.objects import parse_time

When = datetime | None
"""The earliest moment, None when it depends on a person or on something that cannot be known."""


def coming(sight: Sight) -> Iterator[Line]:
    """Yield what follows the present state; ``at`` is the earliest moment."""
    s = sight.s
    if sight.invalid:
        yield Line("nothing, until the spec is corrected")
        return
    if s.waits_for_budget:
        yield from _after_budget(s)
        return
    if s.aborted:
        yield from _after_abort(s)
        return
    if sight.in_update:
        yield from _steps(sight) if s.canary is not None else _blue_green(sight)
        yield from _deadline(sight)
    yield from _scale_downs(s)


def _after_budget(s: RolloutSnapshot) -> Iterator[Line]:
    until = s.budget_verdict.until if s.budget_verdict is not None else None
    if until is not None:
        yield line("the new version starts with a warning, if the budget is still not known", until)
    yield Line("the new version starts when the error budget lets it, or with an override")


def _after_abort(s: RolloutSnapshot) -> Iterator[Line]:
    if s.new is not None and s.new.desired and s.new.deadline is not None:
        yield line(f"the {s.new.desired} pods of revision {s.new.revision} go", s.new.deadline)
    yield Line("it stays on the stable version until somebody retries, or changes the pod template")


def _steps(sight: Sight) -> Iterator[Line]:
    s = sight.s
    at: When = None if s.spec.paused else s.now
    if s.status.promote_full or s.step_index is None or s.step is None:
        yield line(
            f"full promotion: revision {s.revision} becomes the stable version, once all its pods stand"
        )
        return
    if sight.holds:
        at = sight.held_until
    elif at is not None:
        at = _present_end(sight, s.step)
    for index, step in enumerate(s.steps[s.step_index + 1 :], start=s.step_index + 2):
        yield line(f"step {index}: {phrase(step)}", at)
        at = None if at is None else _end(sight, step, at)
    yield line(f"full promotion: revision {s.revision} becomes the stable version", at)


def _present_end(sight: Sight, step: api.CanaryStep) -> When:
    """Return the earliest end of the present step; None while it waits for something that has no time."""
    if step.analysis is None:
        return None
    length = analysis_length(sight.s, step.analysis)
    runs = [run for run in sight.deciding_runs if run.kind == "Step" and run.phase in ("Pending", "Running")]
    if length is None or not runs:
        return None
    return sight.s.now + max(timedelta(), length - timedelta(seconds=runs[0].age_seconds))


def _end(sight: Sight, step: api.CanaryStep, begin: datetime) -> When:
    """Return the earliest end of a step that begins at ``begin``."""
    if step.pause is not None:
        length = pause_length(step.pause.duration)
        return begin + length if length is not None else None
    if step.analysis is not None:
        length = analysis_length(sight.s, step.analysis)
        return begin + length if length is not None else None
    if step.experiment is not None or step.plugin is not None:
        return None
    return begin


def analysis_length(s: RolloutSnapshot, wanted: api.RolloutAnalysis) -> timedelta | None:
    """Return the least time that a successful analysis takes, None when it cannot be known."""
    longest = timedelta()
    for ref in wanted.templates:
        template = s.templates.get(TemplateKey(ref.template_name, ref.cluster_scope))
        if template is None:
            return None
        for metric in (template.get("spec") or {}).get("metrics") or ():
            length = _metric_length(metric)
            if length is None:
                return None
            longest = max(longest, length)
    return longest


def _metric_length(metric: Mapping[str, Any]) -> timedelta | None:
    count = metric.get("count", 1)
    try:
        count = int(count)
        interval = analysis_duration(str(metric["interval"])) if metric.get("interval") else timedelta()
        delay = analysis_duration(str(metric["initialDelay"])) if metric.get("initialDelay") else timedelta()
    except (ValueError, SpecError):
        return None
    return delay + (count - 1) * interval


def _blue_green(sight: Sight) -> Iterator[Line]:
    s = sight.s
    assert s.blue_green is not None  # noqa: S101 - the caller looked
    active, at = s.blue_green.active_service, sight.held_until
    switched = s.new is not None and s.service_hash(active) == s.new.hash
    if not switched:
        if s.blue_green.pre_promotion_analysis is not None and not sight.holds:
            yield Line("pre-promotion analysis")
        yield line(f"Service {active} is switched to revision {s.revision}", at)
    if s.blue_green.post_promotion_analysis is not None:
        yield Line("post-promotion analysis")
    yield line(f"full promotion: revision {s.revision} becomes the stable version")


def _deadline(sight: Sight) -> Iterator[Line]:
    """Tell when the update counts as stuck, where the clock of that runs."""
    s = sight.s
    progressing = get_condition(sight.decision.status.get("conditions"), PROGRESSING)
    step = s.step
    stopped = step is not None and (step.pause or step.analysis or step.experiment)
    if progressing is None or sight.phase != "Progressing" or stopped or sight.late:
        return
    since = parse_time(progressing.get("lastUpdateTime"))
    seconds = s.spec.progress_deadline_seconds
    if since is not None:
        limit = timedelta(seconds=DEFAULT_PROGRESS_DEADLINE_SECONDS if seconds is None else seconds)
        then = "the update is aborted" if s.spec.progress_deadline_abort else "it counts as Degraded"
        yield line(f"if nothing moves, {then}", since + limit)


def _scale_downs(s: RolloutSnapshot) -> Iterator[Line]:
    for rs in s.others:
        if rs.desired and rs.deadline is not None:
            yield line(f"the {rs.desired} pods of revision {rs.revision} go", rs.deadline)
