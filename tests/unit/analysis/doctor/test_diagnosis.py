"""What is said about series, in words: each thing that can stand in the way of a verdict."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from analysis.doctor.diagnosis import Examined, Series, diagnose
from analysis.doctor.selectors import Matcher, Selector, selectors_of
from analysis.doctor.subjects import Subject, subjects_of_metric, subjects_of_objective
from analysis.slo.validation import read_objective
from analysis.spec.errors import SpecError
from analysis.spec.objects import Metric
from tests.unit.analysis.slo.examples import ours

FIVE = timedelta(minutes=5)
HITS = Selector("hits_total", (Matcher("code", "=~", "5.."),), FIVE)
WELL = Series(HITS, 4, age=8, interval=15, resets=1)
PLAIN = Subject("metric a", "q")


def said(subject: Subject, *series: Series, **examined: Any) -> list[tuple[str, str]]:
    found = diagnose(Examined(subject, series, **examined))
    return [(finding.level.value, finding.message) for finding in found]


def test_good_series_are_told_with_their_numbers() -> None:
    assert said(PLAIN, WELL) == [
        ("ok", 'hits_total{code=~"5.."}: 4 series, sampled every 15 s, the stalest last seen 8 s ago')
    ]


SERIES: dict[str, tuple[dict[str, Any], Subject, str, str]] = {
    "no such name": ({"count": 0}, PLAIN, "problem", "no series of this name"),
    "a matcher is to blame": (
        {"count": 0, "named": 9, "found_without": [('code=~"5.."', 3)]},
        PLAIN,
        "problem",
        'no series, though 9 have the name: without code=~"5.." there are 3',
    ),
    "several are to blame": (
        {"count": 0, "named": 9},
        PLAIN,
        "problem",
        "more than one matcher fits nothing",
    ),
    "errors that never happened": (
        {"count": 0, "named": 9},
        replace(PLAIN, optional=True),
        "note",
        "right if such an event never happened",
    ),
    "not scraped any more": ({"age": 200.0}, PLAIN, "problem", "is not scraped any more"),
    "a range of one sample": ({"interval": 200.0}, PLAIN, "problem", "take 800 s or more"),
    "a short range": ({"interval": 100.0}, PLAIN, "note", "400 s is better"),
    "a lag that is too short": ({"interval": 60.0}, replace(PLAIN, lag=30.0), "note", "lag is 30 s"),
    "no label for the version": (
        {"missing": [("pod", 4)]},
        replace(PLAIN, labels=("pod",)),
        "problem",
        "4 of 4 series have no label 'pod'",
    ),
    "not a counter": ({"resets": 400.0}, PLAIN, "problem", "decreases 400 times an hour"),
    "an edge that is there": (
        {"edges": [0.1, 0.3, float("inf")]},
        replace(PLAIN, edges=(0.3,)),
        "ok",
        "0.3 s is one of its 2 bucket edges",
    ),
    "between two edges": (
        {"edges": [0.1, 0.3, 1.0]},
        replace(PLAIN, edges=(0.25,)),
        "problem",
        "the nearest are 0.1 and 0.3",
    ),
    "above all edges": (
        {"edges": [0.1, 0.3, float("inf")]},
        replace(PLAIN, edges=(2.0,)),
        "problem",
        "the nearest are 0.3",
    ),
    "no histogram": ({"edges": []}, replace(PLAIN, edges=(0.3,)), "problem", "no classic histogram"),
}


@pytest.mark.parametrize(("fields", "subject", "level", "words"), SERIES.values(), ids=SERIES)
def test_what_stands_in_the_way_is_told(
    fields: dict[str, Any], subject: Subject, level: str, words: str
) -> None:
    found = said(subject, replace(WELL, **fields))
    assert any(one == level and words in message for one, message in found), found


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        ([], "problem", "gives nothing at the moment"),
        ([float("nan")], "problem", "gives NaN"),
        ([1.0, 2.0], "note", "2 series in no certain order"),
        ([0.25], "ok", "gives 0.25"),
    ],
)
def test_the_answer_of_the_query_itself(answer: list[float], level: str, words: str) -> None:
    (found,) = said(PLAIN, answer=answer)
    assert found[0] == level
    assert words in found[1]


def test_an_absent_series_is_no_problem_where_the_query_copes_with_it() -> None:
    found = said(PLAIN, replace(WELL, count=0, named=3), answer=[0.0])
    assert [level for level, _ in found] == ["note", "ok"]


@pytest.mark.parametrize(
    ("rps", "objective", "level", "words"),
    [
        (0.0, 0.999, "problem", "nobody asks"),
        (20.0, None, "ok", "20 requests a second"),
        (50.0, 0.999, "ok", "takes 60 s of all traffic and 20 min of a canary's 5%"),
        (1.0, 0.999, "note", "16.7 h of a canary's 5%: raise the weight"),
    ],
    ids=["no traffic", "no objective", "enough", "too little for a canary"],
)
def test_traffic_is_held_against_the_objective(
    rps: float, objective: float | None, level: str, words: str
) -> None:
    ((found, message),) = said(replace(PLAIN, objective=objective), requests_per_second=rps)
    assert (found, words in message) == (level, True), message


def test_the_selectors_of_a_query_have_their_ranges() -> None:
    rate, last = 'sum(rate(a{b="c\\"d"}[5m] offset 1m))', 'a{b="c\\"d"} + {__name__="e"}'
    query = f"{rate} / max_over_time((d > 3)[1h:1m]) + {last}"
    assert selectors_of(query, "q") == (
        Selector("a", (Matcher("b", "=", 'c"d'),), FIVE),
        Selector("d"),
        Selector("a", (Matcher("b", "=", 'c"d'),)),
        Selector("e"),
    )
    assert str(selectors_of(query, "q")[0]) == 'a{b="c\\"d"}'


def test_a_query_that_does_not_parse_is_told() -> None:
    with pytest.raises(SpecError, match="metric a: is no PromQL"):
        selectors_of("sum(", "metric a")


def test_a_judge_wants_the_pod_on_every_series_and_its_edges() -> None:
    canary = {
        "stable": "aaa",
        "canary": "bbb",
        "latency": {"buckets": "seconds_bucket{{{selector}}}", "edges": [0.1, 0.3]},
        "slo": {"objective": 0.99, "edge": 0.3},
    }
    metric = Metric.model_validate({"name": "m", "provider": {"plugin": {"rollouts.dev/canary": canary}}})
    (found,) = subjects_of_metric(metric)
    assert (found.labels, found.edges, found.traffic) == (("pod",), (0.1, 0.3), True)
    assert found.query == 'seconds_bucket{pod=~".+-(bbb|aaa)-[a-z0-9]+"}'


def test_an_objective_wants_traffic_edges_and_perhaps_errors() -> None:
    spec = read_objective(ours()["spec"])
    ratio, total, bad = subjects_of_objective("objective a", spec)
    assert (ratio.result, ratio.series) == (True, False)
    assert (total.traffic, total.objective, total.optional) == (True, 0.999, False)
    assert bad.optional
    latency = {"latency": {"buckets": 'a_bucket{b="c",{{selector}}}', "threshold": "300ms"}}
    last = list(subjects_of_objective("o", read_objective(ours(indicator=latency)["spec"])))[-1]
    assert (last.query, last.edges) == ('a_bucket{b="c"}', (0.3,))


def test_other_providers_are_passed_over() -> None:
    metric = Metric.model_validate({"name": "m", "provider": {"web": {"url": "http://x"}}})
    assert list(subjects_of_metric(metric)) == []
