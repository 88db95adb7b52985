"""How each scenario goes without faults: run once, compared with many times."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from rollouts.simulation import trial
from rollouts.simulation.scenarios import SCENARIOS
from rollouts.simulation.trial import Report


@cache
def smooth(name: str) -> Report:
    """Return the run of a scenario without faults."""
    return trial.run(SCENARIOS[name])


def differences(name: str, report: Report, *, ignoring: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield what went wrong in a run, and how its end differs from that without faults."""
    wanted = smooth(name)
    yield from report.problems
    for field, value in wanted.end.items():
        if report.end[field] != value and field not in ignoring:
            yield f"{field}: {report.end[field]}, not {value}"
    if report.created != wanted.created and "created" not in ignoring:
        yield f"created {report.created}, not {wanted.created}"
