"""From what a person writes to PromQL, for the service and for one version."""

from typing import Any

import promql_parser
import pytest

from analysis.slo.indicator import Measured, read_indicator
from analysis.slo.validation import problems, read_objective
from analysis.spec.errors import SpecError
from tests.unit.analysis.slo.examples import ERRORS, REQUESTS, ours

CANARY = 'rollouts_pod_template_hash="abc"'
RATE = 'sum(rate(http_requests_total{job="shop"}[5m]))'
BAD = 'sum(rate(http_requests_total{job="shop",code=~"5.."}[5m]))'


def measured(**indicator: Any) -> Measured:
    return read_indicator(read_objective(ours(indicator=indicator)["spec"]).indicator)


def same(one: str, other: str) -> bool:
    """Compare as PromQL, so that blanks and needless parentheses do not matter."""
    return str(promql_parser.parse(one)) == str(promql_parser.parse(other))


def test_counters_become_rates_and_an_absent_error_series_is_zero_errors() -> None:
    found = measured(ratio={"total": REQUESTS, "bad": ERRORS})
    assert same(found.error_ratio("5m"), f"(({BAD}) or 0 * ({RATE})) / (({RATE}) > 0)")
    assert same(found.bad_rate("5m"), f"({BAD}) or 0 * ({RATE})")
    assert same(found.total_rate("5m"), RATE)


def test_without_good_events_all_events_are_bad() -> None:
    found = measured(ratio={"total": REQUESTS, "good": ERRORS})
    assert same(found.error_ratio("5m"), f"1 - (({BAD}) or 0 * ({RATE})) / (({RATE}) > 0)")


@pytest.mark.parametrize(
    ("total", "filled"),
    [
        pytest.param("hits_total", f"sum(rate(hits_total{{{CANARY}}}[1m]))", id="bare name"),
        pytest.param("hits_total{}", f"sum(rate(hits_total{{{CANARY}}}[1m]))", id="empty braces"),
        pytest.param('{__name__="a"}', f'sum(rate({{__name__="a",{CANARY}}}[1m]))', id="no name"),
        pytest.param("hits{{{selector}}}", f"sum(rate(hits{{{CANARY}}}[1m]))", id="place told, alone"),
        pytest.param(
            'hits{{{selector}},a="b"}', f'sum(rate(hits{{{CANARY},a="b"}}[1m]))', id="place told, first"
        ),
        pytest.param(
            'hits{a="}[x"}', f'sum(rate(hits{{a="}}[x",{CANARY}}}[1m]))', id="braces inside of quotes"
        ),
        pytest.param(
            'sum by (x) (rate(a{b="c"}[{{window}}])) + sum(rate(d[{{ window }}]))',
            f'sum by (x) (rate(a{{b="c",{CANARY}}}[1m])) + sum(rate(d{{{CANARY}}}[1m]))',
            id="every selector with the range",
        ),
        pytest.param(
            "sum(rate(a{{{selector}}}[{{window}}])) / sum(rate(b[{{window}}]))",
            f"sum(rate(a{{{CANARY}}}[1m])) / sum(rate(b[1m]))",
            id="told places are the only ones",
        ),
        pytest.param(
            "sum(rate(a[{{.window}}] offset 1m))", f"sum(rate(a{{{CANARY}}}[1m] offset 1m))", id="Sloth's tag"
        ),
    ],
)
def test_the_version_goes_into_the_selectors(total: str, filled: str) -> None:
    found = measured(ratio={"total": total, "bad": ERRORS})
    assert same(found.total_rate("1m", CANARY), filled)
    assert found.splittable


@pytest.mark.parametrize(
    ("total", "filled"),
    [
        ('hits{{{selector}},a="b"}', 'sum(rate(hits{a="b"}[1m]))'),
        ('hits{a="b",{{selector}}}', 'sum(rate(hits{a="b"}[1m]))'),
        ("hits{{{selector}}}", "sum(rate(hits{}[1m]))"),
        ('hits{a="b", {{selector}} ,c="d"}', 'sum(rate(hits{a="b",c="d"}[1m]))'),
    ],
    ids=["first", "last", "alone", "between"],
)
def test_without_a_version_its_place_vanishes_with_its_comma(total: str, filled: str) -> None:
    assert same(measured(ratio={"total": total, "bad": ERRORS}).total_rate("1m"), filled)


def test_a_bucket_edge_in_whole_seconds_has_two_spellings() -> None:
    found = measured(latency={"buckets": 'req_bucket{job="shop"}', "threshold": "1s"})
    total = 'sum(rate(req_bucket{job="shop",le="+Inf"}[5m]))'
    within = 'sum(rate(req_bucket{job="shop",le=~"1([.]0)?"}[5m]))'
    assert same(found.error_ratio("5m"), f"1 - (({within}) or 0 * ({total})) / (({total}) > 0)")
    assert 'le="0.3"' in measured(latency={"buckets": "a_bucket", "threshold": "300ms"}).error_ratio("5m")


def test_a_native_histogram_is_asked_for_its_fraction_and_count() -> None:
    found = measured(latency={"native": "req", "threshold": "250ms"})
    histogram = f"sum(rate(req{{{CANARY}}}[5m]))"
    fraction = f"histogram_fraction(0, 0.25, {histogram})"
    count = f"histogram_count({histogram})"
    assert same(found.error_ratio("5m", CANARY), f"(1 - {fraction}) and (({count}) > 0)")
    assert same(found.bad_rate("5m", CANARY), f"({count}) * (1 - {fraction})")


def test_a_ratio_alone_has_no_counts() -> None:
    found = measured(errorRatio="job:errors:ratio{{{selector}}} * rate(x[{{window}}])")
    assert not found.counts
    assert found.total_rate("5m") == found.bad_rate("5m") == ""


def test_a_young_version_s_series_count_from_nothing() -> None:
    total, bad = measured(ratio={"total": "a", "bad": "b"}).counted("5m", CANARY) or ("", "")
    a, b = f"a{{{CANARY}}}", f"b{{{CANARY}}}"
    counted = "(sum((increase({0}[5m]) and ({0} offset 5m)) or {0}))"
    assert same(f"({total})", counted.format(a))
    assert same(bad, f"{counted.format(b)} or 0 * {counted.format(a)}")
    good = measured(ratio={"total": "a", "good": "b"}).counted("5m", CANARY) or ("", "")
    assert same(good[1], f"{counted.format(a)} - ({counted.format(b)} or 0 * {counted.format(a)})")
    assert measured(ratio={"total": "sum(rate(a[{{window}}]))", "bad": "b"}).counted("5m", CANARY) is None
    assert measured(latency={"native": "a", "threshold": "1s"}).counted("5m", CANARY) is None


def test_queries_by_increase_give_counts_and_by_rate_give_rates() -> None:
    increase = {"total": "sum(increase(a[{{window}}]))", "bad": "sum(increase(b[{{window}}]))"}
    assert measured(ratio=increase).gives_counts() is True
    assert measured(ratio={"total": REQUESTS, "bad": ERRORS}).gives_counts() is False
    unclear = {"total": "sum(increase(a[{{window}}]))/sum(rate(a[{{window}}]))", "bad": ERRORS}
    assert measured(ratio=unclear).gives_counts() is None


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ({"objective": 99.9}, "spec.objective", "write 0.999 for 99.9 %"),
        ({"objective": 1}, "spec.objective", "between 0 and 1"),
        ({"window": "a month"}, "spec.window", "not a period"),
        ({"indicator": {}}, "spec.indicator", "exactly one of"),
        ({"indicator": {"ratio": {"total": REQUESTS}}}, "spec.indicator.ratio", "either good or bad"),
        (
            {"indicator": {"ratio": {"total": "sum(rate(a[5m]))", "bad": ERRORS}}},
            "spec.indicator.ratio.total",
            "{{window}}",
        ),
        ({"indicator": {"ratio": {"total": "", "bad": ERRORS}}}, "spec.indicator.ratio.total", "is empty"),
        (
            {"indicator": {"ratio": {"total": "a{x='{{args.x}}'}", "bad": ERRORS}}},
            "spec.indicator.ratio.total",
            "{{args.x}}",
        ),
        (
            {"indicator": {"ratio": {"total": REQUESTS, "bad": "sum(increase(b[{{window}}]))"}}},
            "spec.indicator.ratio.bad",
            "take the same",
        ),
        (
            {"indicator": {"latency": {"buckets": 'a_bucket{le="1"}', "threshold": "1s"}}},
            "spec.indicator.latency.buckets",
            "must not choose le",
        ),
        (
            {"indicator": {"latency": {"buckets": "a", "threshold": "1s"}}},
            "spec.indicator.latency.buckets",
            "_bucket",
        ),
        (
            {"indicator": {"latency": {"native": "a", "threshold": "1"}}},
            "spec.indicator.latency.threshold",
            "duration",
        ),
        ({"labels": {"a-b": "c"}}, "spec.labels.a-b", "not a label name"),
        ({"labels": {"slo": "c"}}, "spec.labels.slo", "set by the rules"),
        ({"indikator": {}}, "spec.indikator", "unknown field"),
        ({"alerting": {"page": {"disable": True}}}, "spec.alerting.page.disable", "known here are disabled"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(spec: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_objective(ours(**spec)["spec"])
    assert caught.value.path == path
    assert words in caught.value.message


def test_all_problems_are_told_at_once_below_the_given_path() -> None:
    good = read_objective(ours()["spec"])
    bad = good.model_copy(update={"objective": 5.0, "window": "x"})
    assert [problem.path for problem in problems(bad, "slo")] == ["slo.objective", "slo.window"]
