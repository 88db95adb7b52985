"""Prometheus metrics about AnalysisRuns and their templates, under the peer's names and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from analysis.spec.errors import SpecError
from analysis.spec.status import Phase
from analysis.spec.validation import matching
from rollouts.controllers.analysisrun.observe import INSTANCE_LABEL
from rollouts.kube.cache import Cache
from rollouts.kube.objects import (
    ANALYSIS_RUNS,
    ANALYSIS_TEMPLATES,
    CLUSTER_ANALYSIS_TEMPLATES,
    ReadOnly,
    labels_of,
    name_of,
    namespace_of,
)
from rollouts.runtime.gauges import GaugeFamily, ObjectGauges, Value
from rollouts.runtime.manager import Manager

PHASES = ("Pending", "Error", "Failed", "Successful", "Running", "Inconclusive")
PROVIDER_TYPES = {
    "prometheus": "Prometheus",
    "job": "Job",
    "kayenta": "Kayenta",
    "web": "Web",
    "datadog": "Datadog",
    "wavefront": "Wavefront",
    "newRelic": "NewRelic",
    "cloudWatch": "CloudWatch",
    "graphite": "Graphite",
    "influxdb": "Influxdb",
    "skywalking": "skywalking",
    "plugin": "RPCPlugin",
}
"""Key of ``metrics[].provider`` → the value of the label ``type``."""
UNKNOWN_TYPE = "Unknown Provider"

_OBJECT = ("namespace", "name")
_METRIC = (*_OBJECT, "metric", "type")


def register_metrics(manager: Manager, instance_id: str) -> None:
    """Add the gauges to the manager's registry; they read its cache when they are scraped."""
    cache: Cache = manager.cache
    runs = (
        GaugeFamily("analysis_run_info", "Information about an AnalysisRun", (*_OBJECT, "phase"), _info),
        GaugeFamily(
            "analysis_run_phase",
            "1 for the phase that an AnalysisRun is in (deprecated: use analysis_run_info)",
            (*_OBJECT, "phase"),
            _phase,
        ),
        GaugeFamily(
            "analysis_run_metric_type", "Provider of each metric of an AnalysisRun", _METRIC, _metric_type
        ),
        GaugeFamily(
            "analysis_run_metric_phase",
            "1 for the phase that a metric of an AnalysisRun is in",
            (*_METRIC, "dry_run", "phase"),
            _metric_phase,
        ),
    )
    templates = (
        GaugeFamily("analysis_template_info", "Information about an analysis template", _OBJECT, _template),
        GaugeFamily(
            "analysis_template_metric_info",
            "Metrics of an analysis template",
            (*_OBJECT, "type", "metric"),
            _template_metrics,
        ),
    )
    ObjectGauges(manager.registry, lambda: _runs(cache, instance_id), runs)
    ObjectGauges(manager.registry, lambda: _templates(cache), templates)


def _runs(cache: Cache, instance_id: str) -> Iterator[ReadOnly]:
    for run in cache.list(ANALYSIS_RUNS):
        if labels_of(run).get(INSTANCE_LABEL, "") == instance_id:
            yield run


def _templates(cache: Cache) -> Iterator[ReadOnly]:
    for resource in (ANALYSIS_TEMPLATES, CLUSTER_ANALYSIS_TEMPLATES):
        if cache.watched(resource):
            yield from cache.list(resource)


def provider_type(metric: Mapping[str, Any]) -> str:
    """Return the label ``type`` of a metric."""
    provider = metric.get("provider") or {}
    found = (name for key, name in PROVIDER_TYPES.items() if provider.get(key) is not None)
    return next(found, UNKNOWN_TYPE)


def _names(obj: ReadOnly) -> tuple[str, str]:
    return namespace_of(obj), name_of(obj)


def _metrics(obj: ReadOnly) -> Iterable[Mapping[str, Any]]:
    return (obj.get("spec") or {}).get("metrics") or ()


def _info(run: ReadOnly) -> Iterator[Value]:
    yield (*_names(run), _status_phase(run)), 1.0


def _phase(run: ReadOnly) -> Iterator[Value]:
    current = _status_phase(run) or Phase.PENDING.value
    for phase in PHASES:
        yield (*_names(run), phase), float(phase == current)


def _metric_type(run: ReadOnly) -> Iterator[Value]:
    for metric in _metrics(run):
        yield (*_names(run), metric["name"], provider_type(metric)), 1.0


def _metric_phase(run: ReadOnly) -> Iterator[Value]:
    results = {result["name"]: result for result in (run.get("status") or {}).get("metricResults") or ()}
    dry = _dry_run(run)
    for metric in _metrics(run):
        name = metric["name"]
        current = results.get(name, {}).get("phase") or Phase.PENDING.value
        labels = (*_names(run), name, provider_type(metric), str(name in dry).lower())
        for phase in PHASES:
            yield (*labels, phase), float(phase == current)


def _dry_run(run: ReadOnly) -> frozenset[str]:
    names = [metric["name"] for metric in _metrics(run)]
    rules = (run.get("spec") or {}).get("dryRun") or ()
    try:
        return frozenset(name for rule in rules for name in matching(rule.get("metricName") or "", names))
    except SpecError:
        return frozenset()


def _template(template: ReadOnly) -> Iterator[Value]:
    yield _names(template), 1.0


def _template_metrics(template: ReadOnly) -> Iterator[Value]:
    for metric in _metrics(template):
        yield (*_names(template), provider_type(metric), metric["name"]), 1.0


def _status_phase(run: ReadOnly) -> str:
    return str((run.get("status") or {}).get("phase") or "")
