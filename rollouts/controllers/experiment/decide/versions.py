"""The versions of an Experiment: a ReplicaSet for each template, and the state of its pods."""

from __future__ import annotations

from collections.abc import Mapping

from rollouts.api.argoproj.experiment import ExperimentTemplate, TemplateStatus
from rollouts.controllers.experiment.actions import CreateReplicaSet, Event, PatchReplicaSet
from rollouts.controllers.experiment.decide.draft import Draft
from rollouts.controllers.experiment.snapshot import COMPLETED, ExperimentSnapshot, replicas_of
from rollouts.kube import objects
from rollouts.kube.objects import Manifest, parse_time
from rollouts.workloads import labels
from rollouts.workloads.replicaset import ReplicaSet
from rollouts.workloads.template_hash import pod_template_hash


def run_replica_sets(d: Draft) -> bool:
    """Create what is missing and scale what is not at its size, until the Experiment is over."""
    s = d.s
    if s.over or s.spec.terminate:
        return False
    taken = {rs.hash for rs in s.replica_sets.values()}
    for template in s.spec.templates:
        rs, name = s.replica_sets.get(template.name), s.replica_set_name(template.name)
        if d.template(template.name).get("status") in COMPLETED or name in s.refused:
            continue
        if rs is None:
            body = build(s, template, _free_hash(d, template, taken))
            d.do(
                CreateReplicaSet(body=body, event=Event("NewReplicaSetCreated", f"Created ReplicaSet {name}"))
            )
        elif not rs.deleting:
            resize(d, rs, replicas_of(template), {labels.SCALE_DOWN_DEADLINE: None})
    return False


def _free_hash(d: Draft, template: ExperimentTemplate, taken: set[str]) -> str:
    """Return a hash of its own for a template: two versions may run the same pods, and stay apart."""
    entry = d.template(template.name)
    count = entry.get("collisionCount")
    while (found := pod_template_hash(template.template or {}, count)) in taken:
        count = (count or 0) + 1
    if count is not None:
        entry["collisionCount"] = count
    taken.add(found)
    return found


def build(s: ExperimentSnapshot, template: ExperimentTemplate, pod_hash: str) -> Manifest:
    """Return the manifest of a template's ReplicaSet, with all its pods."""
    pod = template.template or {}
    metadata = pod.get("metadata") or {}
    selector = template.selector or {}
    own = {labels.POD_TEMPLATE_HASH: pod_hash}
    instance = objects.labels_of(s.manifest).get(labels.INSTANCE_ID)
    return {
        "apiVersion": objects.REPLICASETS.api_version,
        "kind": objects.REPLICASETS.kind,
        "metadata": {
            "name": s.replica_set_name(template.name),
            "namespace": s.namespace,
            "labels": {**own, **({labels.INSTANCE_ID: instance} if instance else {})},
            "annotations": marks(s, template.name),
            "ownerReferences": [objects.owner_reference(s.manifest, objects.EXPERIMENTS)],
        },
        "spec": {
            "replicas": replicas_of(template),
            "minReadySeconds": template.min_ready_seconds,
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **own}},
            "template": {
                **pod,
                "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **own}},
            },
        },
    }


def marks(s: ExperimentSnapshot, template: str) -> dict[str, str]:
    """Return the annotations that say which template of which Experiment an object belongs to."""
    return {labels.EXPERIMENT_NAME: s.name, labels.EXPERIMENT_TEMPLATE: template}


def resize(d: Draft, rs: ReplicaSet, count: int, notes: Mapping[str, str | None]) -> None:
    """Scale a ReplicaSet and set annotations, if anything is not so already."""
    now = objects.annotations_of(rs.manifest)
    changes = {key: value for key, value in notes.items() if now.get(key) != value}
    event = None
    if count != rs.desired:
        word = "up" if count > rs.desired else "down"
        text = f"Scaled {word} ReplicaSet {rs.name} from {rs.desired} to {count}"
        event = Event("ScalingReplicaSet", text)
    elif not changes:
        return
    size = count if count != rs.desired else None
    d.do(PatchReplicaSet(name=rs.name, uid=rs.uid, replicas=size, annotations=changes, event=event))


def follow_pods(d: Draft) -> bool:
    """Write the counts of every version and say whether it progresses, runs or has failed."""
    for template in d.s.spec.templates:
        _follow(d, template)
    return False


def _follow(d: Draft, template: ExperimentTemplate) -> None:
    s, entry = d.s, d.template(template.name)
    rs = s.replica_sets.get(template.name)
    _count(entry, rs)
    if s.over or entry.get("status") in COMPLETED:
        return
    refusal = _refusal(s, template)
    if refusal:
        _turn(d, entry, "Error", refusal)
    elif _whole(rs, replicas_of(template)):
        _turn(d, entry, "Running")
    elif not s.spec.terminate:
        _progress(d, entry, template)


def _count(entry: Manifest, rs: ReplicaSet | None) -> None:
    entry["replicas"] = entry["updatedReplicas"] = rs.replicas if rs else 0
    entry["readyReplicas"] = rs.ready if rs else 0
    entry["availableReplicas"] = rs.available if rs else 0
    if rs is not None:
        entry["podTemplateHash"] = rs.hash


def _refusal(s: ExperimentSnapshot, template: ExperimentTemplate) -> str:
    for kind, name in (
        ("ReplicaSet", s.replica_set_name(template.name)),
        ("Service", s.service_name(template)),
    ):
        if name and name in s.refused:
            return f"Failed to create {kind} '{name}' for template '{template.name}': {s.refused[name]}"
    return ""


def _whole(rs: ReplicaSet | None, wanted: int) -> bool:
    return (
        rs is not None
        and not rs.deleting
        and rs.observed
        and rs.desired == wanted
        and rs.available >= wanted
        and not rs.has_deadline
    )


def _progress(d: Draft, entry: Manifest, template: ExperimentTemplate) -> None:
    """Progress restarts the clock of the deadline; without any for too long the version has failed."""
    s, name = d.s, template.name
    before = next((t for t in s.status.template_statuses if t.name == name), TemplateStatus(name=name))
    if _turn(d, entry, "Progressing") or _has_moved(before, entry):
        entry["lastTransitionTime"] = d.now_text
    since = parse_time(entry.get("lastTransitionTime")) or s.now
    deadline = since + s.progress_deadline
    if s.now >= deadline:
        seconds = int(s.progress_deadline.total_seconds())
        have = f"{entry['availableReplicas']} of {replicas_of(template)} pods are available"
        text = f"Template '{name}' exceeded its progressDeadlineSeconds ({seconds}): {have}"
        _turn(d, entry, "Failed", text)
        return
    d.look_again(deadline)
    d.wait(f"the pods of template {name} to become available")


def _has_moved(before: TemplateStatus, entry: Manifest) -> bool:
    return bool(
        entry["replicas"] > before.replicas
        or entry["readyReplicas"] > before.ready_replicas
        or entry["availableReplicas"] > before.available_replicas
    )


def _turn(d: Draft, entry: Manifest, state: str, message: str = "") -> bool:
    """Set the state of a version; True when it is another one than before."""
    if message:
        entry["message"] = message
    else:
        entry.pop("message", None)
    if entry.get("status") == state:
        return False
    entry["status"] = state
    entry["lastTransitionTime"] = d.now_text
    return True


def close(d: Draft) -> None:
    """Say of every version that did not fail that it has done its part."""
    for template in d.s.spec.templates:
        entry = d.template(template.name)
        if entry.get("status") not in COMPLETED:
            _turn(d, entry, "Successful")
