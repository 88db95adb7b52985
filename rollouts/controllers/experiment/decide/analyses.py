"""The analyses of an Experiment: when one starts, which run decides, and when one is stopped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from analysis.spec.errors import SpecError
from analysis.spec.templates import build_run_spec, flatten
from rollouts.api.argoproj.experiment import ExperimentAnalysis, ExperimentArgument
from rollouts.api.argoproj.rollout import ObjectMetadata
from rollouts.controllers.experiment.actions import CreateAnalysisRun
from rollouts.controllers.experiment.decide.draft import Draft
from rollouts.controllers.experiment.snapshot import COMPLETED, AnalysisRun, ExperimentSnapshot
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, format_time
from rollouts.workloads import labels
from rollouts.workloads.fieldpath import field_value

TEMPLATE_GRACE = timedelta(seconds=5)
"""A template that was created a moment ago may not be in the cache yet."""


def current(s: ExperimentSnapshot, analysis: str) -> AnalysisRun | None:
    """Return the run that decides: the one that the status points at, else the newest of this attempt."""
    pointed = next((ref.analysis_run for ref in s.status.analysis_runs if ref.name == analysis), "")
    alive = [run for run in s.runs if not run.deleting]
    for run in alive:
        if pointed and run.name == pointed:
            return run
    own = [run for run in alive if run.analysis == analysis and run.attempt == (s.status.available_at or "-")]
    return max(own, key=lambda run: (run.created, run.name), default=None)


def follow_runs(d: Draft) -> bool:
    """Start every analysis once all versions are available, and write down what its run says."""
    s = d.s
    for analysis in s.spec.analyses:
        run = current(s, analysis.name)
        if run is not None:
            _note(d, analysis.name, run)
        elif _may_start(d, analysis):
            _start(d, analysis)
        elif s.available_at is None and not (s.over or s.spec.terminate):
            _miss_template(d, analysis)
    return False


def _miss_template(d: Draft, analysis: ExperimentAnalysis) -> None:
    """Say at once that there is no such template: nobody has to wait for pods to learn of it."""
    s = d.s
    if (analysis.template_name, analysis.cluster_scope) in s.templates:
        return
    grace_end = s.created + TEMPLATE_GRACE
    if s.now < grace_end:
        d.look_again(grace_end)
        return
    kind = "ClusterAnalysisTemplate" if analysis.cluster_scope else "AnalysisTemplate"
    text = f"{kind} '{analysis.template_name}' not found for analysis '{analysis.name}'"
    d.analysis(analysis.name).update({"phase": "Error", "message": text})


def _note(d: Draft, analysis: str, run: AnalysisRun) -> None:
    entry = d.analysis(analysis)
    entry |= {"analysisRun": run.name, "phase": run.phase or "Pending"}
    if run.message:
        entry["message"] = run.message
    else:
        entry.pop("message", None)


def _may_start(d: Draft, analysis: ExperimentAnalysis) -> bool:
    s = d.s
    known = d.analysis_entries().get(analysis.name) or {}
    if s.over or s.spec.terminate or known.get("phase") in COMPLETED:
        return False
    if s.available_at is None:
        d.wait("all versions to be available before analyses start")
        return False
    return not s.time_is_up or analysis.required_for_completion


def _start(d: Draft, analysis: ExperimentAnalysis) -> None:
    s = d.s
    name = s.free_names.get(analysis.name) or run_name(s.name, analysis.name, 0)
    try:
        if name in s.refused:
            raise SpecError("", s.refused[name])
        body = build(s, analysis, name)
    except SpecError as error:
        if _may_come(s, analysis):
            d.look_again(_grace_end(s))
            d.wait(f"analysis {analysis.name}: {error}")
            return
        text = f"Failed to create AnalysisRun for analysis '{analysis.name}': {error}"
        d.analysis(analysis.name).update({"phase": "Error", "message": text})
        return
    d.do(CreateAnalysisRun(body=body))
    d.analysis(analysis.name).update({"analysisRun": name, "phase": "Pending"})


def _may_come(s: ExperimentSnapshot, analysis: ExperimentAnalysis) -> bool:
    missing = (analysis.template_name, analysis.cluster_scope) not in s.templates
    return missing and s.now < _grace_end(s)


def _grace_end(s: ExperimentSnapshot) -> datetime:
    assert s.available_at is not None  # noqa: S101 - analyses start after that
    return s.available_at + TEMPLATE_GRACE


def run_name(experiment: str, analysis: str, number: int) -> str:
    """Return the name of a run; a number keeps it apart from earlier ones."""
    return f"{experiment}-{analysis}.{number}" if number else f"{experiment}-{analysis}"


def build(s: ExperimentSnapshot, analysis: ExperimentAnalysis, name: str) -> Manifest:
    """Return the manifest of a new AnalysisRun. Raises SpecError naming what is missing."""
    spec = build_run_spec(
        flatten((analysis,), lambda template, cluster: s.templates.get((template, cluster))),
        [_argument(s, arg, f"args[{i}]") for i, arg in enumerate(analysis.args)],
        dry_run=[rule.manifest() for rule in s.spec.dry_run],
        measurement_retention=[rule.manifest() for rule in s.spec.measurement_retention],
    )
    extra = s.spec.analysis_run_metadata or ObjectMetadata()
    instance = objects.labels_of(s.manifest).get(labels.INSTANCE_ID)
    marks = {
        labels.EXPERIMENT_NAME: s.name,
        labels.EXPERIMENT_ANALYSIS: analysis.name,
        labels.EXPERIMENT_AVAILABLE_AT: s.status.available_at or "",
    }
    return {
        "apiVersion": objects.ANALYSIS_RUNS.api_version,
        "kind": objects.ANALYSIS_RUNS.kind,
        "metadata": {
            "name": name,
            "namespace": s.namespace,
            "labels": {**extra.labels, **({labels.INSTANCE_ID: instance} if instance else {})},
            "annotations": {**extra.annotations, **marks},
            "ownerReferences": [objects.owner_reference(s.manifest, objects.EXPERIMENTS)],
        },
        "spec": spec,
    }


_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def _argument(s: ExperimentSnapshot, arg: ExperimentArgument, path: str) -> Mapping[str, Any]:
    if arg.value is not None:
        return {"name": arg.name, "value": resolve(arg.value, known_values(s), f"{path}.value")}
    source = arg.value_from
    if source is not None and source.field_ref is not None:
        return {"name": arg.name, "value": field_value(s.manifest, source.field_ref.field_path)}
    return arg.manifest()


def known_values(s: ExperimentSnapshot) -> Mapping[str, str]:
    """Return what ``{{…}}`` in an argument can name, as far as it is known yet."""
    known: dict[str, str] = {}
    for template, rs in s.replica_sets.items():
        known[f"templates.{template}.podTemplateHash"] = rs.hash
        known[f"templates.{template}.replicaset.name"] = rs.name
    if s.available_at is not None:
        known["experiment.availableAt"] = format_time(s.available_at)
    if s.ends_at is not None:
        known["experiment.finishedAt"] = format_time(s.ends_at)
    return known


def resolve(text: str, known: Mapping[str, str], path: str) -> str:
    """Return an argument's value with its tags put in. Raises SpecError for one that is not known."""

    def replacement(match: re.Match[str]) -> str:
        tag = match[1].strip()
        if tag not in known:
            names = ", ".join(sorted(known)) or "none"
            hint = "; it needs spec.duration" if tag == "experiment.finishedAt" else ""
            raise SpecError(path, f"failed to resolve {{{{{tag}}}}}{hint}; known here: {names}")
        return known[tag]

    return _TAG.sub(replacement, text)
