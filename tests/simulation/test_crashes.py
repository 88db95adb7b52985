"""For every scenario and every write: its answer is lost, or the process dies after it. The end is the same.

Invariants are checked at every change of the store on the way (``rollouts.simulation.invariants``).
"""

import pytest

from rollouts.simulation import trial
from rollouts.simulation.faults import Fault
from rollouts.simulation.scenarios import SCENARIOS
from tests.simulation.baseline import differences, smooth

FAULTS = (Fault.ANSWER_LOST, Fault.KILLED_AFTER, Fault.KILLED_BEFORE, Fault.CONFLICT, Fault.FAILED_AFTER)
SHARE = 31
"""Every run of the tests takes one of so many cases; `make soak` takes all."""


def check(name: str, cases: list[tuple[Fault, int]]) -> None:
    assert cases
    found = {}
    for fault, number in cases:
        report = trial.run_with_fault(SCENARIOS[name], fault, number)
        problems = list(differences(name, report))
        if problems:
            found[f"{fault.value}: write {number}, {smooth(name).writes[number]}"] = problems
    assert not found


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_lost_answer_or_a_crash_at_some_writes_changes_nothing(name: str) -> None:
    cases = [(fault, number) for number in range(len(smooth(name).writes)) for fault in FAULTS]
    check(name, cases[list(SCENARIOS).index(name) % SHARE :: SHARE])


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_lost_answer_or_a_crash_at_every_write_changes_nothing(name: str, fault: Fault) -> None:
    check(name, [(fault, number) for number in range(len(smooth(name).writes))])
