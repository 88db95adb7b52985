"""Plays a run on virtual time: each metric answers with the next of its listed phases."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from analysis.run.machine import Due, Finished, NextState, Step, next_state
from analysis.run.plan import RunPlan, prepare
from analysis.spec.objects import AnalysisRunSpec
from analysis.spec.status import AnalysisRunStatus, Measurement

START = datetime(2026, 1, 1, tzinfo=UTC)
LETTERS = {"S": "Successful", "F": "Failed", "I": "Inconclusive", "E": "Error"}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def metric(name: str = "m", **fields: Any) -> dict[str, Any]:
    return {"name": name, "provider": {"web": {"url": "http://x"}}, **fields}


def plan_of(*metrics: dict[str, Any], **spec: Any) -> RunPlan:
    return prepare(AnalysisRunSpec.model_validate({"metrics": list(metrics), **spec}))


def answer(due: Due, phase: str, message: str = "", **fields: Any) -> Finished:
    measurement = Measurement(phase=LETTERS.get(phase, phase), message=message, **fields)
    return Finished(due.metric.name, due.step, due.sequence, measurement)


@dataclass
class Play:
    """What happened: the last answer of the machine and when each metric was measured."""

    state: NextState
    now: datetime
    measured: dict[str, list[float]] = field(default_factory=dict)

    @property
    def status(self) -> AnalysisRunStatus:
        return self.state.status

    @property
    def phase(self) -> str:
        return self.state.status.phase

    def result(self, name: str = "m") -> Any:
        return self.state.status.result(name)


def play(
    plan: RunPlan,
    outcomes: Mapping[str, str] | str,
    *,
    until: float = 3600,
    message: str = "",
    takes: Sequence[float] = (),
) -> Play:
    """Run until the machine is done, the outcomes are used up, or ``until`` seconds are over."""
    if isinstance(outcomes, str):
        outcomes = {metric.name: outcomes for metric in plan.metrics}
    waiting: dict[str, Iterator[str]] = {name: iter(letters) for name, letters in outcomes.items()}
    durations = iter(takes)
    now, finished, status = START, [], AnalysisRunStatus()
    measured: dict[str, list[float]] = {}
    while True:
        state = next_state(plan, status, finished, now)
        status, finished = state.status, []
        current = Play(state, now, measured)
        for due in state.due:
            measured.setdefault(due.metric.name, []).append((now - START).total_seconds())
            letter = "S" if due.step is Step.TERMINATE else next(waiting[due.metric.name], None)
            if letter is None:
                return current
            finished.append(answer(due, letter, message if letter == "E" else ""))
        if state.due:
            now += timedelta(seconds=next(durations, 0))
            continue
        if state.requeue_at is None or state.requeue_at > at(until):
            return current
        now = state.requeue_at
