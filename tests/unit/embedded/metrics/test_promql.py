"""PromQL against values that were computed by hand."""

import math

import pytest

from rollouts.embedded.metrics.promql import (
    Dialect,
    Element,
    EvaluationFailed,
    Options,
    QuerySyntaxError,
    Unsupported,
    evaluate,
    evaluate_range,
)
from rollouts.embedded.metrics.samples import SampleStore, make_labels

S = 1000
"""One second in milliseconds."""
V2 = Options(dialect=Dialect.V2)


def store(**series: list[tuple[float, float | None]]) -> SampleStore:
    """Series of one metric each, by name, with samples at seconds."""
    return SampleStore.of(
        {make_labels({"__name__": n}): [(int(t * S), v) for t, v in s] for n, s in series.items()}
    )


def labelled(*rows: tuple[dict[str, str], float]) -> SampleStore:
    """One sample at second 0 for each label set."""
    return SampleStore.of({make_labels(labels): [(0, value)] for labels, value in rows})


def ask(query: str, samples: SampleStore, at: float = 0.0, options: Options | None = None):
    """Return {labels without name as "k=v,…": value}, or the scalar."""
    value = evaluate(query, samples, int(at * S), options)
    if not isinstance(value, list):
        return value
    return {",".join(f"{k}={v}" for k, v in e.labels): e.value for e in value if isinstance(e, Element)}


# --- rate and its family -----------------------------------------------------------------------------------

EVERY_15 = [(t, 10.0 + t) for t in range(0, 61, 15)]  # one per second, sampled every 15 s, 10 at second 0


@pytest.mark.parametrize(
    ("query", "samples", "at", "options", "expected"),
    [
        # Samples 15, 30, 45, 60 lie in (0, 60]; 45 of change over 45 s, extrapolated by 15 s to the start.
        pytest.param("rate(a[1m])", EVERY_15, 60, None, 1.0, id="rate reaches both bounds"),
        pytest.param("increase(a[1m])", EVERY_15, 60, None, 60.0, id="increase reaches both bounds"),
        # (5, 65]: samples 15…60; start is 10 s away, end 5 s: factor (45 + 10 + 5) / 45.
        pytest.param("increase(a[1m])", EVERY_15, 65, None, 60.0, id="bounds between samples"),
        # (40, 100]: samples 45, 60; end is 40 s away, more than 1.1 * 15, so half a gap: 15 * (15+5+7.5)/15.
        pytest.param("increase(a[1m])", EVERY_15, 100, None, 27.5, id="a far bound counts half a gap"),
        # A counter at 1 that rises by 15 per 15 s was zero 1 s before its first sample: 30 * (30 + 1)/30.
        pytest.param(
            "increase(a[1m])", [(30, 1.0), (45, 16.0), (60, 31.0)], 60, None, 31.0, id="not below zero"
        ),
        # Reset: 10→20 (+10), 20→5 (+5, the lost 20 are added back), 5→15 (+10): 25 over 30 s.
        pytest.param(
            "increase(a[30s])",
            [(0, 10.0), (10, 20.0), (20, 5.0), (30, 15.0)],
            30,
            V2,
            25.0,
            id="a reset adds what was lost",
        ),
        pytest.param("irate(a[1m])", [(0, 0.0), (10, 5.0), (20, 9.0)], 20, None, 0.4, id="irate: last two"),
        pytest.param("irate(a[1m])", [(0, 50.0), (10, 5.0)], 10, V2, 0.5, id="irate after a reset"),
        # Gauge from 10 to 4 over 20 s, extrapolated to 30 s: -6 * 30/20.
        pytest.param("delta(a[30s])", [(10, 10.0), (20, 9.0), (30, 4.0)], 30, None, -9.0, id="delta"),
        pytest.param("idelta(a[1m])", [(10, 10.0), (20, 9.0), (30, 4.0)], 30, None, -5.0, id="idelta"),
        pytest.param("deriv(a[1m])", [(10, 1.0), (20, 3.0), (30, 5.0)], 30, None, 0.2, id="deriv"),
        pytest.param("changes(a[1m])", [(1, 1.0), (2, 1.0), (3, 2.0)], 3, None, 1.0, id="changes"),
        pytest.param("resets(a[1m])", [(1, 1.0), (2, 0.0), (3, 2.0), (4, 1.0)], 4, None, 2.0, id="resets"),
    ],
)
def test_changes_over_a_range(query, samples, at, options, expected):
    assert ask(query, store(a=samples), at, options) == {"": pytest.approx(expected)}


def test_rate_needs_two_samples():
    assert ask("rate(a[1m])", store(a=[(10, 1.0)]), 20) == {}


def test_a_range_is_left_open_in_version_3_and_closed_in_version_2():
    samples = store(a=[(0, 1.0), (10, 2.0)])
    assert ask("count_over_time(a[10s])", samples, 10) == {"": 1.0}
    assert ask("count_over_time(a[10s])", samples, 10, V2) == {"": 2.0}


def test_versions_differ_when_the_zero_point_lies_between_half_a_gap_and_the_threshold():
    # Samples 30, 40, 50 of a counter 8, 18, 28; range (10, 50]: the start is 20 s away (more than 11), zero
    # was 8 s before the first sample. Version 3 caps at half a gap (5 s), version 2 goes to zero (8 s).
    samples = store(a=[(30, 8.0), (40, 18.0), (50, 28.0)])
    assert ask("increase(a[40s])", samples, 50) == {"": pytest.approx(25.0)}
    assert ask("increase(a[40s])", samples, 50, V2) == {"": pytest.approx(28.0)}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("avg", 2.5),
        ("sum", 10.0),
        ("min", 1.0),
        ("max", 4.0),
        ("count", 4.0),
        ("last", 3.0),
        ("present", 1.0),
        ("stdvar", 1.25),
        ("stddev", math.sqrt(1.25)),
    ],
)
def test_over_time(function, expected):
    samples = store(a=[(1, 1.0), (2, 4.0), (3, 2.0), (4, 3.0)])
    (value,) = ask(f"{function}_over_time(a[10s])", samples, 5).values()
    assert value == pytest.approx(expected)


def test_quantile_over_time_interpolates_between_ranks():
    samples = store(a=[(1, 1.0), (2, 4.0), (3, 2.0), (4, 3.0)])
    assert ask("quantile_over_time(0.9, a[10s])", samples, 5) == {"": pytest.approx(3.7)}


# --- selectors ---------------------------------------------------------------------------------------------


def test_an_instant_selector_looks_back_five_minutes_and_no_further():
    samples = store(a=[(0, 7.0)])
    assert ask("a", samples, 299.999) == {"__name__=a": 7.0}
    assert ask("a", samples, 300) == {}
    assert ask("a", samples, 300, V2) == {"__name__=a": 7.0}


def test_a_series_that_ended_is_not_seen_but_its_past_is():
    samples = store(a=[(0, 1.0), (10, 2.0), (20, None)])
    assert ask("a", samples, 25) == {}
    assert ask("a", samples, 15) == {"__name__=a": 2.0}
    assert ask("sum_over_time(a[1m])", samples, 25) == {"": 3.0}


def test_offset_and_at_move_the_moment():
    samples = store(a=[(0, 1.0), (10, 2.0), (20, 3.0)])
    assert ask("a offset 10s", samples, 20) == {"__name__=a": 2.0}
    assert ask("a offset -10s", samples, 10) == {"__name__=a": 3.0}
    assert ask("a @ 5", samples, 20) == {"__name__=a": 1.0}


MATCHED = labelled(
    ({"__name__": "r", "code": "200", "path": "/a"}, 1.0),
    ({"__name__": "r", "code": "503", "path": "/b"}, 2.0),
    ({"__name__": "r", "path": "/c"}, 4.0),
    ({"__name__": "other", "code": "200"}, 8.0),
)


@pytest.mark.parametrize(
    ("selector", "total"),
    [
        ('r{code="200"}', 1.0),
        ('r{code!="200"}', 6.0),
        ('r{code=~"5.."}', 2.0),
        ('r{code=~"5"}', None),
        ('r{code!~"5.."}', 5.0),
        ('r{code=""}', 4.0),
        ('r{code=~".+"}', 3.0),
        ('{__name__=~"r|other",code="200"}', 9.0),
    ],
)
def test_matchers_see_an_absent_label_as_empty_and_anchor_regular_expressions(selector, total):
    assert ask(f"sum({selector})", MATCHED) == ({} if total is None else {"": total})


# --- aggregations ------------------------------------------------------------------------------------------

GROUPS = labelled(
    ({"__name__": "m", "a": "x", "b": "1"}, 1.0),
    ({"__name__": "m", "a": "x", "b": "2"}, 3.0),
    ({"__name__": "m", "a": "y", "b": "1"}, 10.0),
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sum(m)", {"": 14.0}),
        ("sum by (a) (m)", {"a=x": 4.0, "a=y": 10.0}),
        ("sum without (b) (m)", {"a=x": 4.0, "a=y": 10.0}),
        ("avg by (a) (m)", {"a=x": 2.0, "a=y": 10.0}),
        ("min(m)", {"": 1.0}),
        ("max by (b) (m)", {"b=1": 10.0, "b=2": 3.0}),
        ("count by (a) (m)", {"a=x": 2.0, "a=y": 1.0}),
        ("group by (a) (m)", {"a=x": 1.0, "a=y": 1.0}),
        ("stdvar by (a) (m)", {"a=x": 1.0, "a=y": 0.0}),
        ("quantile(0.5, m)", {"": 3.0}),
        ("topk(1, m)", {"__name__=m,a=y,b=1": 10.0}),
        ("bottomk by (a) (1, m)", {"__name__=m,a=x,b=1": 1.0, "__name__=m,a=y,b=1": 10.0}),
        ("sum by (nowhere) (m)", {"": 14.0}),
        ("sum(nothing)", {}),
    ],
)
def test_aggregations(query, expected):
    assert ask(query, GROUPS) == expected


# --- binary operators --------------------------------------------------------------------------------------

SIDES = labelled(
    ({"__name__": "bad", "svc": "a", "pod": "1"}, 1.0),
    ({"__name__": "bad", "svc": "b", "pod": "2"}, 4.0),
    ({"__name__": "all", "svc": "a", "pod": "1"}, 10.0),
    ({"__name__": "all", "svc": "b", "pod": "2"}, 8.0),
    ({"__name__": "all", "svc": "c", "pod": "3"}, 5.0),
    ({"__name__": "info", "svc": "a", "team": "red"}, 1.0),
    ({"__name__": "info", "svc": "b", "team": "blue"}, 1.0),
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("bad / all", {"pod=1,svc=a": 0.1, "pod=2,svc=b": 0.5}),
        ("bad / on (svc) all", {"svc=a": 0.1, "svc=b": 0.5}),
        ("bad / ignoring (pod) all", {"svc=a": 0.1, "svc=b": 0.5}),
        (
            "all * on (svc) group_left (team) info",
            {"pod=1,svc=a,team=red": 10.0, "pod=2,svc=b,team=blue": 8.0},
        ),
        ("info * on (svc) group_right all", {"pod=1,svc=a": 10.0, "pod=2,svc=b": 8.0}),
        ("bad > 2", {"__name__=bad,pod=2,svc=b": 4.0}),
        ("2 < bad", {"__name__=bad,pod=2,svc=b": 4.0}),
        ("bad > bool 2", {"pod=1,svc=a": 0.0, "pod=2,svc=b": 1.0}),
        ("bad < all", {"__name__=bad,pod=1,svc=a": 1.0, "__name__=bad,pod=2,svc=b": 4.0}),
        ("bad * 2", {"pod=1,svc=a": 2.0, "pod=2,svc=b": 8.0}),
        ("1 - bad / all", {"pod=1,svc=a": 0.9, "pod=2,svc=b": 0.5}),
        ("-bad", {"pod=1,svc=a": -1.0, "pod=2,svc=b": -4.0}),
        ("all unless bad", {"__name__=all,pod=3,svc=c": 5.0}),
        ('all and bad{svc="a"}', {"__name__=all,pod=1,svc=a": 10.0}),
        ("all and on (svc) info", {"__name__=all,pod=1,svc=a": 10.0, "__name__=all,pod=2,svc=b": 8.0}),
        (
            'bad{svc="a"} or all',
            {
                "__name__=bad,pod=1,svc=a": 1.0,
                "__name__=all,pod=2,svc=b": 8.0,
                "__name__=all,pod=3,svc=c": 5.0,
            },
        ),
        ("sum(nothing) or vector(0)", {"": 0.0}),
    ],
)
def test_binary_operators_match_by_labels(query, expected):
    assert ask(query, SIDES) == {key: pytest.approx(value) for key, value in expected.items()}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("1 / 0", math.inf),
        ("-1 / 0", -math.inf),
        ("0 / 0", math.nan),
        ("5 % 3", 2.0),
        ("-5 % 3", -2.0),
        ("2 ^ 10", 1024.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("1 + 2 * 3", 7.0),
        ("1 == bool 1", 1.0),
        ("scalar(nothing)", math.nan),
        ("scalar(only)", 3.0),
        ("time()", 12.5),
    ],
)
def test_scalars(query, expected):
    assert ask(query, store(only=[(12, 3.0)]), 12.5) == pytest.approx(expected, nan_ok=True)


def test_two_matches_on_the_one_side_are_an_error_not_a_guess():
    with pytest.raises(EvaluationFailed, match="many-to-many matching not allowed"):
        ask("bad / on () all", SIDES)


def test_two_matches_on_the_many_side_need_group_left():
    twice = labelled(
        ({"__name__": "l", "svc": "a", "pod": "1"}, 1.0),
        ({"__name__": "l", "svc": "a", "pod": "2"}, 1.0),
        ({"__name__": "r", "svc": "a"}, 1.0),
    )
    with pytest.raises(EvaluationFailed, match="group_left"):
        ask("l / on (svc) r", twice)
    assert len(ask("l / on (svc) group_left r", twice)) == 2


def test_dropping_the_name_must_not_make_two_series_one():
    with pytest.raises(EvaluationFailed, match="same labelset"):
        ask('abs({__name__=~"bad|all",svc="a"})', SIDES)


# --- functions ---------------------------------------------------------------------------------------------


def buckets(**counts: float) -> SampleStore:
    bounds = {"b01": "0.1", "b05": "0.5", "b1": "1", "inf": "+Inf"}
    return labelled(*(({"__name__": "h", "le": bounds[k]}, v) for k, v in counts.items()))


@pytest.mark.parametrize(
    ("q", "counts", "expected"),
    [
        # Rank 50 of 100 lies in (0.1, 0.5], 10 of its 50 observations up: 0.1 + 0.4 * 10/50.
        pytest.param(0.5, {"b01": 40, "b05": 90, "b1": 99, "inf": 100}, 0.18, id="inside a bucket"),
        pytest.param(0.2, {"b01": 40, "b05": 90, "b1": 99, "inf": 100}, 0.05, id="lowest bucket from zero"),
        pytest.param(0.995, {"b01": 40, "b05": 90, "b1": 99, "inf": 100}, 1.0, id="in +Inf: highest bound"),
        pytest.param(0.9, {"b01": 40, "b05": 90, "b1": 99, "inf": 100}, 0.5, id="exactly on a bound"),
        pytest.param(1.5, {"b01": 1, "inf": 1}, math.inf, id="above one"),
        pytest.param(-1, {"b01": 1, "inf": 1}, -math.inf, id="below zero"),
        pytest.param(0.5, {"b01": 0, "inf": 0}, math.nan, id="no observations"),
        pytest.param(0.5, {"b01": 1, "b05": 2}, math.nan, id="no +Inf bucket"),
        # The count falls from 50 to 40: lifted to 50, so (0.1, 0.5] is empty and rank 75 lies in (0.5, 1].
        pytest.param(0.75, {"b01": 50, "b05": 40, "b1": 100, "inf": 100}, 0.75, id="not monotonic"),
    ],
)
def test_histogram_quantile(q, counts, expected):
    assert ask(f"histogram_quantile({q}, h)", buckets(**counts)) == {"": pytest.approx(expected, nan_ok=True)}


def test_histogram_quantile_keeps_the_other_labels_apart():
    rows = [
        ({"__name__": "h", "v": version, "le": le}, count)
        for version, counts in {"1": (10, 10), "2": (0, 10)}.items()
        for le, count in zip(("1", "+Inf"), counts, strict=True)
    ]
    assert ask("histogram_quantile(0.5, h)", labelled(*rows)) == {"v=1": 0.5, "v=2": 1.0}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("clamp_max(a, 2)", {"": 2.0}),
        ("clamp_min(a, 5)", {"": 5.0}),
        ("clamp(a, 0, 1)", {"": 1.0}),
        ("clamp(a, 2, 1)", {}),
        ("abs(-a)", {"": 3.4}),
        ("ceil(a)", {"": 4.0}),
        ("floor(a)", {"": 3.0}),
        ("round(a)", {"": 3.0}),
        ("round(a, 0.5)", {"": 3.5}),
        ("sgn(a)", {"": 1.0}),
        ("sqrt(vector(9))", {"": 3.0}),
        ("log2(vector(8))", {"": 3.0}),
        ("timestamp(a)", {"": 4.0}),
        ("absent(a)", {}),
        ('absent(b{x="1",y=~"2"})', {"x=1": 1.0}),
        ("absent_over_time(b[1m])", {"": 1.0}),
        ('label_replace(a, "to", "$1-x", "__name__", "(.*)")', {"__name__=a,to=a-x": 3.4}),
        ('label_join(a, "to", "+", "__name__", "__name__")', {"__name__=a,to=a+a": 3.4}),
        ("sort_desc(a)", {"__name__=a": 3.4}),
        ("last_over_time(a[1m])", {"__name__=a": 3.4}),
    ],
)
def test_functions(query, expected):
    assert ask(query, store(a=[(4, 3.4)]), 10) == {k: pytest.approx(v) for k, v in expected.items()}


# --- range queries and refusals ----------------------------------------------------------------------------


def test_a_range_query_evaluates_every_step_and_leaves_gaps():
    samples = store(a=[(0, 1.0), (10, 2.0), (20, None), (30, 4.0)])
    (series,) = evaluate_range("a * 10", samples, 0, 30 * S, 10 * S)
    assert list(series.points) == [(0, 10.0), (10_000, 20.0), (30_000, 40.0)]


def test_at_end_means_the_end_of_the_whole_query():
    (series,) = evaluate_range("a @ end()", store(a=[(0, 1.0), (20, 5.0)]), 0, 20 * S, 10 * S)
    assert [value for _, value in series.points] == [5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("max_over_time(rate(a[1m])[5m:1m])", "subquer"),
        ("a[5m:1m]", "subquery"),
        ('count_values("x", a)', "count_values"),
        ("predict_linear(a[5m], 3600)", "predict_linear"),
        ('{a="b" or c="d"}', "or"),
        ("day_of_week(a)", "day_of_week"),
    ],
)
def test_what_is_not_supported_is_named(query, named):
    with pytest.raises(Unsupported, match=named):
        ask(query, store(a=[(0, 1.0)]))


@pytest.mark.parametrize("query", ["", "rate(a)", "sum(", "nosuchfunction(a)", "a{x=~'('}", "{}"])
def test_what_is_no_promql_is_a_syntax_error(query):
    with pytest.raises(QuerySyntaxError):
        ask(query, store(a=[(0, 1.0)]))
