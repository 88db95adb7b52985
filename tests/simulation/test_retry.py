"""After a retry a new AnalysisRun decides, also when the process dies right after it was created."""

import pytest

from rollouts.simulation import trial
from rollouts.simulation.faults import Fault
from rollouts.simulation.scenarios import SCENARIOS
from tests.simulation.baseline import differences, smooth


@pytest.mark.parametrize("fault", [Fault.KILLED_AFTER, Fault.KILLED_BEFORE, Fault.ANSWER_LOST])
@pytest.mark.parametrize("name", ["canary-retry", "routed-retry", "blue-green-retry"])
def test_a_new_run_decides(name: str, fault: Fault) -> None:
    creations = [i for i, write in enumerate(smooth(name).writes) if write.startswith("create AnalysisRun")]
    assert len(creations) == 2, "one for each attempt"
    report = trial.run_with_fault(SCENARIOS[name], fault, creations[1])
    assert not list(differences(name, report))
    assert [(attempt, phase) for *_, attempt, phase in report.end["analyses"]] == [
        (0, "Failed"),
        (1, "Successful"),
    ]
    assert report.created["analysisruns"] == 2
