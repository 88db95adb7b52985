"""Analysis runs of an update: which one is due, which one decides, and what its verdict means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.spec.errors import SpecError
from analysis.spec.providers import CANARY_JUDGE
from analysis.spec.templates import build_run_spec, flatten
from rollouts.api.argoproj import rollout as api
from rollouts.controllers.rollout.actions import CreateAnalysisRun, DeleteAnalysisRun, TerminateAnalysisRun
from rollouts.controllers.rollout.decide.draft import INCONCLUSIVE_ANALYSIS, Draft
from rollouts.controllers.rollout.snapshot import AnalysisRun, RolloutSnapshot, TemplateKey
from rollouts.kube import objects
from rollouts.kube.objects import Manifest
from rollouts.workloads import labels
from rollouts.workloads.fieldpath import field_value


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why an analysis runs: the label that says so, the status field that points at it, its name's end."""

    kind: str
    part: str
    field: str
    title: str
    suffix: str


STEP = Purpose("Step", "canary", "currentStepAnalysisRunStatus", "Step-based analysis", "")
BACKGROUND = Purpose("Background", "canary", "currentBackgroundAnalysisRunStatus", "Background analysis", "")
PRE_PROMOTION = Purpose(
    "PrePromotion", "blueGreen", "prePromotionAnalysisRunStatus", "Pre-promotion analysis", "-pre"
)
POST_PROMOTION = Purpose(
    "PostPromotion", "blueGreen", "postPromotionAnalysisRunStatus", "Post-promotion analysis", "-post"
)


def current(d: Draft, purpose: Purpose, step_index: int | None = None) -> AnalysisRun | None:
    """Return the run that decides: same version, revision, step and attempt, the newest of them.

    One of an earlier attempt, or of another controller, decides as long as the status points at it: going on
    after an inconclusive analysis leaves the others in peace, while a retry forgets them all.
    """
    s = d.s
    if s.new is None:
        return None
    pointed = (d.status.get(purpose.part) or {}).get(purpose.field) or {}
    found = [
        run
        for run in s.runs
        if run.kind == purpose.kind
        and run.hash == s.new.hash
        and run.revision == str(s.revision)
        and (step_index is None or run.step_index == str(step_index))
        and not run.deleting
        and (run.attempt == s.attempt or run.name == pointed.get("name"))
    ]
    return max(found, key=lambda run: (run.created, run.name), default=None)


def follow(d: Draft, purpose: Purpose, wanted: api.RolloutAnalysis, step_index: int | None = None) -> bool:
    """Start the analysis when there is none, and act on its verdict. True when it was successful."""
    run = current(d, purpose, step_index)
    if run is None:
        _create(d, purpose, wanted, step_index)
        return False
    _point_at(d, purpose, run)
    match run.phase:
        case "Successful":
            return True
        case "Failed" | "Error":
            d.abort(f"{purpose.title} phase error/failed: {run.message}")
        case "Inconclusive":
            d.pause(INCONCLUSIVE_ANALYSIS)
        case _:
            d.wait(f"AnalysisRun {run.name} to finish")
    return False


def _point_at(d: Draft, purpose: Purpose, run: AnalysisRun) -> None:
    before = (d.status.get(purpose.part) or {}).get(purpose.field) or {}
    now = _entry(run)
    if now == before:
        return
    d.run_status(purpose.part, purpose.field, now)
    old = before.get("status", "") if before.get("name") == run.name else ""
    if now["status"] != old:
        kind = "Warning" if now["status"] in ("Failed", "Error") else "Normal"
        text = f"{purpose.kind} Analysis Run '{run.name}' Status New: '{now['status']}' Previous: '{old}'"
        d.tell(f"AnalysisRun{now['status']}", text, "Warning" if kind == "Warning" else "Normal")
    if not run.finished and run.guidance.asks and before.get("message") != now.get("message"):
        text = f"{purpose.kind} Analysis Run '{run.name}': {now.get('message', '')}"
        d.tell("AnalysisRunHolds", text, "Warning")


def _entry(run: AnalysisRun) -> dict[str, str]:
    message = run.message or ("" if run.finished else run.guidance.reason)
    entry = {"name": run.name, "status": run.phase or "Pending"}
    return {**entry, "message": message} if message else entry


def follow_stopped(d: Draft) -> None:
    """Write down how the runs end that the status points at, those included that decide nothing any more."""
    by_name = {run.name: run for run in d.s.runs}
    for purpose in (STEP, BACKGROUND, PRE_PROMOTION, POST_PROMOTION):
        pointed = (d.status.get(purpose.part) or {}).get(purpose.field) or {}
        run = by_name.get(pointed.get("name", ""))
        if run is not None:
            d.run_status(purpose.part, purpose.field, _entry(run))


def _create(d: Draft, purpose: Purpose, wanted: api.RolloutAnalysis, step_index: int | None) -> None:
    try:
        body = build(d, purpose, wanted, step_index)
    except SpecError as error:
        d.error = f"{purpose.title}: {error}"
        d.wait(d.error)
        d.tell("AnalysisRunError", d.error, "Warning")
        return
    d.do(CreateAnalysisRun(body=body))
    name = body["metadata"]["name"]
    d.run_status(purpose.part, purpose.field, {"name": name, "status": "Pending"})
    d.wait(f"AnalysisRun {name} to start")


def build(d: Draft, purpose: Purpose, wanted: api.RolloutAnalysis, step_index: int | None) -> Manifest:
    """Return the manifest of a new AnalysisRun. Raises SpecError naming what is missing."""
    s = d.s
    assert s.new is not None  # noqa: S101 - an analysis needs a version
    spec = build_run_spec(
        flatten(wanted.templates, lambda name, cluster: s.templates.get(TemplateKey(name, cluster))),
        [resolved_argument(s, arg) for arg in wanted.args],
        dry_run=[rule.manifest() for rule in wanted.dry_run],
        measurement_retention=[rule.manifest() for rule in wanted.measurement_retention],
    )
    extra = wanted.analysis_run_metadata or api.ObjectMetadata()
    selector = s.selector.get("matchLabels") or {}
    own = {labels.POD_TEMPLATE_HASH: s.new.hash, labels.ROLLOUT_TYPE: purpose.kind}
    if step_index is not None:
        own[labels.STEP_INDEX] = str(step_index)
    instance = objects.labels_of(s.manifest).get(labels.INSTANCE_ID)
    if instance:
        own[labels.INSTANCE_ID] = instance
    return {
        "apiVersion": objects.ANALYSIS_RUNS.api_version,
        "kind": objects.ANALYSIS_RUNS.kind,
        "metadata": {
            "name": _free_name(s, purpose, step_index),
            "namespace": s.namespace,
            "labels": {**selector, **extra.labels, **own},
            "annotations": {
                **extra.annotations,
                labels.REVISION: str(s.revision),
                labels.ATTEMPT: s.attempt,
                **_planned(s),
            },
            "ownerReferences": [objects.owner_reference(s.manifest, objects.ROLLOUTS)],
        },
        "spec": spec,
    }


def _planned(s: RolloutSnapshot) -> Mapping[str, str]:
    """Return how many calibrated analyses this try has, where there are several."""
    canary, blue_green = s.canary, s.blue_green
    wanted: list[api.RolloutAnalysis | None] = []
    if canary is not None:
        wanted += [canary.analysis, *(step.analysis for step in canary.steps)]
    if blue_green is not None:
        wanted += [blue_green.pre_promotion_analysis, blue_green.post_promotion_analysis]
    count = sum(1 for one in wanted if one is not None and _calibrated(s, one))
    return {labels.ANALYSES: str(count)} if count > 1 else {}


def _calibrated(s: RolloutSnapshot, wanted: api.RolloutAnalysis) -> bool:
    try:
        found = flatten(wanted.templates, lambda name, cluster: s.templates.get(TemplateKey(name, cluster)))
    except SpecError:
        return False
    metrics = [metric for spec in found for metric in spec.get("metrics") or ()]
    return any(CANARY_JUDGE in ((metric.get("provider") or {}).get("plugin") or {}) for metric in metrics)


def _free_name(s: RolloutSnapshot, purpose: Purpose, step_index: int | None) -> str:
    assert s.new is not None  # noqa: S101 - an analysis needs a version
    step = "" if step_index is None else f"-{step_index}"
    base = f"{s.name}-{s.new.hash}-{s.revision}{step}{purpose.suffix}"
    taken = {run.name for run in s.runs}
    number = int(s.attempt) if s.attempt.isdigit() else 0
    while (name := f"{base}.{number}" if number else base) in taken:
        number += 1
    return name


def resolved_argument(s: RolloutSnapshot, arg: api.AnalysisRunArgument) -> Mapping[str, str]:
    """Return an argument with its value. Raises SpecError when it has none."""
    if arg.value is not None:
        return {"name": arg.name, "value": arg.value}
    source = arg.value_from or api.ArgumentValueFrom()
    match source.pod_template_hash_value:
        case "Latest":
            return {"name": arg.name, "value": s.new.hash if s.new else ""}
        case "Stable":
            return {"name": arg.name, "value": s.status.stable_rs}
    if source.field_ref is not None:
        return {"name": arg.name, "value": field_value(s.manifest, source.field_ref.field_path)}
    raise SpecError(f"args[{arg.name}]", "has neither value nor valueFrom")


def terminate_others(d: Draft, keep: Sequence[AnalysisRun | None]) -> None:
    """Stop every running analysis that no longer decides anything."""
    kept = {run.name for run in keep if run is not None}
    for run in d.s.runs:
        if run.name not in kept and not (run.finished or run.terminating or run.deleting):
            d.do(TerminateAnalysisRun(name=run.name, uid=run.uid))


def remove_old_runs(d: Draft, keep: Sequence[AnalysisRun | None]) -> None:
    """Delete finished runs beyond the history limits, oldest first, and those of versions that are gone."""
    history = d.s.spec.analysis or api.RunHistory()
    kept = {run.name for run in keep if run is not None}
    finished = [run for run in d.s.runs if run.finished and not run.deleting and run.name not in kept]
    versions = d.s.versions
    for run in finished:
        if run.hash not in versions:
            d.do(DeleteAnalysisRun(name=run.name, uid=run.uid))
    finished = [run for run in finished if run.hash in versions]
    good = [run for run in finished if run.phase == "Successful"]
    bad = [run for run in finished if run.phase != "Successful"]
    limits = (
        (good, history.successful_run_history_limit),
        (bad, history.unsuccessful_run_history_limit),
    )
    for runs, limit in limits:
        count = len(runs) - (api.DEFAULT_RUN_HISTORY_LIMIT if limit is None else limit)
        for run in sorted(runs, key=lambda run: (run.created, run.name))[: max(0, count)]:
            d.do(DeleteAnalysisRun(name=run.name, uid=run.uid))
