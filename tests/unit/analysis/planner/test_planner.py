"""What a plan promises, checked against the study's medians and against itself."""

import random
from typing import Any

import pytest

from analysis.judges.profiles import Profile
from analysis.planner import Step, drawn, plan

DEFAULT = {"seconds": 300.0, "requests": 100.0, "weight": 0.05, "base": 0.002}


def step(**fields: Any) -> Step:
    return Step(**{**DEFAULT, "stable_pods": 20, **fields})


def test_the_power_target_is_what_the_study_measured() -> None:
    """5 times, .2 %, 100 requests a second, 5 % weight: 2.50 min and 8 errors (medians of the study)."""
    (five,) = plan(step(seconds=600.0), random.Random(3), ratios=(5.0,), runs=200).detections
    assert five.found >= 0.95
    assert five.seconds == pytest.approx(150, abs=30)
    assert five.bad == pytest.approx(8, abs=2)
    assert five.bad_high == pytest.approx(19, abs=5)


def test_ten_times_is_found_in_a_minute() -> None:
    (ten,) = plan(step(), random.Random(3), ratios=(10.0,)).detections
    assert (ten.found, ten.seconds) == (1.0, pytest.approx(60, abs=15))


def test_what_half_of_the_releases_miss_has_no_median() -> None:
    (little,) = plan(step(), random.Random(3), ratios=(1.5,), runs=50).detections
    assert little.found < 0.2
    assert (little.seconds, little.bad, little.bad_high) == (None, None, None)
    assert little.missed_cost == pytest.approx(300 * 100 * 0.05 * 0.002 * 1.5)


def test_more_traffic_detects_smaller_regressions() -> None:
    few, many = (
        plan(step(requests=r), random.Random(3), ratios=(3.0, 10.0, 25.0), runs=20).detectable
        for r in (20.0, 2000.0)
    )
    assert few is not None
    assert many is not None
    assert few > many


def test_the_same_dice_give_the_same_plan() -> None:
    assert plan(step(seconds=60.0), random.Random(5), runs=5) == plan(
        step(seconds=60.0), random.Random(5), runs=5
    )


def test_a_lone_pod_is_only_ever_suspected() -> None:
    planned = plan(step(canary_pods=1), random.Random(3), ratios=(10.0,), runs=40)
    assert planned.detections[0].found >= 0.9
    assert any("lone pod" in warning for warning in planned.warnings)


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({"requests": 5.0}, "detects none of these"),
        ({"requests": 5.0, "seconds": 600.0}, "careful profile"),
        ({"requests": 2000.0}, "costs about"),
        ({}, "cannot be relied on to detect less than a 10-fold"),
    ],
    ids=["too-little", "careful", "costly", "smallest"],
)
def test_what_the_step_cannot_do_is_said(fields: dict[str, Any], warning: str) -> None:
    ratios = (1.5, 5.0, 10.0) if fields.get("requests") != 2000.0 else (100.0,)
    planned = plan(step(**fields), random.Random(3), ratios=ratios, runs=30)
    assert any(warning in found for found in planned.warnings)


def test_a_ratio_that_would_be_more_than_all_requests_is_left_out() -> None:
    planned = plan(step(base=0.05), random.Random(3), runs=20)
    assert [d.ratio for d in planned.detections] == [1.5, 2.0, 3.0, 5.0, 10.0]


@pytest.mark.parametrize(
    "field", [{"weight": 0.0}, {"weight": 1.0}, {"requests": 0.0}, {"base": 0.0}, {"seconds": 5.0}]
)
def test_an_impossible_step_is_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        step(**field)


@pytest.mark.parametrize("mean", [0.3, 5.0, 100.0])
def test_bad_events_are_poisson(mean: float) -> None:
    dice = random.Random(7)
    values = [drawn(10_000.0, mean / 10_000.0, dice) for _ in range(4_000)]
    average = sum(values) / len(values)
    variance = sum((v - average) ** 2 for v in values) / len(values)
    assert average == pytest.approx(mean, rel=0.05)
    assert variance == pytest.approx(mean, rel=0.1)


def test_a_blind_plan_is_slower() -> None:
    fast, blind = (
        plan(step(profile=p, seconds=600.0), random.Random(3), ratios=(5.0,), runs=50).detections[0].seconds
        for p in (Profile.FAST, Profile.BLIND)
    )
    assert fast is not None
    assert blind is not None
    assert fast < blind
