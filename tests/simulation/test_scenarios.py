"""Every scenario without faults: it ends as it should, and nothing improper happens on the way."""

from collections.abc import Mapping
from typing import Any

import pytest

from rollouts.simulation.scenarios import SCENARIOS
from tests.simulation.baseline import smooth

ANALYSES: Mapping[str, list[tuple[str, str, int, str]]] = {
    "canary-retry": [("Step", "1", 0, "Failed"), ("Step", "1", 1, "Successful")],
    "routed-retry": [("Step", "1", 0, "Failed"), ("Step", "1", 1, "Successful")],
    "blue-green-retry": [("PrePromotion", "", 0, "Failed"), ("PrePromotion", "", 1, "Successful")],
    "blue-green-failed-after": [("PostPromotion", "", 0, "Failed")],
    "blue-green-checked": [("PostPromotion", "", 0, "Successful"), ("PrePromotion", "", 0, "Successful")],
    "routed-background": [("Background", "", 0, "Successful")],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_without_faults_all_is_well(name: str) -> None:
    scenario = SCENARIOS[name]
    report = smooth(name)
    assert not report.problems
    assert report.end["phase"] == scenario.ends
    if name in ANALYSES:
        assert report.end["analyses"] == ANALYSES[name]


@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if one.ends == "Degraded"])
def test_an_abort_ends_with_all_traffic_and_all_pods_on_stable(name: str) -> None:
    end: Mapping[str, Any] = smooth(name).end
    assert end["abort"]
    assert end["pods"] == {"v1": 3}
    assert {image for service, image in end["services"].items() if service != "preview"} <= {"v1"}
    assert all(weights == {"stable": 100, "canary": 0} for weights in end["weights"].values())
