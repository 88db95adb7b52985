"""Replica counts at every boundary, as a table, and what must hold for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.workloads.canary_scale import (
    Bounds,
    Counts,
    RoutedDemand,
    Side,
    bounds,
    next_basic_counts,
    routed_counts,
    weighted_counts,
)


@pytest.mark.parametrize(
    ("replicas", "weight", "surge", "wanted"),
    [
        pytest.param(10, 0, 1, (0, 10), id="nothing yet"),
        pytest.param(10, 100, 1, (10, 0), id="all of it"),
        pytest.param(10, 10, 0, (1, 9), id="exact"),
        pytest.param(10, 5, 0, (1, 9), id="tie goes to the canary"),
        pytest.param(10, 5, 1, (1, 10), id="one more pod comes nearer"),
        pytest.param(10, 1, 0, (1, 9), id="at least one canary"),
        pytest.param(10, 99, 0, (9, 1), id="at least one stable"),
        pytest.param(1, 50, 1, (1, 1), id="surge lets a single pod be halved"),
        pytest.param(1, 50, 0, (1, 0), id="a single pod cannot be halved"),
        pytest.param(1, 5, 1, (1, 1), id="a single pod, small weight"),
        pytest.param(1, 95, 1, (1, 1), id="a single pod, large weight"),
        pytest.param(3, 50, 1, (2, 2), id="four pods make a half"),
        pytest.param(4, 25, 1, (1, 3), id="exact quarter"),
        pytest.param(0, 50, 1, (0, 0), id="no pods at all"),
        pytest.param(2, 75, 0, (1, 1), id="a tie for all of it leaves stable a pod"),
        pytest.param(5, 90, 0, (4, 1), id="a tie for all of five leaves stable a pod"),
    ],
)
def test_weighted_counts(replicas: int, weight: int, surge: int, wanted: tuple[int, int]) -> None:
    assert weighted_counts(replicas, weight, surge=surge) == Counts(*wanted)


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "wanted"),
    [
        pytest.param(10, "25%", "25%", (3, 2), id="defaults round apart"),
        pytest.param(1, "25%", "25%", (1, 0), id="single pod surges"),
        pytest.param(10, 0, 0, (0, 1), id="both zero lets one go"),
        pytest.param(3, 0, "10%", (0, 1), id="both resolve to zero"),
        pytest.param(2, 1, 5, (1, 2), id="never more than there are"),
    ],
)
def test_bounds(replicas: int, surge: int | str, unavailable: int | str, wanted: tuple[int, int]) -> None:
    found = bounds(replicas, surge, unavailable)
    assert (found.surge, found.unavailable) == wanted


LIMITS = Bounds(replicas=10, surge=1, unavailable=0)


@pytest.mark.parametrize(
    ("limits", "wanted", "canary", "stable", "others", "expected"),
    [
        pytest.param(LIMITS, (1, 9), (0, 0), (10, 10), (), (1, 10), id="canary grows within surge"),
        pytest.param(LIMITS, (1, 9), (1, 1), (10, 10), (), (1, 9), id="then stable shrinks"),
        pytest.param(LIMITS, (1, 9), (1, 0), (10, 10), (), (1, 10), id="not before it is ready"),
        pytest.param(
            Bounds(replicas=10, surge=0, unavailable=5), (3, 7), (0, 0), (10, 10), (), (0, 7),
            id="without surge stable goes first",
        ),
        pytest.param(LIMITS, (0, 10), (5, 5), (5, 5), (), (5, 6), id="abort grows stable first"),
        pytest.param(LIMITS, (0, 10), (5, 0), (10, 10), (), (0, 10), id="unready canary is no obstacle"),
        pytest.param(LIMITS, (1, 9), (1, 1), (10, 10), (2,), (1, 10), id="older ones shrink before stable"),
        pytest.param(LIMITS, (10, 0), (3, 3), None, (), (10, 0), id="alone"),
        pytest.param(LIMITS, (10, 0), (10, 8), (10, 2), (), (9, 2), id="what is above the surge goes too"),
        pytest.param(
            Bounds(replicas=4, surge=2, unavailable=0), (4, 0), (6, 0), (4, 4), (), (2, 4),
            id="scaled down, the canary that is broken gives way to stable",
        ),
        pytest.param(
            Bounds(replicas=4, surge=4, unavailable=1), (4, 0), (8, 0), (3, 3), (), (4, 3),
            id="scaled down, what is missing already is no reason to take more",
        ),
        pytest.param(
            Bounds(replicas=4, surge=1, unavailable=0), (1, 3), (2, 2), (6, 6), (), (1, 4),
            id="scaled down, both give way",
        ),
        pytest.param(
            Bounds(replicas=4, surge=2, unavailable=0), (4, 0), (3, 0), (8, 8), (), (2, 4),
            id="scaled down while growing, the canary that is broken makes room",
        ),
    ],
)  # fmt: skip
def test_next_basic_counts(
    limits: Bounds,
    wanted: tuple[int, int],
    canary: tuple[int, int],
    stable: tuple[int, int] | None,
    others: tuple[int, ...],
    expected: tuple[int, int],
) -> None:
    found = next_basic_counts(
        limits,
        Counts(*wanted),
        Side(spec=canary[0], available=canary[1]),
        Side(spec=stable[0], available=stable[1]) if stable else None,
        [Side(spec=count, available=count) for count in others],
    )
    assert found == Counts(*expected)


@pytest.mark.parametrize(
    ("demand", "wanted"),
    [
        pytest.param(RoutedDemand(replicas=10, weight=25), (3, 10), id="rounds up, stable stays whole"),
        pytest.param(RoutedDemand(replicas=10, weight=0), (0, 10), id="no weight, no pods"),
        pytest.param(RoutedDemand(replicas=10, weight=5, min_pods=2), (2, 10), id="least pods"),
        pytest.param(RoutedDemand(replicas=1, weight=5, min_pods=2), (1, 1), id="least pods within replicas"),
        pytest.param(RoutedDemand(replicas=10, weight=5, scale_replicas=7), (7, 10), id="own scale"),
        pytest.param(RoutedDemand(replicas=10, weight=5, scale_weight=50), (5, 10), id="own scale weight"),
        pytest.param(RoutedDemand(replicas=10, weight=40, max_weight=200), (2, 10), id="another maximum"),
        pytest.param(
            RoutedDemand(replicas=10, weight=40, dynamic_stable=True, actual_weight=20), (4, 8),
            id="stable follows the traffic in force",
        ),
        pytest.param(
            RoutedDemand(replicas=10, weight=0, dynamic_stable=True, actual_weight=60, aborted=True), (6, 10),
            id="abort keeps the canary for its traffic",
        ),
    ],
)  # fmt: skip
def test_routed_counts(demand: RoutedDemand, wanted: tuple[int, int]) -> None:
    assert routed_counts(demand) == Counts(*wanted)


@given(replicas=st.integers(0, 60), weight=st.integers(0, 100), surge=st.integers(0, 5))
def test_the_ratio_uses_at_most_one_more_pod_and_keeps_both_sides(
    replicas: int, weight: int, surge: int
) -> None:
    found = weighted_counts(replicas, weight, surge=surge)
    assert replicas <= found.canary + found.stable <= replicas + min(surge, 1)
    if 0 < weight < 100 and replicas > 1:
        assert found.canary >= 1
        assert found.stable >= 1


@given(
    replicas=st.integers(1, 30),
    weight=st.integers(0, 100),
    surge=st.integers(0, 10),
    unavailable=st.integers(0, 10),
)
def test_the_way_to_a_weight_stays_within_bounds_and_arrives(
    replicas: int, weight: int, surge: int, unavailable: int
) -> None:
    limits = bounds(replicas, surge, unavailable)
    wanted = weighted_counts(replicas, weight, surge=limits.surge)
    canary, stable = 0, replicas
    for _ in range(4 * replicas + 4):
        found = next_basic_counts(
            limits, wanted, Side(spec=canary, available=canary), Side(spec=stable, available=stable)
        )
        assert found.canary + found.stable <= limits.most
        assert found.canary + found.stable >= limits.least
        if found == Counts(canary, stable):
            break
        canary, stable = found.canary, found.stable
    assert Counts(canary, stable) == wanted


def sides() -> st.SearchStrategy[Side]:
    counts = st.tuples(st.integers(0, 15), st.integers(0, 15))
    return counts.map(lambda pair: Side(spec=pair[0], available=min(pair)))


@given(
    canary=sides(),
    stable=sides(),
    replicas=st.integers(1, 15),
    weight=st.integers(0, 100),
    surge=st.integers(0, 5),
    unavailable=st.integers(0, 5),
)
def test_no_step_takes_a_pod_that_must_stay_available(
    canary: Side, stable: Side, replicas: int, weight: int, surge: int, unavailable: int
) -> None:
    limits = bounds(replicas, surge, unavailable)
    found = next_basic_counts(limits, weighted_counts(replicas, weight, surge=limits.surge), canary, stable)
    left = min(canary.available, found.canary) + min(stable.available, found.stable)
    assert left >= min(limits.least, canary.available + stable.available)
