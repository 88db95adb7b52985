"""Which version is wanted: new ReplicaSets, revision numbers, the start and the retry of an update."""

from __future__ import annotations

from rollouts.api.conditions import PROGRESSING, get_condition
from rollouts.controllers.rollout.actions import (
    AdoptReplicaSet,
    CreateReplicaSet,
    DeleteReplicaSet,
    Event,
    PatchReplicaSet,
    PatchRollout,
)
from rollouts.controllers.rollout.decide import experiment, gate, upkeep
from rollouts.controllers.rollout.decide.draft import INCONCLUSIVE_ANALYSIS, INCONCLUSIVE_EXPERIMENT, Draft
from rollouts.controllers.rollout.decide.ephemeral import metadata_of_role
from rollouts.controllers.rollout.decide.progress import set_progressing
from rollouts.kube import objects
from rollouts.workloads import labels, replicaset
from rollouts.workloads.replicaset import ReplicaSet
from rollouts.workloads.template_hash import pod_template_hash, steps_hash

DEFAULT_HISTORY_LIMIT = 10
RUN_FIELDS = ("currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus")


def write_default_replicas(d: Draft) -> bool:
    """Write spec.replicas: 1 where the user gave none, since an autoscaler needs the field."""
    if d.s.spec.replicas is not None:
        return False
    d.do(PatchRollout(replicas=1))
    d.keep_status = True
    return True


def adopt_orphans(d: Draft) -> bool:
    """Take over ReplicaSets of these pods that have no owner; what to do with them comes afterwards."""
    own = objects.owner_reference(d.s.manifest, objects.ROLLOUTS)
    for rs in d.s.orphans:
        others = objects.metadata(rs.manifest).get("ownerReferences") or ()
        version = objects.resource_version(rs.manifest)
        d.do(AdoptReplicaSet(name=rs.name, uid=rs.uid, version=version, owners=(*others, own)))
    d.keep_status = bool(d.s.orphans)
    return d.keep_status


def create_new_replica_set(d: Draft) -> bool:
    """Create the ReplicaSet of a template that has none, and start its update from the beginning."""
    s = d.s
    if s.new is not None:
        return False
    revision = replicaset.newest(s.replica_sets) + 1
    pod_hash = _free_hash(d)
    _announce(d, revision)
    min_ready = s.spec.min_ready_seconds
    body = replicaset.build(
        s.manifest, s.template, pod_hash, revision,
        selector=s.selector, min_ready_seconds=min_ready, desired=s.replicas,
    )  # fmt: skip
    body = replicaset.with_ephemeral(body, metadata_of_role(d, is_stable=not s.status.stable_rs))
    body = gate.recorded(d, upkeep.apart_from_stable(d, body))
    name = body["metadata"]["name"]
    created = Event("NewReplicaSetCreated", f"Created ReplicaSet {name} (revision {revision})")
    d.do(CreateReplicaSet(body=body, event=created))
    set_progressing(d, "True", "NewReplicaSetCreated", f'Created new replica set "{name}"')
    _start(d, pod_hash)
    return True


def _free_hash(d: Draft) -> str:
    """Return the template's hash; a name that another owner's ReplicaSet holds raises the collision count."""
    count = d.s.status.collision_count
    taken = {rs.name for rs in d.s.replica_sets} | d.s.strangers
    while True:
        pod_hash = pod_template_hash(d.s.template, count)
        if f"{d.s.name}-{pod_hash}" not in taken:
            d.set("collisionCount", count)
            return pod_hash
        count = (count or 0) + 1


def number_revision(d: Draft) -> bool:
    """Give a version that comes back the newest revision number, and follow it on the Rollout."""
    s = d.s
    new = s.new
    assert new is not None  # noqa: S101 - create_new_replica_set ran before
    if s.waits_for_running_update:
        d.wait("the running update to end before the newer version starts (serial mode)")
    older = replicaset.newest(rs for rs in s.replica_sets if rs.name != new.name)
    revision = new.revision
    if older >= revision:
        revision = older + 1
        d.do(_renumbered(new, revision))
    if s.revision != revision:
        _announce(d, revision)
    if get_condition(d.status.get("conditions"), PROGRESSING) is None:
        set_progressing(d, "True", "FoundNewReplicaSet", f'Found new replica set "{new.name}"')
    return False


def _renumbered(new: ReplicaSet, revision: int) -> PatchReplicaSet:
    history = objects.annotations_of(new.manifest).get(labels.REVISION_HISTORY, "")
    past = ",".join(part for part in (history, str(new.revision) if new.revision else "") if part)
    notes: dict[str, str | None] = {labels.REVISION: str(revision)}
    if past:
        notes[labels.REVISION_HISTORY] = past
    return PatchReplicaSet(name=new.name, uid=new.uid, hash=new.hash, before=new.desired, annotations=notes)


def _without_deadline(new: ReplicaSet) -> PatchReplicaSet:
    notes: dict[str, str | None] = {labels.SCALE_DOWN_DEADLINE: None}
    return PatchReplicaSet(name=new.name, uid=new.uid, hash=new.hash, before=new.desired, annotations=notes)


def _announce(d: Draft, revision: int) -> None:
    if d.s.revision == revision:
        return
    first_try = {labels.ATTEMPT: "0"} if d.s.attempt != "0" else {}
    d.do(
        PatchRollout(
            annotations={labels.REVISION: str(revision), **first_try},
            event=Event("RolloutUpdated", f"Rollout updated to revision {revision}"),
        )
    )


def start_changed_version(d: Draft) -> bool:
    """Start over at step 0 when the template or the steps changed; going back to stable skips all steps."""
    s = d.s
    new = s.new
    assert new is not None  # noqa: S101 - create_new_replica_set ran before
    wanted_steps = steps_hash_of(d)
    if s.canary is None:
        d.set("currentStepIndex", None)
    known = s.status.current_step_hash
    template_changed = bool(s.status.current_pod_hash) and s.status.current_pod_hash != new.hash
    steps_changed = bool(known) and known != wanted_steps and _spec_moved(d) and not s.fully_promoted
    if not s.status.current_pod_hash:
        _start(d, new.hash)
        return False
    if not template_changed and not steps_changed:
        d.set("currentStepHash", wanted_steps)
        return False
    _start(d, new.hash)
    return True


def _spec_moved(d: Draft) -> bool:
    """Tell whether the spec is newer than the status: else a foreign step hash is only spelled otherwise."""
    return d.s.status.observed_generation != str(objects.generation(d.s.manifest))


def steps_hash_of(d: Draft) -> str | None:
    """Return the hash of the canary steps as the user wrote them, None for blue-green."""
    if d.s.canary is None:
        return None
    strategy = (d.s.manifest.get("spec") or {}).get("strategy") or {}
    return steps_hash((strategy.get("canary") or {}).get("steps"))


def _start(d: Draft, pod_hash: str) -> None:
    s = d.s
    first = not s.status.current_pod_hash
    d.set("currentPodHash", pod_hash)
    d.set("currentStepHash", steps_hash_of(d))
    if first:
        return
    d.resume()
    d.drop_abort()
    d.set("promoteFull", None)
    for field in ("prePromotionAnalysisRunStatus", "postPromotionAnalysisRunStatus"):
        d.part("blueGreen").pop(field, None)
    d.part("blueGreen").pop("scaleUpPreviewCheckPoint", None)
    for field in (*RUN_FIELDS, "currentExperiment", "stepPluginStatuses"):
        d.part("canary").pop(field, None)
    back_to_stable = bool(pod_hash) and pod_hash == s.status.stable_rs
    if s.steps:
        d.set("currentStepIndex", len(s.steps) if back_to_stable else 0)
        if back_to_stable:
            d.tell("SkipSteps", "Rollback to stable ReplicaSets")
    else:
        d.set("currentStepIndex", None)


def settle_promote_full_and_abort(d: Draft) -> bool:
    """Let the later of two requests win: an abort that has been acted on is older than a full promotion."""
    s = d.s
    if not (s.status.promote_full and s.aborted):
        return False
    if s.status.aborted_at:
        d.drop_abort()
    else:
        d.set("promoteFull", None)
    return True


def retry_after_abort(d: Draft) -> bool:
    """Begin a new attempt when the user took the abort back: old analysis runs no longer count."""
    s = d.s
    progressing = get_condition(s.manifest.get("status", {}).get("conditions"), PROGRESSING)
    was_aborted = progressing is not None and progressing.get("reason") == "RolloutAborted"
    if s.aborted or not was_aborted:
        return False
    if s.new is not None and s.new.has_deadline:
        # The abort gave it the deadline; left there it would read as a quick way back to a good version.
        d.do(_without_deadline(s.new))
    _next_attempt(d)
    d.set("abortedAt", None)
    d.retried = True
    d.part("canary").pop("stepPluginStatuses", None)
    # Who cleared the last try did not clear this one.
    d.part("blueGreen").pop("scaleUpPreviewCheckPoint", None)
    set_progressing(d, "Unknown", "RolloutRetry", "Retrying Rollout after abort")
    for part, field in _RUN_STATUSES:
        d.run_status(part, field, None)
    return True


_RUN_STATUSES = (
    ("canary", "currentStepAnalysisRunStatus"),
    ("canary", "currentBackgroundAnalysisRunStatus"),
    ("blueGreen", "prePromotionAnalysisRunStatus"),
    ("blueGreen", "postPromotionAnalysisRunStatus"),
)


def resume_after_inconclusive(d: Draft) -> bool:
    """Begin a new attempt when the user went on after an inconclusive analysis or experiment.

    A pause step that had begun is over with that, too: a person is not asked twice.
    """
    s = d.s
    resumed = s.status.controller_pause and not s.status.pause_conditions
    statuses = (
        s.status.canary.current_step_analysis_run_status,
        s.status.canary.current_background_analysis_run_status,
        s.status.blue_green.pre_promotion_analysis_run_status,
        s.status.blue_green.post_promotion_analysis_run_status,
    )
    inconclusive = [f for f, ref in zip(_RUN_STATUSES, statuses, strict=True) if _is_inconclusive(ref)]
    if not resumed or not (inconclusive or experiment.inconclusive(s)) or s.aborted:
        return False
    _next_attempt(d)
    for part, field in inconclusive:
        d.run_status(part, field, None)
    if s.step is None or s.step.pause is None:
        d.resume(INCONCLUSIVE_ANALYSIS, INCONCLUSIVE_EXPERIMENT)
    return True


def _is_inconclusive(ref: object) -> bool:
    return getattr(ref, "status", "") == "Inconclusive"


def _next_attempt(d: Draft) -> None:
    text = d.s.attempt
    number = int(text) + 1 if text.isdigit() else 1
    d.do(
        PatchRollout(
            annotations={labels.ATTEMPT: str(number)},
        )
    )


def remove_old_revisions(d: Draft) -> bool:
    """Delete the oldest revisions beyond revisionHistoryLimit that have no pods."""
    limit = d.s.spec.revision_history_limit
    limit = DEFAULT_HISTORY_LIMIT if limit is None else limit
    others = (rs for rs in d.s.others if not rs.deleting)
    alive = sorted(others, key=lambda rs: (rs.revision, rs.created, rs.name))
    for rs in alive[: max(0, len(alive) - limit)]:
        if rs.replicas == 0 and rs.desired == 0 and rs.observed:
            d.do(DeleteReplicaSet(name=rs.name, uid=rs.uid))
    return False
