"""Metrics about AnalysisRuns: names and labels are the peer's, values those of the cache at the scrape."""

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from analysis.spec.providers import PROVIDER_NAMES
from rollouts.controllers.analysisrun.metrics import PROVIDER_TYPES, provider_type, register_metrics
from rollouts.kube.objects import ANALYSIS_RUNS, ANALYSIS_TEMPLATES, CLUSTER_ANALYSIS_TEMPLATES, Resource
from rollouts.runtime.metrics import new_registry


class Listed:
    """A cache that lists what a test put into it."""

    def __init__(self, **objects: list[dict[str, Any]]) -> None:
        self.objects = objects

    def watched(self, resource: Resource) -> bool:
        return resource.plural in self.objects

    def list(self, resource: Resource, namespace: str | None = None) -> list[dict[str, Any]]:
        return self.objects[resource.plural]


def scraped(instance_id: str = "", **objects: list[dict[str, Any]]) -> tuple[CollectorRegistry, Listed]:
    cache, registry = Listed(**{ANALYSIS_RUNS.plural: [], **objects}), new_registry()
    register_metrics(SimpleNamespace(cache=cache, registry=registry), instance_id)  # type: ignore[arg-type]
    return registry, cache


def lines(registry: CollectorRegistry, name: str) -> set[str]:
    text = generate_latest(registry).decode()
    return {line for line in text.splitlines() if line.startswith(f"{name}{{")}


def run(name: str = "run", labels: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    metrics = [
        {"name": "errors", "provider": {"prometheus": {"query": "q"}}},
        {"name": "check", "provider": {"job": {"spec": {}}}},
    ]
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": labels or {}},
        "spec": {"metrics": metrics, "dryRun": [{"metricName": "ch.*"}]},
        "status": status,
    }


def test_a_run_says_its_phase() -> None:
    registry, _ = scraped(analysisruns=[run(phase="Failed")])
    assert lines(registry, "analysis_run_info") == {
        'analysis_run_info{name="run",namespace="shop",phase="Failed"} 1.0'
    }
    assert lines(registry, "analysis_run_phase") == {
        f'analysis_run_phase{{name="run",namespace="shop",phase="{phase}"}} {float(phase == "Failed")}'
        for phase in ("Pending", "Error", "Failed", "Successful", "Running", "Inconclusive")
    }


def test_a_run_that_nobody_has_touched_is_pending() -> None:
    registry, _ = scraped(analysisruns=[run()])
    assert 'analysis_run_info{name="run",namespace="shop",phase=""} 1.0' in lines(
        registry, "analysis_run_info"
    )
    assert 'analysis_run_phase{name="run",namespace="shop",phase="Pending"} 1.0' in lines(
        registry, "analysis_run_phase"
    )


def test_each_metric_says_its_provider_phase_and_whether_it_is_a_dry_run() -> None:
    results = [{"name": "errors", "phase": "Running"}]
    registry, _ = scraped(analysisruns=[run(phase="Running", metricResults=results)])
    assert lines(registry, "analysis_run_metric_type") == {
        'analysis_run_metric_type{metric="errors",name="run",namespace="shop",type="Prometheus"} 1.0',
        'analysis_run_metric_type{metric="check",name="run",namespace="shop",type="Job"} 1.0',
    }
    found = lines(registry, "analysis_run_metric_phase")
    assert len(found) == 12
    assert {line for line in found if line.endswith(" 1.0")} == {
        'analysis_run_metric_phase{dry_run="false",metric="errors",name="run",namespace="shop",'
        'phase="Running",type="Prometheus"} 1.0',
        'analysis_run_metric_phase{dry_run="true",metric="check",name="run",namespace="shop",'
        'phase="Pending",type="Job"} 1.0',
    }


def test_values_are_those_of_the_cache_when_it_is_scraped() -> None:
    registry, cache = scraped(analysisruns=[run(phase="Running")])
    generate_latest(registry)
    cache.objects["analysisruns"] = [run(phase="Successful")]
    assert lines(registry, "analysis_run_info") == {
        'analysis_run_info{name="run",namespace="shop",phase="Successful"} 1.0'
    }


@pytest.mark.parametrize(("instance_id", "name"), [("", "ours"), ("blue", "blues")])
def test_runs_of_another_instance_are_left_to_it(instance_id: str, name: str) -> None:
    label = {"argo-rollouts.argoproj.io/controller-instance-id": "blue"}
    registry, _ = scraped(instance_id, analysisruns=[run("ours"), run("blues", label)])
    assert lines(registry, "analysis_run_info") == {
        f'analysis_run_info{{name="{name}",namespace="shop",phase=""}} 1.0'
    }


def test_templates_of_both_kinds_are_counted_where_they_are_watched() -> None:
    metrics = [{"name": "errors", "provider": {"web": {"url": "u"}}}]
    one = {"metadata": {"name": "a", "namespace": "shop"}, "spec": {"metrics": metrics}}
    other = {"metadata": {"name": "c"}, "spec": {"templates": [{"templateName": "a"}]}}
    registry, _ = scraped(**{ANALYSIS_TEMPLATES.plural: [one], CLUSTER_ANALYSIS_TEMPLATES.plural: [other]})
    assert lines(registry, "analysis_template_info") == {
        'analysis_template_info{name="a",namespace="shop"} 1.0',
        'analysis_template_info{name="c",namespace=""} 1.0',
    }
    assert lines(registry, "analysis_template_metric_info") == {
        'analysis_template_metric_info{metric="errors",name="a",namespace="shop",type="Web"} 1.0'
    }
    assert lines(scraped()[0], "analysis_template_info") == set()


def test_an_object_that_cannot_be_read_does_not_break_the_scrape() -> None:
    broken = {**run("broken"), "spec": {"metrics": 5}}
    registry, _ = scraped(analysisruns=[broken, run(phase="Error")])
    assert len(lines(registry, "analysis_run_metric_type")) == 2


def test_every_provider_has_a_type() -> None:
    assert set(PROVIDER_TYPES) == set(PROVIDER_NAMES)
    assert provider_type({"provider": {"plugin": {"rollouts.dev/canary": {}}}}) == "RPCPlugin"
    assert provider_type({"provider": {"new": {}}}) == "Unknown Provider"
