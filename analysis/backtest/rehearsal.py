"""Runs a template from a moment of the past, on a clock that jumps from one measurement to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analysis.providers.registry import ProviderRegistry
from analysis.run.machine import Finished, NextState, next_state
from analysis.run.plan import RunPlan, prepare
from analysis.runner import Runner
from analysis.spec.arguments import values_without_secrets
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.status import AnalysisRunStatus, Measurement, is_completed

MOST_MEASUREMENTS = 20_000
"""Of one run; a template that asks every second for a day is a mistake."""


class TooLong(Exception):
    """The run would take more measurements than ``MOST_MEASUREMENTS``."""


@dataclass(slots=True)
class JumpingClock:
    """A time that only the rehearsal moves."""

    now: datetime

    def read(self) -> datetime:
        """Return the present moment."""
        return self.now


@dataclass(frozen=True, slots=True)
class Taken:
    """One measurement as it came, with the moment at which it was taken."""

    at: datetime
    metric: str
    measurement: Measurement


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A run from its start to its verdict. ``cut``: the history ended before the template decided."""

    started: datetime
    ended: datetime
    status: AnalysisRunStatus
    taken: tuple[Taken, ...]
    cut: bool = False

    @property
    def lasted(self) -> timedelta:
        """Return how long the run took, in the time of the history."""
        return self.ended - self.started


async def rehearse(
    spec: AnalysisRunSpec, registry: ProviderRegistry, clock: JumpingClock, until: datetime
) -> Rehearsed:
    """Run a template from the clock's moment until it decides, or until the history ends.

    Then it is stopped as a rollout that is over stops its background analysis. Raises RunRejected, SpecError
    or TooLong.
    """
    plan, started = prepare(spec), clock.now
    values = values_without_secrets(spec.args)
    runner = Runner(registry, clock.read)
    status, taken, finished = AnalysisRunStatus(), list[Taken](), list[Finished]()
    cut = False
    while True:
        state = next_state(plan, status, finished, clock.now)
        status = state.status
        if is_completed(status.phase):
            return Rehearsed(started, clock.now, status, tuple(taken), cut)
        finished = await _measured(runner, plan, spec, state, values)
        taken += [Taken(clock.now, item.metric, item.measurement) for item in finished]
        if len(taken) > MOST_MEASUREMENTS:
            raise TooLong(
                f"more than {MOST_MEASUREMENTS} measurements; take a shorter time or a longer interval"
            )
        if finished:
            continue
        if state.requeue_at is None or state.requeue_at > until:
            plan, cut = replace(plan, terminate=True), True
        else:
            clock.now = state.requeue_at


async def _measured(
    runner: Runner, plan: RunPlan, spec: AnalysisRunSpec, state: NextState, values: Mapping[str, str]
) -> list[Finished]:
    templates = {m.name: template for m, template in zip(plan.metrics, spec.metrics, strict=True)}
    return [await runner.take(due, templates[due.metric.name], values) for due in state.due]
