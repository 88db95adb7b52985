"""What a user hears when replica counts cannot carry the asked weight."""

from __future__ import annotations

import pytest

from rollouts.traffic.replica_ratio import RatioShare, ratio_message


def test_a_small_weight_on_few_pods_is_said_to_be_coarse() -> None:
    message = ratio_message(RatioShare(asked=5, maximum=100, stable=2, canary=1))
    assert "asked for 5 %, 1 of 3 pods give 33 %" in message
    assert "steps of 33 %" in message
    assert "trafficRouting" in message


@pytest.mark.parametrize(
    ("asked", "maximum", "stable", "canary"),
    [
        pytest.param(50, 100, 2, 2, id="exact"),
        pytest.param(33, 100, 2, 1, id="rounded"),
        pytest.param(0, 100, 3, 0, id="none"),
        pytest.param(100, 1000, 9, 1, id="another-maximum"),
        pytest.param(20, 100, 0, 0, id="no-pods"),
    ],
)
def test_a_weight_that_the_pods_carry_needs_no_word(
    asked: int, maximum: int, stable: int, canary: int
) -> None:
    assert ratio_message(RatioShare(asked, maximum, stable, canary)) == ""
