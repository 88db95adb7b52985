"""Freezing what the cache knows about one Experiment into a snapshot. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import ValidationError

from rollouts.api.argoproj.experiment import ExperimentSpec, ExperimentStatus
from rollouts.api.argoproj.experiment_validation import validate_experiment
from rollouts.controllers.experiment.decide.analyses import run_name
from rollouts.controllers.experiment.snapshot import AnalysisRun, ExperimentSnapshot
from rollouts.kube import objects
from rollouts.kube.cache import Cache
from rollouts.kube.objects import Key, Manifest, ReadOnly
from rollouts.runtime.reconciler import TerminalError
from rollouts.workloads import labels, replicaset

TemplateKey = tuple[str, bool]


class Observer:
    """Builds snapshots from a cache, of Experiments that have the instance's label."""

    def __init__(self, cache: Cache, instance_id: str = "") -> None:
        self._cache = cache
        self._instance_id = instance_id

    def snapshot(self, key: Key, now: datetime) -> ExperimentSnapshot | None:
        """Return the snapshot, or None when there is nothing to do: gone, going, or not ours.

        Raises TerminalError when the status cannot be read: it is never overwritten blindly.
        """
        manifest = self._cache.get(objects.EXPERIMENTS, key.namespace, key.name)
        if manifest is None or objects.is_deleting(manifest):
            return None
        if objects.labels_of(manifest).get(labels.INSTANCE_ID, "") != self._instance_id:
            return None
        spec, invalid = _spec(manifest)
        uid = objects.uid_of(manifest)
        owned_sets = self._cache.indexed(objects.REPLICASETS, "owner", uid)
        runs = tuple(_run(run) for run in self._cache.indexed(objects.ANALYSIS_RUNS, "owner", uid))
        return ExperimentSnapshot(
            now=now,
            manifest=manifest,
            spec=spec,
            status=_status(manifest),
            replica_sets={_template_of(rs): replicaset.read(rs) for rs in owned_sets},
            services={_template_of(svc): svc for svc in self._cache.indexed(objects.SERVICES, "owner", uid)},
            runs=runs,
            templates=self._templates(key.namespace, spec),
            free_names={a.name: self._free_name(key, a.name) for a in spec.analyses},
            rollout=self._rollout(manifest),
            invalid=invalid,
        )

    def _templates(self, namespace: str, spec: ExperimentSpec) -> Mapping[TemplateKey, ReadOnly]:
        """Return the templates that the spec names, and those that they name."""
        found: dict[TemplateKey, ReadOnly] = {}
        open_keys = [(analysis.template_name, analysis.cluster_scope) for analysis in spec.analyses]
        while open_keys:
            key = open_keys.pop()
            template = self._template(namespace, key)
            if key in found or template is None:
                continue
            found[key] = template
            for ref in (template.get("spec") or {}).get("templates") or ():
                open_keys.append((str(ref.get("templateName", "")), bool(ref.get("clusterScope"))))
        return found

    def _template(self, namespace: str, key: TemplateKey) -> ReadOnly | None:
        name, cluster_scope = key
        if cluster_scope:
            return self._cache.get(objects.CLUSTER_ANALYSIS_TEMPLATES, "", name)
        return self._cache.get(objects.ANALYSIS_TEMPLATES, namespace, name)

    def _free_name(self, key: Key, analysis: str) -> str:
        number = 0
        while self._cache.get(objects.ANALYSIS_RUNS, key.namespace, run_name(key.name, analysis, number)):
            number += 1
        return run_name(key.name, analysis, number)

    def _rollout(self, manifest: Manifest) -> ReadOnly | None:
        """Return the Rollout that owns the Experiment."""
        owner = objects.controller_owner(manifest)
        if owner is None or owner.get("kind") != objects.ROLLOUTS.kind:
            return None
        namespace, name = objects.namespace_of(manifest), str(owner.get("name", ""))
        rollout = self._cache.get(objects.ROLLOUTS, namespace, name)
        return rollout if rollout is not None and objects.uid_of(rollout) == owner.get("uid") else None


def _template_of(child: ReadOnly) -> str:
    return objects.annotations_of(child).get(labels.EXPERIMENT_TEMPLATE, "")


def _spec(manifest: Manifest) -> tuple[ExperimentSpec, str]:
    problems = validate_experiment(manifest)
    name = objects.name_of(manifest)
    invalid = f'The Experiment "{name}" is invalid: {problems[0]}' if problems else ""
    try:
        return ExperimentSpec.model_validate(manifest.get("spec") or {}), invalid
    except ValidationError:
        return ExperimentSpec(), invalid


def _status(manifest: Manifest) -> ExperimentStatus:
    try:
        return ExperimentStatus.model_validate(manifest.get("status") or {})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise TerminalError(
            f"Experiment {objects.key_of(manifest)} has a status that cannot be read: status.{path}: "
            f"{first['msg']}; correct it, or set status to null to run the Experiment again"
        ) from error


def _run(manifest: Manifest) -> AnalysisRun:
    notes, status = objects.annotations_of(manifest), manifest.get("status") or {}
    created = objects.parse_time(objects.metadata(manifest).get("creationTimestamp"))
    return AnalysisRun(
        name=objects.name_of(manifest),
        uid=objects.uid_of(manifest),
        analysis=notes.get(labels.EXPERIMENT_ANALYSIS, ""),
        attempt=notes.get(labels.EXPERIMENT_AVAILABLE_AT, ""),
        phase=str(status.get("phase") or ""),
        message=str(status.get("message") or ""),
        terminating=bool((manifest.get("spec") or {}).get("terminate")),
        deleting=objects.is_deleting(manifest),
        created=created or replicaset.EPOCH,
    )
