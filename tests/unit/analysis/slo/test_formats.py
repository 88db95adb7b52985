"""OpenSLO, Sloth and Pyrra become our objective; what cannot be taken over is an error or a named warning."""

from typing import Any

import pytest

from analysis.slo.formats.imported import Imported
from analysis.slo.formats.reading import read_file
from analysis.slo.indicator import read_indicator
from analysis.slo.validation import read_objective
from analysis.spec.errors import SpecError
from tests.unit.analysis.slo.examples import (
    ERRORS,
    REQUESTS,
    openslo,
    openslo_sli,
    ours,
    pyrra,
    sloth,
    sloth_slo,
    source,
)


def only(*documents: dict[str, Any]) -> Imported:
    found = read_file(documents)
    assert len(found) == 1
    return found[0]


def warned(found: Imported) -> list[str]:
    return [warning.path for warning in found.warnings]


def test_a_sloth_file_keeps_its_meaning() -> None:
    found = only(sloth())
    assert (found.name, found.warnings) == ("shop-requests-availability", ())
    assert (found.spec.objective, found.spec.window, found.spec.service) == (0.999, "30d", "shop")
    assert found.spec.labels == {"owner": "team-a"}
    assert found.spec.alerting.name == "ShopErrors"
    assert found.spec.alerting.page.labels == {"routing": "oncall"}
    assert found.spec.alerting.ticket.disabled


def test_a_sloth_object_is_read_like_its_file() -> None:
    slo = sloth_slo(
        sli={
            "events": {"errorQuery": "sum(rate(a[{{.window}}]))", "totalQuery": "sum(rate(b[{{.window}}]))"}
        },
        alerting={"pageAlert": {"disable": True}},
    )
    found = only(
        {
            "apiVersion": "sloth.slok.dev/v1",
            "kind": "PrometheusServiceLevel",
            "metadata": {"name": "x", "namespace": "web"},
            "spec": {"service": "shop", "slos": [slo]},
        }
    )
    assert (found.namespace, found.spec.alerting.page.disabled) == ("web", True)
    assert read_indicator(found.spec.indicator).total_rate("1h") == "sum(rate(b[1h]))"


def test_a_raw_ratio_of_sloth_stays_one() -> None:
    query = "sum(rate(a[{{.window}}])) / sum(rate(b[{{.window}}]))"
    assert only(sloth(sli={"raw": {"error_ratio_query": query}})).spec.indicator.error_ratio == query


def test_a_pyrra_objective_keeps_its_meaning() -> None:
    found = only(pyrra())
    assert (found.name, found.namespace, found.spec.objective) == ("shop", "web", 0.995)
    assert (found.spec.window, found.spec.labels) == ("4w", {"team": "a"})
    assert found.spec.indicator.ratio is not None
    assert (found.spec.indicator.ratio.bad, found.spec.indicator.ratio.total) == (ERRORS, REQUESTS)
    assert warned(found) == ["spec.window"]


@pytest.mark.parametrize(
    ("alerting", "page_disabled", "absent"),
    [({"burnrates": False}, True, True), ({"disabled": True}, True, True), ({"absent": False}, False, False)],
)
def test_alerts_that_pyrra_has_switched_off_stay_off(
    alerting: dict[str, Any], page_disabled: bool, absent: bool
) -> None:
    found = only(pyrra(alerting=alerting)).spec.alerting
    assert (found.page.disabled, found.absent) == (page_disabled, absent)


def test_latency_of_pyrra_is_one_bucket_against_all() -> None:
    latency = {
        "success": {"metric": 'req_bucket{job="shop",le="0.3"}'},
        "total": {"metric": 'req_count{job="shop"}'},
    }
    found = only(pyrra(indicator={"latency": latency})).spec.indicator.ratio
    assert found is not None
    assert (found.good, found.total) == ('req_bucket{job="shop",le="0.3"}', 'req_count{job="shop"}')


def test_native_latency_of_pyrra() -> None:
    native = {"latency": "200ms", "total": {"metric": 'req{job="shop"}'}}
    found = only(pyrra(indicator={"latencyNative": native})).spec.indicator.latency
    assert found is not None
    assert (found.native, found.threshold) == ('req{job="shop"}', "200ms")


def test_an_openslo_file_finds_its_indicator_by_name() -> None:
    found = only(openslo(), openslo_sli(), {"apiVersion": "openslo/v1", "kind": "Service"})
    assert (found.name, found.spec.objective, found.spec.window) == ("shop-availability", 0.995, "28d")
    assert found.spec.indicator.ratio is not None
    assert (found.spec.indicator.ratio.bad, found.spec.indicator.ratio.total) == (ERRORS, REQUESTS)
    assert found.warnings == ()


def test_each_openslo_objective_is_one_of_ours() -> None:
    slo = openslo(objectives=[{"targetPercent": 99}, {"target": 0.999}])
    found = read_file([slo, openslo_sli()])
    assert [(item.name, item.spec.objective) for item in found] == [
        ("shop-availability-1", 0.99),
        ("shop-availability-2", 0.999),
    ]


def test_a_fixed_range_of_openslo_becomes_the_window_with_a_warning() -> None:
    ratio = {"good": source("sum(rate(a[5m]))"), "total": source("sum(rate(b[5m])) + sum(rate(c[5m]))")}
    found = only(openslo(), openslo_sli(ratioMetric=ratio))
    measured = read_indicator(found.spec.indicator)
    assert measured.total_rate("1h") == "sum(rate(b[1h])) + sum(rate(c[1h]))"
    assert warned(found) == [
        "SLI errors: spec.ratioMetric.good.metricSource",
        "SLI errors: spec.ratioMetric.total.metricSource",
    ]


@pytest.mark.parametrize(
    ("kind", "query"),
    [("failure", "sum(rate(a[{{window}}]))"), ("success", "1 - (sum(rate(a[{{window}}])))")],
)
def test_a_raw_ratio_of_openslo(kind: str, query: str) -> None:
    raw = {"raw": source("sum(rate(a[5m]))"), "rawType": kind}
    assert only(openslo(), openslo_sli(ratioMetric=raw)).spec.indicator.error_ratio == query


def test_a_threshold_of_openslo_counts_minutes() -> None:
    slo = openslo(objectives=[{"target": 0.99, "op": "lte", "value": 0.5}])
    found = only(slo, openslo_sli(thresholdMetric=source("p99")))
    assert found.spec.indicator.error_ratio == "avg_over_time(((p99) > bool 0.5)[{{window}}:1m])"
    assert not read_indicator(found.spec.indicator).splittable
    assert len(found.warnings) == 1


def test_a_calendar_window_rolls_with_a_warning() -> None:
    window = [{"duration": "1M", "isRolling": False, "calendar": {"timeZone": "UTC"}}]
    found = only(openslo(timeWindow=window), openslo_sli())
    assert found.spec.window == "30d"
    assert warned(found) == ["spec.timeWindow[0].calendar", "spec.timeWindow[0].duration"]


ERROR_CASES: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "Sloth plugin": ([sloth(sli={"plugin": {"id": "x"}})], "slos[0].sli.plugin", "write the query"),
    "Sloth without indicator": ([sloth(sli={})], "slos[0].sli", "neither"),
    "Sloth objective": ([sloth(objective="high")], "slos[0].objective", "wanted a number"),
    "Sloth over 100": ([sloth(objective=100)], "slos[0]", "spec.objective"),
    "Sloth query without window": (
        [sloth(sli={"events": {"error_query": "rate(a[5m])", "total_query": "b"}})],
        "slos[0]",
        "{{window}}",
    ),
    "Sloth empty": ([{"version": "prometheus/v1", "service": "a", "slos": []}], "slos", "is empty"),
    "Pyrra grouping": (
        [
            pyrra(
                indicator={"ratio": {"errors": {"metric": "a"}, "total": {"metric": "b"}, "grouping": ["c"]}}
            )
        ],
        "spec.indicator.ratio.grouping",
        "one objective for each",
    ),
    "Pyrra gauge": (
        [pyrra(indicator={"bool_gauge": {"metric": "up"}})],
        "spec.indicator.bool_gauge",
        "probes",
    ),
    "Pyrra bucket not chosen": (
        [pyrra(indicator={"latency": {"success": {"metric": "a_bucket"}, "total": {"metric": "a_count"}}})],
        "spec.indicator.latency.success.metric",
        "le=",
    ),
    "Pyrra target": ([pyrra(target=None)], "spec.target", "is missing"),
    "OpenSLO old version": ([{**openslo(), "apiVersion": "openslo/v1alpha"}], "apiVersion", "openslo/v1"),
    "OpenSLO time slices": (
        [openslo(budgetingMethod="Timeslices"), openslo_sli()],
        "spec.budgetingMethod",
        "Occurrences",
    ),
    "OpenSLO unknown indicator": ([openslo()], "spec.indicatorRef", "SLIs in this file: none"),
    "OpenSLO composite": (
        [openslo(objectives=[{"target": 0.9, "compositeWeight": 1}]), openslo_sli()],
        "spec.objectives[0].compositeWeight",
        "composite",
    ),
    "OpenSLO two targets": (
        [openslo(objectives=[{"target": 0.9, "targetPercent": 90}]), openslo_sli()],
        "spec.objectives[0].target",
        "exactly one",
    ),
    "OpenSLO other backend": (
        [
            openslo(),
            openslo_sli(
                ratioMetric={"good": source("a", type="Datadog"), "total": source("b", type="Datadog")}
            ),
        ],
        "SLI errors: spec.ratioMetric.good.metricSource.type",
        "only Prometheus",
    ),
    "OpenSLO gauge without range": (
        [
            openslo(),
            openslo_sli(ratioMetric={"counter": False, "good": source("a"), "total": source("b")}),
        ],
        "SLI errors: spec.ratioMetric.good.metricSource",
        "has no range",
    ),
    "something else": ([{"apiVersion": "v1", "kind": "Pod"}], "", "v1 Pod is no objective"),
    "one of many": ([ours(), {"kind": "Pod"}], "document 2", "is no objective"),
}


@pytest.mark.parametrize(("documents", "path", "words"), ERROR_CASES.values(), ids=ERROR_CASES)
def test_what_cannot_be_taken_over_is_an_error_at_its_field(
    documents: list[dict[str, Any]], path: str, words: str
) -> None:
    with pytest.raises(SpecError) as caught:
        read_file(documents)
    assert caught.value.path == path
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (sloth(infoLabels={}), "slos[0].infoLabels"),
        (pyrra(performance="x"), "spec.performance"),
        ({**sloth(), "extra": 1}, "extra"),
    ],
)
def test_a_field_that_nothing_stands_for_is_a_warning(document: dict[str, Any], path: str) -> None:
    assert path in warned(only(document))


@pytest.mark.parametrize("document", [ours(), sloth(), pyrra()], ids=["ours", "sloth", "pyrra"])
def test_what_was_imported_reads_back_as_the_same(document: dict[str, Any]) -> None:
    found = only(document)
    assert read_objective(found.manifest()["spec"]) == found.spec
    assert only(found.manifest()).spec == found.spec
