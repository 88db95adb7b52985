"""Counting per pod between boundaries: births, resets, gaps, and answers that cannot be counted."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.counts.arms import Arm, Pod, Versions
from analysis.counts.differences import between
from analysis.counts.errors import CountsError, TooManySeries
from analysis.counts.events import PodCounts, edges_of, from_buckets, from_labels, from_two
from analysis.counts.groups import ALWAYS, Groups, total
from analysis.counts.vectors import LabelSet, boundaries, fingerprint, read_matrix

VERSIONS = Versions("aaa", "bbb")
OLD, NEW = Pod(Arm.STABLE, "p1"), Pod(Arm.CANARY, "p1")


def series(pod: str = "web-aaa-p1", **labels: str) -> LabelSet:
    return tuple(sorted({"pod": pod, **labels}.items()))


def matrix(*rows: tuple[dict[str, str], list[tuple[float, str]]]) -> list[Any]:
    return [{"metric": labels, "values": [[t, v] for t, v in values]} for labels, values in rows]


def test_boundaries_hold_both_ends() -> None:
    assert boundaries(30.0, 75.0, 15.0) == (30.0, 45.0, 60.0, 75.0)
    assert boundaries(30.0, 30.0, 15.0) == (30.0,)


def test_a_range_answer_becomes_vectors() -> None:
    answer = matrix(({"pod": "a"}, [(15.0, "1"), (30.0, "4")]), ({"pod": "b"}, [(30.0, "NaN")]))
    read = read_matrix(answer, (15.0, 30.0), 10)
    assert read.at(15.0) == {(("pod", "a"),): 1.0}
    assert read.at(30.0) == {(("pod", "a"),): 4.0}
    with pytest.raises(KeyError):
        read.at(45.0)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"a": 1}, "not a list of series"),
        ([{"metric": {}, "histograms": []}], "native histograms where counters are wanted"),
        ([{"metric": {}}], "cannot be read"),
        ([{"metric": {}, "values": [["x", "y"]]}], "cannot be read"),
    ],
    ids=["no-list", "native", "no-values", "no-numbers"],
)
def test_an_answer_that_cannot_be_counted_says_why(answer: Any, message: str) -> None:
    with pytest.raises(CountsError, match=message):
        read_matrix(answer, (15.0,), 10)


def test_the_cap_on_series_names_the_remedy() -> None:
    with pytest.raises(TooManySeries, match=r"3 series, more than 2: use \{\{selector\}\}"):
        read_matrix(matrix(*[({"pod": str(i)}, []) for i in range(3)]), (), 2)


def test_a_fingerprint_ignores_order_and_sees_every_value() -> None:
    one = {series("a"): 1.0, series("b"): 2.0}
    assert fingerprint([one]) == fingerprint([dict(reversed(one.items()))])
    assert fingerprint([one]) != fingerprint([{**one, series("b"): 3.0}])
    assert fingerprint([one, {}]) != fingerprint([{}, one])


@pytest.mark.parametrize(
    ("versions", "selector"),
    [
        (VERSIONS, 'pod=~".+-(bbb|aaa)-[a-z0-9]+"'),
        (Versions("aaa", "bbb", hash_label="hash"), 'hash=~"bbb|aaa"'),
    ],
    ids=["by-pod-name", "by-label"],
)
def test_a_query_asks_for_both_versions_alone(versions: Versions, selector: str) -> None:
    query = versions.put_into('http{job="x",{{selector}}} + other{{{ selector }}}')
    assert query == f'http{{job="x",{selector}}} + other{{{selector}}}'


def test_series_find_their_pod_by_name_or_by_label() -> None:
    assert VERSIONS.pod_of(series("web-aaa-p1")) == OLD
    assert VERSIONS.pod_of(series("web-bbb-p1")) == NEW
    assert VERSIONS.pod_of(series("web-ccc-p1")) is None
    labelled = Versions("aaa", "bbb", "instance", "hash")
    assert labelled.pod_of((("hash", "bbb"), ("instance", "10.0.0.1:80"))) == Pod(Arm.CANARY, "10.0.0.1:80")
    assert labelled.pod_of((("hash", "zzz"), ("instance", "10.0.0.1:80"))) is None
    with pytest.raises(CountsError, match="no label 'pod'"):
        VERSIONS.pod_of((("instance", "x"),))


COUNTED = {
    "grows": ({series(): 3.0}, {series(): 5.0}, {OLD}, {OLD: 2.0}),
    "was-reset": ({series(): 9.0}, {series(): 4.0}, {OLD}, {OLD: 4.0}),
    "new-label-of-a-known-pod": (
        {series(code="200"): 3.0},
        {series(code="200"): 3.0, series(code="500"): 2.0},
        {OLD},
        {OLD: 2.0},
    ),
    "was-reset-and-its-first-bucket-has-climbed-past": (
        {series(le="0.1"): 4.0, series(le="+Inf"): 90.0},
        {series(le="0.1"): 6.0, series(le="+Inf"): 9.0},
        {OLD},
        {OLD: 15.0},
    ),
    "new-pod": ({}, {series("web-bbb-p1"): 7.0}, {OLD}, {NEW: 7.0}),
    "vanished": ({series(): 3.0}, {}, {OLD}, {}),
    "came-back-after-a-gap": ({}, {series(): 900.0}, {OLD}, {}),
    "of-another-version": ({}, {series("web-ccc-p1"): 7.0}, set(), {}),
}


@pytest.mark.parametrize("name", COUNTED)
def test_a_counter_that(name: str) -> None:
    before, after, known, expected = COUNTED[name]
    found = between(before, after, VERSIONS.pod_of, known)
    assert {pod: math.fsum(s.values()) for pod, s in found.increments.items()} == expected
    assert found.uncounted == ({OLD} if name == "came-back-after-a-gap" else set())


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_nothing_is_counted_twice_or_lost_over_births_and_resets(data: st.DataObject) -> None:
    """Every event between two boundaries is counted once, unless a reset swallowed it before it was read."""
    counter, there, seen, events = 0, False, 0.0, 0
    vectors, known = [], set()
    for _ in range(data.draw(st.integers(2, 12))):
        if there and data.draw(st.booleans()) and data.draw(st.booleans()):
            counter = 0
        there = there or data.draw(st.booleans())
        lowest = counter
        if there:
            new = data.draw(st.integers(0, 5))
            # A reset is visible only when the counter does not climb past its old value at once.
            if vectors and counter == 0 and vectors[-1] and new >= max(vectors[-1].values()):
                new = max(0, int(max(vectors[-1].values())) - 1)
            counter, events = lowest + new, events + new
        vectors.append({series("web-bbb-p1"): float(counter)} if there else {})
    events -= int(max(vectors[0].values(), default=0))
    for before, after in itertools.pairwise(vectors):
        found = between(before, after, VERSIONS.pod_of, known)
        known |= set(found.increments)
        seen += sum(math.fsum(s.values()) for s in found.increments.values())
        assert not found.uncounted
    assert seen == events


def test_bad_events_by_label_and_by_a_second_query() -> None:
    increments = {OLD: {series(code="200"): 90.0, series(code="503"): 10.0}}
    assert from_labels(increments, lambda s: dict(s)["code"].startswith("5")) == {OLD: PodCounts(100, (10,))}
    assert from_two(increments, {OLD: {series(): 7.0}}) == {OLD: PodCounts(100, (7,))}
    assert from_two({}, {NEW: {series(): 7.0}}) == {NEW: PodCounts(7, (7,))}


def test_buckets_become_slower_than_each_edge() -> None:
    buckets = {
        OLD: {
            series(le="0.1"): 80.0,
            series(le="0.5"): 95.0,
            series(le="1.0"): 99.0,
            series(le="+Inf"): 100.0,
        }
    }
    edges = edges_of(list(buckets[OLD]))
    assert edges == (0.1, 0.5, 1.0)
    assert from_buckets(buckets, edges) == {OLD: PodCounts(100, (20, 5, 1))}


def test_histograms_of_one_pod_are_added_and_a_missing_edge_counts_as_slow() -> None:
    buckets = {
        OLD: {
            series(path="/a", le="0.1"): 8.0,
            series(path="/a", le="0.5"): 9.0,
            series(path="/a", le="+Inf"): 10.0,
            series(path="/b", le="0.10"): 4.0,
            series(path="/b", le="+Inf"): 5.0,
        }
    }
    assert from_buckets(buckets, (0.1, 0.5)) == {OLD: PodCounts(15, (3, 2))}
    with pytest.raises(CountsError, match="classic _bucket"):
        edges_of([series()])


def pods(arm: Arm, *names: str) -> list[Pod]:
    return [Pod(arm, name) for name in names]


def test_groups_are_dealt_in_order_of_appearance_whatever_the_order_of_series() -> None:
    names = [f"p{i:02}" for i in range(18)]
    groups = Groups({}).with_pods(reversed(pods(Arm.STABLE, *names)), 0.0)
    assert [groups.places[Pod(Arm.STABLE, n)].group for n in names] == [*range(16), 0, 1]
    later = groups.with_pods(pods(Arm.STABLE, "a"), 15.0)
    assert later.places[Pod(Arm.STABLE, "a")].group == 2, "a later pod comes after those that were there"
    assert later.with_pods(pods(Arm.STABLE, "a"), 30.0) is later
    assert Groups.load(later.dump()) == later


def test_counts_are_summed_by_group_and_arm() -> None:
    groups = Groups({}).with_pods(pods(Arm.CANARY, "a", "b", "c", "d", "e"), 100.0)
    counts = {Pod(Arm.CANARY, n): PodCounts(10.0 + i, (float(i),)) for i, n in enumerate("abcde")}
    assert groups.grouped(counts, Arm.CANARY, 0) == ((4, 24), (1, 11), (2, 12), (3, 13))
    assert total(counts, Arm.CANARY) == PodCounts(60, (10,))
    assert groups.grouped(counts, Arm.STABLE, 0) == ((0.0, 0.0),) * 16
    assert groups.names(counts, Arm.CANARY) == {0: ("a", "e"), 1: ("b",), 2: ("c",), 3: ("d",)}


def test_the_share_of_young_pods_is_by_requests() -> None:
    groups = Groups({}).with_pods(pods(Arm.CANARY, "old"), ALWAYS).with_pods(pods(Arm.CANARY, "young"), 100.0)
    counts = {Pod(Arm.CANARY, "old"): PodCounts(30, (0,)), Pod(Arm.CANARY, "young"): PodCounts(10, (0,))}
    assert groups.young_share(counts, 107.5, 45) == 0.25
    assert groups.young_share(counts, 145.0, 45) == 0.0
    assert groups.young_share({}, 107.5, 45) == 0.0
