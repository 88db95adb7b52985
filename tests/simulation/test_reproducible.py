"""The same seed gives the same run, to the last byte of every object, in any process."""

import os
import subprocess
import sys

import pytest

from rollouts.simulation import trial
from rollouts.simulation.scenarios import SCENARIOS

PROGRAM = (
    "from rollouts.simulation import trial; from rollouts.simulation.scenarios import SCENARIOS;"
    " print(trial.run_in_storm(SCENARIOS['routed-retry'], 7, 0.2).digest)"
)


def digest_with(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


@pytest.mark.parametrize("name", ["canary", "routed-failed", "blue-green-checked"])
def test_the_same_seed_gives_the_same_trace(name: str) -> None:
    first, second = (trial.run_in_storm(SCENARIOS[name], 3) for _ in range(2))
    assert first.trace == second.trace
    assert first.digest == second.digest


def test_another_seed_gives_another_trace() -> None:
    first, second = (trial.run_in_storm(SCENARIOS["canary"], seed) for seed in (3, 4))
    assert first.digest != second.digest


def test_the_order_of_sets_plays_no_part() -> None:
    here = trial.run_in_storm(SCENARIOS["routed-retry"], 7, 0.2).digest
    assert {digest_with("1"), digest_with("4242")} == {here}
