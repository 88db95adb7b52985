"""ReplicaSets as a decision sees them, and how a new one is built."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollouts.kube import objects
from rollouts.kube.objects import Manifest, ReadOnly
from rollouts.workloads import antiaffinity, labels
from rollouts.workloads.template_hash import go_json, pod_template_hash

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSet:
    """What one ReplicaSet says: ``desired`` is spec.replicas, the other counts are its status.

    ``annotated_desired`` is the Rollout's replica count when the ReplicaSet was last scaled.
    """

    name: str
    uid: str
    hash: str
    revision: int
    desired: int
    replicas: int
    ready: int
    available: int
    created: datetime
    annotated_desired: int | None = None
    deadline: datetime | None = None
    deadline_text: str = ""
    deleting: bool = False
    observed: bool = True
    failure: Mapping[str, Any] | None = None
    manifest: ReadOnly

    @property
    def has_deadline(self) -> bool:
        """Tell whether it waits to be scaled down."""
        return bool(self.deadline_text)


def read(manifest: Manifest) -> ReplicaSet:
    """Read a ReplicaSet manifest; absent counts are 0, an absent spec.replicas is 1."""
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    notes = objects.annotations_of(manifest)
    deadline = notes.get(labels.SCALE_DOWN_DEADLINE, "")
    replicas = spec.get("replicas")
    return ReplicaSet(
        name=objects.name_of(manifest),
        uid=objects.uid_of(manifest),
        hash=objects.labels_of(manifest).get(labels.POD_TEMPLATE_HASH, ""),
        revision=_int(notes.get(labels.REVISION)) or 0,
        desired=1 if replicas is None else int(replicas),
        replicas=int(status.get("replicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        created=objects.parse_time(objects.metadata(manifest).get("creationTimestamp")) or EPOCH,
        annotated_desired=_int(notes.get(labels.DESIRED_REPLICAS)),
        deadline=objects.parse_time(deadline),
        deadline_text=deadline,
        deleting=objects.is_deleting(manifest),
        observed=int(status.get("observedGeneration") or 0) >= objects.generation(manifest),
        failure=_failure(status),
        manifest=manifest,
    )


def _failure(status: ReadOnly) -> ReadOnly | None:
    conditions: Sequence[ReadOnly] = status.get("conditions") or ()
    return next((c for c in conditions if c.get("type") == "ReplicaFailure"), None)


def _int(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None


def find(replica_sets: Iterable[ReplicaSet], pod_hash: str) -> ReplicaSet | None:
    """Return the ReplicaSet with the hash label, if there is one."""
    return next((rs for rs in replica_sets if pod_hash and rs.hash == pod_hash), None)


def find_by_template(
    replica_sets: Sequence[ReplicaSet], template: ReadOnly, collision_count: int | None
) -> ReplicaSet | None:
    """Return the ReplicaSet that runs the template: by hash, else by equal content, oldest first.

    The second look-up adopts ReplicaSets that another controller, or an older version of it, has named.
    """
    by_hash = find(replica_sets, pod_template_hash(template, collision_count))
    if by_hash is not None:
        return by_hash
    wanted = comparable(template)
    oldest_first = sorted(replica_sets, key=lambda rs: (rs.created, rs.name))
    return next((rs for rs in oldest_first if comparable(template_of(rs)) == wanted), None)


def template_of(replica_set: ReplicaSet) -> ReadOnly:
    """Return the pod template without the labels and annotations injected for the version's role."""
    template: ReadOnly = (replica_set.manifest.get("spec") or {}).get("template") or {}
    raw = objects.annotations_of(replica_set.manifest).get(labels.EPHEMERAL_METADATA)
    return template if not raw else _without_ephemeral(template, raw)


def _without_ephemeral(template: ReadOnly, raw: str) -> ReadOnly:
    injected = parse_ephemeral(raw)
    metadata = dict(template.get("metadata") or {})
    for part in ("labels", "annotations"):
        kept = {k: v for k, v in (metadata.get(part) or {}).items() if k not in injected[part]}
        metadata[part] = kept
    return {**template, "metadata": metadata}


def parse_ephemeral(raw: str) -> Mapping[str, Mapping[str, str]]:
    """Read the annotation that remembers injected labels and annotations ({} for malformed text)."""
    try:
        value = json.loads(raw)
    except ValueError:
        value = {}
    value = value if isinstance(value, dict) else {}
    return {part: value.get(part) or {} for part in ("labels", "annotations")}


def format_ephemeral(metadata: Mapping[str, Mapping[str, str]]) -> str | None:
    """Return the annotation for injected labels and annotations, None when there are none."""
    full = {part: dict(metadata[part]) for part in ("labels", "annotations") if metadata[part]}
    return json.dumps(full, separators=(",", ":"), sort_keys=True) if full else None


def with_ephemeral(manifest: Manifest, metadata: Mapping[str, Mapping[str, str]]) -> Manifest:
    """Return a new ReplicaSet's manifest with labels and annotations injected into its pods."""
    mark = format_ephemeral(metadata)
    if mark is None:
        return manifest
    meta, spec = manifest["metadata"], manifest["spec"]
    template = spec["template"]
    pod = template["metadata"]
    injected = {
        part: {**(pod.get(part) or {}), **metadata[part]}
        for part in ("labels", "annotations")
        if metadata[part] or pod.get(part)
    }
    return {
        **manifest,
        "metadata": {**meta, "annotations": {**meta["annotations"], labels.EPHEMERAL_METADATA: mark}},
        "spec": {**spec, "template": {**template, "metadata": {**pod, **injected}}},
    }


def comparable(template: ReadOnly) -> str:
    """Return the template in a canonical form: hash label stripped, the API server's defaults filled in."""
    metadata = dict(template.get("metadata") or {})
    kept = {k: v for k, v in (metadata.get("labels") or {}).items() if k != labels.POD_TEMPLATE_HASH}
    spec = antiaffinity.without_anti_affinity(template.get("spec") or {})
    if spec.pop("serviceAccount", None) and "serviceAccountName" not in spec:
        spec["serviceAccountName"] = (template.get("spec") or {})["serviceAccount"]
    for name, value in _POD_DEFAULTS.items():
        spec.setdefault(name, value)
    for part in ("containers", "initContainers"):
        if spec.get(part):
            spec[part] = [_with_container_defaults(c) for c in spec[part]]
    return go_json({"metadata": {**metadata, "labels": kept}, "spec": spec})


_POD_DEFAULTS: Mapping[str, Any] = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_PROBE_DEFAULTS = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def _with_container_defaults(container: ReadOnly) -> ReadOnly:
    tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
    pull = "Always" if tag in {"", "latest"} else "IfNotPresent"
    full: dict[str, Any] = {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": pull,
        **container,
    }
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(full.get(name), Mapping):
            full[name] = _with_probe_defaults(full[name])
    return full


def _with_probe_defaults(probe: ReadOnly) -> ReadOnly:
    full: dict[str, Any] = {**_PROBE_DEFAULTS, **probe}
    if isinstance(full.get("httpGet"), Mapping):
        full["httpGet"] = {"scheme": "HTTP", "path": "/", **full["httpGet"]}
    return full


def newest(replica_sets: Iterable[ReplicaSet]) -> int:
    """Return the highest revision (0 when there is none)."""
    return max((rs.revision for rs in replica_sets), default=0)


def copied_annotations(rollout: ReadOnly) -> dict[str, str]:
    """Return the annotations that a Rollout shares with the ReplicaSet of its present version."""
    return {k: v for k, v in objects.annotations_of(rollout).items() if k not in labels.NOT_COPIED}


def build(
    rollout: ReadOnly,
    template: ReadOnly,
    pod_hash: str,
    revision: int,
    *,
    selector: ReadOnly,
    min_ready_seconds: int,
    desired: int,
) -> Manifest:
    """Return the manifest of a new ReplicaSet with no pods yet, owned by the Rollout."""
    metadata = template.get("metadata") or {}
    pod_labels = {**(metadata.get("labels") or {}), labels.POD_TEMPLATE_HASH: pod_hash}
    own_selector = dict(selector)
    own_selector["matchLabels"] = {**(selector.get("matchLabels") or {}), labels.POD_TEMPLATE_HASH: pod_hash}
    notes = copied_annotations(rollout)
    notes |= {labels.REVISION: str(revision), labels.DESIRED_REPLICAS: str(desired)}
    own_labels = dict(pod_labels)
    instance = objects.labels_of(rollout).get(labels.INSTANCE_ID)
    if instance:
        own_labels[labels.INSTANCE_ID] = instance
    return {
        "apiVersion": objects.REPLICASETS.api_version,
        "kind": objects.REPLICASETS.kind,
        "metadata": {
            "name": f"{objects.name_of(rollout)}-{pod_hash}",
            "namespace": objects.namespace_of(rollout),
            "labels": own_labels,
            "annotations": notes,
            "ownerReferences": [objects.owner_reference(rollout, objects.ROLLOUTS)],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": min_ready_seconds,
            "selector": own_selector,
            "template": {**template, "metadata": {**metadata, "labels": pod_labels}},
        },
    }
