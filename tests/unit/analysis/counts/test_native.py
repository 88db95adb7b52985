"""Native histograms: counted at edges, exact at bounds that all of them have, and never made up."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.counts.arms import Arm, Pod, Versions
from analysis.counts.differences import between
from analysis.counts.errors import CountsError
from analysis.counts.events import PodCounts, filled_shares, from_buckets
from analysis.counts.native import EDGES, common_edges, informative, read_native
from analysis.counts.vectors import MatrixReader, Vectors

VERSIONS = Versions("aaa", "bbb")
NEW = Pod(Arm.CANARY, "p1")
MOMENTS = (15.0, 30.0)


def histogram(values: list[float], schema: int, zero: float = 1e-6) -> dict[str, Any]:
    """Return what the API shows of these observations."""
    buckets: dict[tuple[float, float], int] = {}
    for value in values:
        if value <= zero:
            bounds = (-zero, zero)
        else:
            index = math.ceil(round(math.log2(value) * 2**schema, 9))
            bounds = (2.0 ** ((index - 1) / 2**schema), 2.0 ** (index / 2**schema))
        buckets[bounds] = buckets.get(bounds, 0) + 1
    shown = [[0, str(left), str(right), str(n)] for (left, right), n in sorted(buckets.items())]
    return {"count": str(len(values)), "sum": str(sum(values)), "buckets": shown}


def series(*samples: dict[str, Any], pod: str = "web-bbb-p1") -> dict[str, Any]:
    pairs = [[moment, sample] for moment, sample in zip(MOMENTS, samples, strict=False)]
    return {"metric": {"pod": pod}, "histograms": pairs}


def read(*rows: dict[str, Any], edges: tuple[float, ...] = EDGES) -> Vectors:
    reader = MatrixReader(MOMENTS, edges)
    reader.add(rows)
    return reader.vectors()


def counted(vectors: Vectors, edges: tuple[float, ...]) -> PodCounts:
    found = between(vectors.vectors[0], vectors.vectors[1], VERSIONS.pod_of, ())
    return from_buckets(found.increments, edges)[NEW]


FAST, SLOW = [0.04] * 10, [0.3, 0.3, 3.0]


@pytest.mark.parametrize("schema", [0, 3, 8])
def test_observations_between_two_moments_are_counted_at_each_edge(schema: int) -> None:
    vectors = read(series(histogram(FAST, schema), histogram(FAST + FAST + SLOW, schema)))
    assert counted(vectors, (0.125, 0.5, 2.0)) == PodCounts(13, (3, 1, 1))
    assert vectors.native


def test_buckets_that_became_coarser_are_no_reset() -> None:
    vectors = read(series(histogram(FAST, 3), histogram(FAST + FAST + SLOW, 0)))
    assert counted(vectors, (0.125, 0.5)) == PodCounts(13, (3, 1))


def test_an_edge_within_a_bucket_counts_the_bucket_as_slower_on_both_sides() -> None:
    rows = [
        series(histogram([0.04] * 5, 0), histogram([0.04] * 5 + [0.2], 0)),
        series(histogram([0.04] * 5, 3), histogram([0.04] * 5 + [0.2], 3), pod="web-aaa-p1"),
    ]
    found = between(*read(*rows, edges=(0.22,)).vectors, VERSIONS.pod_of, ())
    counts = from_buckets(found.increments, (0.22,))
    assert {value for value in counts.values()} == {PodCounts(1, (1,))}
    alone = read(rows[1], edges=(0.22,))
    found = between(*alone.vectors, VERSIONS.pod_of, ())
    assert set(from_buckets(found.increments, (0.22,)).values()) == {PodCounts(1, (0,))}


def test_a_restart_counts_from_zero_at_every_edge() -> None:
    vectors = read(series(histogram(FAST + [5.0] * 50, 3), histogram(FAST * 2 + [5.0], 3)))
    assert counted(vectors, (0.125, 8.0)) == PodCounts(21, (1, 0))


def test_a_new_pod_counts_from_zero() -> None:
    late = {"metric": {"pod": "web-bbb-p1"}, "histograms": [[30.0, histogram([0.04, 3.0], 3)]]}
    assert counted(read(late), (0.125,)) == PodCounts(2, (1,))


def test_custom_bounds_are_taken_as_they_are() -> None:
    shown = {"count": "7", "sum": "1", "buckets": [[0, "0", "0.1", "4"], [0, "0.1", "0.25", "2"]]}
    one = read_native({**shown, "buckets": [*shown["buckets"], [0, "0.25", "+Inf", "1"]]})
    assert one.custom
    assert common_edges([one], (0.2, 0.25)) == {0.2: 0.2, 0.25: 0.25}
    assert (one.at(0.2), one.at(0.25)) == (4.0, 6.0)


@given(st.lists(st.floats(1e-3, 60), min_size=1, max_size=30), st.integers(0, 8), st.integers(0, 8))
def test_at_powers_of_two_counts_are_exact_whatever_the_schemas(
    values: list[float], one: int, other: int
) -> None:
    both = [read_native(histogram(values, schema)) for schema in (one, other)]
    bounds = common_edges(both, EDGES)
    for edge in EDGES:
        wanted = sum(value <= edge * (1 + 1e-12) for value in values)
        assert [found.at(bounds[edge]) for found in both] == [wanted, wanted]


def test_edges_worth_judging_lie_between_requests_and_just_above_them() -> None:
    vectors = read(series(histogram(FAST, 3), histogram(FAST + SLOW, 3)))
    found = informative(filled_shares(vectors.vectors), 10)
    assert found == (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
    assert informative(filled_shares(vectors.vectors), 3) == (2.0, 4.0, 8.0)
    idle = read(series(histogram([], 3), histogram([], 3)))
    assert informative(filled_shares(idle.vectors), 2) == EDGES[-2:]


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"buckets": []}, "cannot be read"),
        ({"count": "x"}, "cannot be read"),
        ({"count": "1", "buckets": [[0, "1", "2"]]}, "cannot be read"),
        ({"count": "NaN"}, "do not use rate"),
        ({"count": "1", "buckets": [[0, "1", "2", "-1"]]}, "do not use rate"),
    ],
)
def test_a_histogram_that_is_none_is_refused(sample: dict[str, Any], message: str) -> None:
    with pytest.raises(CountsError, match=message):
        read_native(sample)
