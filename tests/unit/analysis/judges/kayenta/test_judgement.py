"""Labels and scores: Kayenta's published cases, and its rules one by one."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from analysis.judges.kayenta.classify import (
    Classified,
    Direction,
    EffectSize,
    Label,
    Measure,
    MetricTerms,
    classify,
)
from analysis.judges.kayenta.samples import NanStrategy, OutlierStrategy, percentile, without_outliers
from analysis.judges.kayenta.score import Thresholds, Verdict, score
from tests.unit.analysis.judges.kayenta import published

TEN, TEN_CONTROL = published.AROUND_TEN, published.AROUND_TEN_CONTROL
TWENTY, TWENTY_CONTROL = published.AROUND_TWENTY, published.AROUND_TWENTY_CONTROL


def label(experiment: Sequence[float], control: Sequence[float], **terms: Any) -> Label:
    return classify(MetricTerms("m", ("g",), **terms), experiment, control).label


@pytest.mark.parametrize(
    ("experiment", "control", "direction", "wanted"),
    [
        (TEN, TEN_CONTROL, Direction.EITHER, Label.PASS),
        (TWENTY, TEN_CONTROL, Direction.EITHER, Label.HIGH),
        (TEN, TWENTY_CONTROL, Direction.EITHER, Label.LOW),
        (TEN, TWENTY_CONTROL, Direction.INCREASE, Label.PASS),
        (TWENTY, TEN_CONTROL, Direction.DECREASE, Label.PASS),
        (TWENTY, TEN_CONTROL, Direction.INCREASE, Label.HIGH),
        (TEN, TWENTY_CONTROL, Direction.DECREASE, Label.LOW),
        ([1.0] * 3, [1.0] * 2, Direction.DECREASE, Label.PASS),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 4.0, 3.0, 2.0, 1.0], Direction.DECREASE, Label.PASS),
        ([0.0, 1.0, 1.0, 1.0, 1.0], [1.0] * 5, Direction.DECREASE, Label.PASS),
        ([], [1.0, 2.0, 3.0, 4.0, 5.0], Direction.DECREASE, Label.NODATA),
    ],
    ids=[
        "same",
        "high",
        "low",
        "low-does-not-matter",
        "high-does-not-matter",
        "high-matters",
        "low-matters",
        "one-value",
        "same-values-in-another-order",
        "a-leading-zero",
        "no-experiment",
    ],
)
def test_published_classifications(
    experiment: list[float], control: list[float], direction: Direction, wanted: Label
) -> None:
    assert label(experiment, control, direction=direction) is wanted


@pytest.mark.parametrize(
    ("experiment", "control"),
    [
        ([100.0] * 7 + [1.0] * 3, [1.0] * 10),
        ([0.0, 1.0, 2.0, 1.0, 0.0, 0.0], [0.0] * 6),
    ],
    ids=["mostly-a-hundred", "a-few-errors"],
)
def test_users_cases_that_kayenta_lets_pass_pass_here_too(
    experiment: list[float], control: list[float]
) -> None:
    assert label(experiment, control) is Label.PASS


def test_gaps_are_removed_or_taken_as_zero() -> None:
    gaps = [math.nan] * 5
    assert label([*TEN, *gaps], TEN_CONTROL) is Label.PASS
    assert label(gaps, TEN_CONTROL) is Label.NODATA
    assert label(gaps, TEN_CONTROL, nan=NanStrategy.REPLACE) is Label.LOW
    assert label([], TEN_CONTROL, nan=NanStrategy.REPLACE) is Label.PASS


def test_data_can_be_demanded() -> None:
    assert label([], [1.0], must_have_data=True) is Label.NODATA_FAIL
    critical = classify(MetricTerms("m", critical=True, must_have_data=True), [], [1.0])
    assert (critical.label, critical.critical_failure) == (Label.NODATA, True)


def test_outliers_are_beyond_three_ranges_and_never_more_than_two_percent() -> None:
    values = [float(n) for n in range(1, 101)]
    assert without_outliers([*values, 10_000.0]) == tuple(values)
    assert without_outliers(values) == tuple(values)
    assert without_outliers(()) == ()
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.25) == 1.75
    high = [*TEN_CONTROL[:29], *[900.0]]
    assert label(high, TEN_CONTROL, outliers=OutlierStrategy.REMOVE) is Label.PASS


def test_two_constants_that_differ_are_told_apart() -> None:
    assert label([2.0, 2.0], [1.0, 1.0]) is Label.HIGH
    assert label([0.0], [1.0, 1.0]) is Label.LOW


def test_a_difference_must_be_large_enough_when_an_effect_size_is_set() -> None:
    twice = EffectSize(allowed_increase=2.5)
    found = classify(MetricTerms("m", effect=twice), TWENTY, TEN_CONTROL)
    assert (found.label, found.reason[:24]) == (Label.PASS, "High, but not by enough:")
    assert label(TWENTY, TEN_CONTROL, effect=EffectSize(allowed_increase=1.5)) is Label.HIGH
    assert label(TEN, TWENTY_CONTROL, effect=EffectSize(allowed_decrease=0.3)) is Label.PASS
    assert label(TWENTY, [0.0] * 30, effect=twice) is Label.HIGH  # no ratio to a mean of 0


def test_the_common_language_effect_size_is_a_chance() -> None:
    sure = EffectSize(Measure.CLES, allowed_increase=0.9)
    found = classify(MetricTerms("m", effect=sure), TWENTY, TEN_CONTROL)
    assert (found.label, found.size) == (Label.HIGH, 1.0)


def test_a_critical_metric_fails_alone_from_its_own_size_on() -> None:
    def failed(effect: EffectSize) -> bool:
        return classify(MetricTerms("m", critical=True, effect=effect), TWENTY, TEN_CONTROL).critical_failure

    assert failed(EffectSize())
    assert not failed(EffectSize(critical_increase=5.0))
    assert not classify(MetricTerms("m", critical=True), TEN, TEN_CONTROL).critical_failure


def metric(name: str, of: Label, group: str = "g", **terms: Any) -> Classified:
    critical = bool(terms.get("critical")) and of is not Label.PASS
    return Classified(MetricTerms(name, (group,), **terms), of, critical, "")


PASS, HIGH, LOW, NODATA = Label.PASS, Label.HIGH, Label.LOW, Label.NODATA


@pytest.mark.parametrize(
    ("metrics", "weights", "wanted"),
    [
        ([metric("a", PASS)], {}, 100.0),
        ([metric("a", HIGH)], {}, 0.0),
        ([metric("a", PASS), metric("b", HIGH)], {}, 50.0),
        ([metric("a", PASS), metric("b", HIGH), metric("c", LOW)], {}, 33.33),
        (
            [metric("a", PASS, "one"), metric("b", PASS, "one"), metric("c", HIGH, "two")],
            {"one": 75, "two": 25},
            75.0,
        ),
        (
            [metric("a", PASS, "one"), metric("b", HIGH, "one"), metric("c", HIGH, "two")],
            {"one": 50, "two": 50},
            25.0,
        ),
        ([metric("a", NODATA)], {}, 0.0),
        ([metric("a", PASS), metric("b", HIGH, critical=True)], {}, 0.0),
        ([metric("a", LOW), metric("b", PASS, critical=True)], {}, 50.0),
        ([metric("a", PASS), metric("b", HIGH, muted=True)], {}, 100.0),
        ([metric("a", PASS), metric("b", PASS), metric("c", NODATA)], {}, 100.0),
        ([metric("a", PASS), metric("b", Label.NODATA_FAIL)], {}, 50.0),
        ([metric("a", PASS, "one"), metric("b", HIGH, "two"), metric("c", PASS, "three")], {"one": 60}, 80.0),
        ([metric("a", PASS), metric("b", NODATA)], {}, 0.0),
        ([], {}, 0.0),
    ],
    ids=[
        "one-pass",
        "one-high",
        "half",
        "a-third",
        "weights",
        "equal-weights",
        "no-data",
        "critical-fails",
        "critical-passes",
        "muted",
        "no-data-does-not-count",
        "no-data-counts-where-it-must-be",
        "the-rest-is-shared",
        "half-without-data",
        "nothing",
    ],
)
def test_scores(metrics: list[Classified], weights: dict[str, float], wanted: float) -> None:
    assert score(metrics, weights).score == wanted


def test_a_zero_says_why() -> None:
    found = score([metric("a", PASS), metric("errors", HIGH, critical=True)], {})
    assert (found.groups, found.reason) == ({"g": 50.0}, "critical: errors")
    assert score([metric("a", NODATA)], {}).reason == "1 of 1 metrics have no data"


def test_verdicts_begin_at_their_thresholds() -> None:
    limits = Thresholds(passing=95, marginal=75)
    assert [limits.verdict(s) for s in (95, 94.99, 75, 74.99)] == [
        Verdict.PASS,
        Verdict.MARGINAL,
        Verdict.MARGINAL,
        Verdict.FAIL,
    ]
