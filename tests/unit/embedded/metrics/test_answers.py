"""The HTTP query API as data, what is scraped, and what the exposition text becomes."""

import math

import pytest

from rollouts.embedded.metrics.answers import (
    answer_query,
    answer_query_range,
    format_value,
    read_duration,
    read_time,
)
from rollouts.embedded.metrics.exposition import read_exposition
from rollouts.embedded.metrics.samples import SampleStore, make_labels
from rollouts.embedded.metrics.targets import target_of

STORE = SampleStore.of({make_labels({"__name__": "a", "x": "1"}): [(0, 1.0), (10_000, 2.5)]})


def test_an_instant_vector_has_prometheus_shape():
    answer = answer_query({"query": "a", "time": "10"}, STORE, now=0)
    assert answer.status == 200
    assert answer.body == {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [{"metric": {"__name__": "a", "x": "1"}, "value": [10.0, "2.5"]}],
        },
    }


@pytest.mark.parametrize(
    ("query", "kind", "result"),
    [
        ("1 + 1", "scalar", [5.0, "2"]),
        ('"text"', "string", [5.0, "text"]),
        ("a[10s] @ 10", "matrix", [{"metric": {"__name__": "a", "x": "1"}, "values": [[10.0, "2.5"]]}]),
        ("nothing", "vector", []),
        ("(nothing[1m])", "matrix", []),
    ],
)
def test_each_kind_of_value_has_its_result_type(query, kind, result):
    data = answer_query({"query": query}, STORE, now=5000).body["data"]
    assert (data["resultType"], data["result"]) == (kind, result)


def test_a_range_answer_is_a_matrix():
    form = {"query": "sum(a)", "start": "0", "end": "10", "step": "5s"}
    data = answer_query_range(form, STORE).body["data"]
    assert data == {
        "resultType": "matrix",
        "result": [{"metric": {}, "values": [[0.0, "1"], [5.0, "1"], [10.0, "2.5"]]}],
    }


@pytest.mark.parametrize(
    ("form", "status", "kind", "part"),
    [
        ({"query": "sum("}, 400, "bad_data", "query"),
        ({"query": "a[1m:1s]"}, 422, "execution", "subquery"),
        ({"query": "a", "time": "soon"}, 400, "bad_data", "time"),
    ],
)
def test_a_refusal_has_the_status_and_names_the_reason(form, status, kind, part):
    answer = answer_query(form, STORE, now=0)
    assert (answer.status, answer.body["errorType"]) == (status, kind)
    assert part in answer.body["error"]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"step": "0"}, "step"),
        ({"step": ""}, "step"),
        ({"end": "-1"}, "end"),
        ({"end": "20000"}, "11,000 points"),
        ({"query": "a[1m]"}, "range query"),
    ],
)
def test_a_range_query_with_a_bad_parameter_is_refused(change, part):
    answer = answer_query_range({"query": "a", "start": "0", "end": "10", "step": "1", **change}, STORE)
    assert answer.status == 400
    assert part in answer.body["error"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e21, "1000000000000000000000"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (-0.0, "-0"),
    ],
)
def test_values_are_written_without_exponents(value, text):
    assert format_value(value) == text


def test_times_and_durations_are_read_in_both_notations():
    assert read_time("1.5", "time") == read_time("1970-01-01T00:00:01.5Z", "time") == 1500
    assert [read_duration(text, "step") for text in ("15", "1m30s", "500ms", "1h")] == [
        15.0,
        90.0,
        0.5,
        3600.0,
    ]


def pod(**annotations: str) -> dict:
    return {
        "metadata": {
            "name": "web-1",
            "namespace": "shop",
            "labels": {"app": "web", "rollouts-pod-template-hash": "abc"},
            "annotations": {key.replace("_", "/", 1): value for key, value in annotations.items()},
        },
        "status": {"phase": "Running", "podIP": "127.0.0.1"},
    }


def test_a_pod_that_asks_for_it_is_a_target_with_its_labels():
    target = target_of(pod(**{"prometheus.io_scrape": "true", "simulator.rollouts.dev_listens-on": "4000"}))
    assert target is not None
    assert target.url == "http://127.0.0.1:4000/metrics"
    assert dict(target.labels) == {
        "app": "web",
        "instance": "127.0.0.1:4000",
        "job": "pods",
        "namespace": "shop",
        "pod": "web-1",
        "rollouts_pod_template_hash": "abc",
        "service": "web",
    }


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param({}, id="does not ask"),
        pytest.param({"prometheus.io_scrape": "true"}, id="no port"),
    ],
)
def test_other_pods_are_no_targets(annotations):
    assert target_of(pod(**annotations)) is None


def test_the_target_labels_win_over_exposed_ones():
    text = '# TYPE r counter\nr_total{pod="mine",code="200"} 3\n'
    assert list(read_exposition(text, {"pod": "web-1"})) == [
        (make_labels({"__name__": "r_total", "code": "200", "exported_pod": "mine", "pod": "web-1"}), 3.0)
    ]


def test_a_store_forgets_what_is_older_than_its_retention():
    store = SampleStore(retention_seconds=10)
    store.append(make_labels({"__name__": "a"}), 0, 1.0)
    store.append(make_labels({"__name__": "a"}), 9_000, 2.0)
    store.append(make_labels({"__name__": "b"}), 0, 1.0)
    store.trim(15_000)
    assert len(store) == 1
    (series,) = store.select(())
    assert series.times == [9_000]


def test_a_sample_that_is_not_newer_is_dropped():
    store = SampleStore()
    labels = make_labels({"__name__": "a"})
    for time, value in ((1, 1.0), (1, 2.0), (0, 3.0)):
        store.append(labels, time, value)
    assert store.select(())[0].values == [1.0]
