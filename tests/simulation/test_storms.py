"""Random faults of every kind at once: what must never happen does not, and it ends as without them."""

import os
from collections import Counter

import pytest

from rollouts.simulation import trial
from rollouts.simulation.faults import Fault, Smooth
from rollouts.simulation.scenarios import SCENARIOS
from tests.simulation.baseline import differences, smooth

NAMES = list(SCENARIOS)
BATCH = 20
SEEDS = int(os.environ.get("ROLLOUTS_SOAK_SEEDS", "3000"))
SHARES = (0.05, 0.15, 0.4)
"""How much of all writes goes wrong."""
IRRELEVANT = frozenset({"revision"})


def check(first: int) -> None:
    """Run some seeds; the scenario and how wild the storm is follow from the seed."""
    found = {}
    for seed in range(first, first + BATCH):
        name = NAMES[seed % len(NAMES)]
        report = trial.run_in_storm(SCENARIOS[name], seed, share=SHARES[seed // len(NAMES) % len(SHARES)])
        problems = list(differences(name, report, ignoring=IRRELEVANT))
        if problems:
            found[f"seed {seed}, {name}"] = problems
    assert not found


@pytest.mark.parametrize("first", range(0, 60, BATCH))
def test_some_storms_do_no_harm(first: int) -> None:
    check(first)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(1000, 1000 + SEEDS, BATCH))
def test_many_storms_do_no_harm(first: int) -> None:
    check(first)


def test_a_storm_has_every_kind_of_fault() -> None:
    trace = trial.run_in_storm(SCENARIOS["routed-three-versions"], 5, share=0.5).trace
    seen = Counter(fault for line in trace.splitlines() for fault in Fault if line.endswith(fault.value))
    assert set(seen) == set(Fault)
    assert "drain: evicts" in trace


def test_a_gateway_that_accepts_late_holds_the_canary_and_does_no_harm() -> None:
    """No step ends before its weight is in force, however long that takes."""
    late = trial.run(SCENARIOS["routed"], plan=lambda: Late(25.0))
    assert not list(differences("routed", late))
    assert late.writes == smooth("routed").writes


class Late(Smooth):
    """A gateway that reports on every route so many seconds later."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def accepts_late(self) -> float:
        return self._seconds
