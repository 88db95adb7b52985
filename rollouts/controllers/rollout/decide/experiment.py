"""The experiment step of a canary: the Experiment that decides it, its share of traffic, its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.spec.errors import SpecError
from rollouts.api.argoproj import rollout as api
from rollouts.api.argoproj.experiment_validation import validate_experiment
from rollouts.controllers.rollout.actions import (
    CreateExperiment,
    DeleteExperiment,
    Event,
    TerminateExperiment,
)
from rollouts.controllers.rollout.decide.analysis import resolved_argument
from rollouts.controllers.rollout.decide.draft import INCONCLUSIVE_EXPERIMENT, Draft
from rollouts.controllers.rollout.decide.promotion import within_rollback_window
from rollouts.controllers.rollout.snapshot import Experiment, RolloutSnapshot
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, ReadOnly
from rollouts.traffic.router import Destination
from rollouts.workloads import labels, replicaset


def current(s: RolloutSnapshot) -> Experiment | None:
    """Return the Experiment that decides the present step: same version, revision, step and attempt.

    One without an attempt was made by another controller: it counts only when the status points at it.
    """
    if s.new is None or s.step is None or s.step.experiment is None:
        return None
    pointed, index = s.status.canary.current_experiment, str(s.step_index)
    found = [
        experiment
        for experiment in s.experiments
        if experiment.hash == s.new.hash
        and experiment.revision == str(s.revision)
        and not experiment.deleting
        and (
            (experiment.attempt == s.attempt and experiment.step_index == index)
            if experiment.attempt is not None
            else experiment.name == pointed
        )
    ]
    return max(found, key=lambda experiment: (experiment.created, experiment.name), default=None)


def _in_force(d: Draft) -> bool:
    """Tell whether the committed status asks for an Experiment now."""
    s = d.s
    wanted = s.step is not None and s.step.experiment is not None
    update = bool(s.status.stable_rs) and not s.fully_promoted and not s.aborted
    return wanted and update and not s.status.promote_full and not within_rollback_window(d)


# -- traffic ------------------------------------------------------------------------------------------------


def wanted(d: Draft) -> tuple[Destination, ...]:
    """Return where else traffic shall go: the weighed versions of the running Experiment of this step."""
    experiment = current(d.s) if _in_force(d) else None
    if experiment is None or experiment.phase != "Running" or experiment.terminating:
        return ()
    step = d.s.step.experiment if d.s.step is not None else None
    weights = {version.name: version.weight for version in step.templates} if step is not None else {}
    return tuple(
        Destination(service=version.service, weight=weight, pod_hash=version.hash, port=version.port)
        for version in experiment.versions
        if (weight := weights.get(version.name)) is not None and version.service
    )


def recorded(s: RolloutSnapshot) -> frozenset[str]:
    """Return the Services of experiments that the committed status gives traffic to."""
    weights = s.status.canary.weights
    names = (entry.service_name for entry in weights.additional) if weights else ()
    return frozenset(name for name in names if name)


def destinations(d: Draft) -> tuple[Destination, ...]:
    """Return where else traffic goes now: what is wanted and committed.

    A route names a Service only while the status does, so that the Service and its pods stay that long.
    """
    return tuple(part for part in wanted(d) if part.service in recorded(d.s))


def retired(d: Draft) -> tuple[str, ...]:
    """Return the Services that a route may still name and must not any more, sorted."""
    return tuple(sorted(recorded(d.s) - {part.service for part in destinations(d)}))


# -- the step -----------------------------------------------------------------------------------------------


def follow_experiment(d: Draft) -> bool:
    """Run the Experiment of an experiment step and act on its verdict; stop those that decide nothing."""
    s = d.s
    if d.aborted and not s.aborted:
        return False  # the abort is committed first
    deciding: Experiment | None = None
    if _in_force(d):
        deciding = current(s)
        if deciding is not None:
            _act_on(d, deciding)
        elif not d.paused_by_user:
            _create(d)
    elif d.part("canary").pop("currentExperiment", None) and _resumed(s):
        d.resume()  # a person went past an inconclusive experiment: that is no word about later pauses
        return True
    _terminate_others(d, deciding)
    _remove_old(d, deciding)
    return False


def succeeded(d: Draft) -> bool:
    """Tell whether the present step's Experiment ended well."""
    experiment = current(d.s)
    return experiment is not None and experiment.phase == "Successful"


def inconclusive(s: RolloutSnapshot) -> bool:
    """Tell whether the present step's Experiment ended without a verdict."""
    experiment = current(s)
    return experiment is not None and experiment.phase == "Inconclusive"


def _resumed(s: RolloutSnapshot) -> bool:
    return s.status.controller_pause and not s.status.pause_conditions


def _act_on(d: Draft, experiment: Experiment) -> None:
    d.part("canary")["currentExperiment"] = experiment.name
    because = f": {experiment.message}" if experiment.message else ""
    match experiment.phase:
        case "Successful":
            return
        case "Failed" | "Error":
            text = f"Experiment '{experiment.name}' phase {experiment.phase}{because}"
            d.tell(f"Experiment{experiment.phase}", text, "Warning")
            d.abort(text)
        case "Inconclusive":
            if INCONCLUSIVE_EXPERIMENT not in d.pause_reasons:
                text = f"Experiment '{experiment.name}' is inconclusive{because}"
                d.tell("ExperimentInconclusive", text, "Warning")
            d.pause(INCONCLUSIVE_EXPERIMENT)
        case _:
            d.wait(f"Experiment {experiment.name} to finish")


def _create(d: Draft) -> None:
    try:
        body = build(d.s)
    except SpecError as error:
        d.error = f"spec.strategy.canary.steps[{d.s.step_index}].experiment: {error}"
        d.wait(d.error)
        d.tell("ExperimentError", d.error, "Warning")
        return
    name = body["metadata"]["name"]
    d.do(CreateExperiment(body=body, event=Event("ExperimentCreated", f"Created Experiment '{name}'")))
    d.part("canary")["currentExperiment"] = name
    d.wait(f"Experiment {name} to start")


def _terminate_others(d: Draft, keep: Experiment | None) -> None:
    for experiment in d.s.experiments:
        kept = keep is not None and experiment.name == keep.name
        if not (kept or experiment.finished or experiment.terminating or experiment.deleting):
            d.do(TerminateExperiment(name=experiment.name, uid=experiment.uid))


def _remove_old(d: Draft, keep: Experiment | None) -> None:
    """Delete finished Experiments beyond the history limits, and those of versions that are gone.

    The oldest go first, and none that still has traffic.
    """
    routed = recorded(d.s)
    finished = [
        experiment
        for experiment in d.s.experiments
        if experiment.finished
        and not experiment.deleting
        and (keep is None or experiment.name != keep.name)
        and not routed & {version.service for version in experiment.versions if version.service}
    ]
    history = d.s.spec.analysis or api.RunHistory()
    versions = d.s.versions
    _remove(d, [experiment for experiment in finished if experiment.hash not in versions], 0)
    finished = [experiment for experiment in finished if experiment.hash in versions]
    good = [experiment for experiment in finished if experiment.phase == "Successful"]
    bad = [experiment for experiment in finished if experiment.phase != "Successful"]
    _remove(d, good, history.successful_run_history_limit)
    _remove(d, bad, history.unsuccessful_run_history_limit)


def _remove(d: Draft, experiments: Sequence[Experiment], limit: int | None) -> None:
    count = len(experiments) - (api.DEFAULT_RUN_HISTORY_LIMIT if limit is None else limit)
    oldest = sorted(experiments, key=lambda experiment: (experiment.created, experiment.name))
    for experiment in oldest[: max(0, count)]:
        d.do(DeleteExperiment(name=experiment.name, uid=experiment.uid))


# -- the manifest -------------------------------------------------------------------------------------------


def build(s: RolloutSnapshot) -> Manifest:
    """Return the manifest of the present step's Experiment. Raises SpecError naming what is missing."""
    assert s.new is not None  # noqa: S101 - an experiment needs a version
    assert s.step is not None and s.step.experiment is not None  # noqa: S101, PT018 - the caller looked
    step = s.step.experiment
    own = {labels.POD_TEMPLATE_HASH: s.new.hash, labels.STEP_INDEX: str(s.step_index)}
    body: Manifest = {
        "apiVersion": objects.EXPERIMENTS.api_version,
        "kind": objects.EXPERIMENTS.kind,
        "metadata": {
            "name": _free_name(s),
            "namespace": s.namespace,
            "labels": {**objects.labels_of(s.manifest), **own},
            "annotations": {labels.REVISION: str(s.revision), labels.ATTEMPT: s.attempt},
            "ownerReferences": [objects.owner_reference(s.manifest, objects.ROLLOUTS)],
        },
        "spec": _spec(s, step),
    }
    problems = validate_experiment(body)
    if problems:
        raise SpecError("", str(problems[0]))
    return body


def _spec(s: RolloutSnapshot, step: api.ExperimentStep) -> Manifest:
    spec: dict[str, Any] = {
        "templates": [_version(s, version, i) for i, version in enumerate(step.templates)],
        "duration": step.duration,
        "progressDeadlineSeconds": s.spec.progress_deadline_seconds,
        "scaleDownDelaySeconds": step.scale_down_delay_seconds,
        "analyses": [_analysis(s, wanted) for wanted in step.analyses],
        "dryRun": [rule.manifest() for rule in step.dry_run],
    }
    if step.analysis_run_metadata is not None:
        spec["analysisRunMetadata"] = step.analysis_run_metadata.manifest()
    return {key: value for key, value in spec.items() if value not in (None, [])}


def _analysis(s: RolloutSnapshot, wanted: api.ExperimentStepAnalysis) -> Manifest:
    full: dict[str, Any] = {
        "name": wanted.name,
        "templateName": wanted.template_name,
        "clusterScope": wanted.cluster_scope,
        "requiredForCompletion": wanted.required_for_completion,
        "args": [resolved_argument(s, arg) for arg in wanted.args],
    }
    return {key: value for key, value in full.items() if value not in (False, [])}


def _version(s: RolloutSnapshot, wanted: api.ExperimentStepTemplate, index: int) -> Manifest:
    """Return one version of the Experiment: the canary's or the stable's pods with other labels.

    The hash label of the Rollout's own version stays in the template, so that the Experiment's pods get
    another hash, and no Service of the Rollout selects them.
    """
    source = s.new if wanted.spec_ref == "canary" else s.stable
    if source is None:
        raise SpecError(f"templates[{index}].specRef", f"there is no {wanted.spec_ref} version to run")
    extra = wanted.metadata or api.ObjectMetadata()
    pod = replicaset.template_of(source)
    metadata = pod.get("metadata") or {}
    own = {labels.POD_TEMPLATE_HASH: source.hash, **extra.labels}
    selector = wanted.selector or s.selector
    version: Manifest = {
        "name": wanted.name,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **own}},
        "template": {
            **pod,
            "metadata": {
                **metadata,
                "labels": {**(metadata.get("labels") or {}), **own},
                "annotations": {**(metadata.get("annotations") or {}), **extra.annotations},
            },
        },
    }
    if wanted.replicas is not None:
        version["replicas"] = wanted.replicas
    if s.spec.min_ready_seconds:
        version["minReadySeconds"] = s.spec.min_ready_seconds
    if wanted.service is not None or wanted.weight is not None:
        version["service"] = wanted.service.manifest() if wanted.service is not None else {}
    if wanted.weight is not None and not _has_ports(pod):
        text = "a version with a weight needs a container with ports, for the Service in front of it"
        raise SpecError(f"templates[{index}].weight", text)
    return version


def _has_ports(pod: ReadOnly) -> bool:
    return any(container.get("ports") for container in (pod.get("spec") or {}).get("containers") or ())


def _free_name(s: RolloutSnapshot) -> str:
    assert s.new is not None  # noqa: S101 - an experiment needs a version
    base = f"{s.name}-{s.new.hash}-{s.revision}-{s.step_index}"
    taken = {experiment.name for experiment in s.experiments}
    number = int(s.attempt) if s.attempt.isdigit() else 0
    while (name := f"{base}-{number}" if number else base) in taken:
        number += 1
    return name
