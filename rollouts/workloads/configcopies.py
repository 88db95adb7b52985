"""Config with the version: pods mount a copy of their ConfigMap that is named after its content. Pure.

A digest in the template's annotations would make a new revision of every change, but no way back: after a
rollback the old pods would mount the new content. So the references in the ReplicaSet's template lead to
immutable copies. Their names hold a digest of the content, hence

- a changed ConfigMap is a changed template: revisions, steps, rollback and undo work as with an image;
- the same content has the same name in every process and every version of the controller, so a restart or
  another leader changes nothing (``digest_of`` must therefore never change);
- revisions and Rollouts with the same content share a copy. Each ReplicaSet that mounts it is an owner, so
  it goes with the last of them. It has no labels of its source: tools that prune by label leave it alone.

Secrets are not tracked: their digests would need a key, and their copies the right to write every Secret.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rollouts.kube import objects
from rollouts.kube.objects import Manifest, ReadOnly
from rollouts.workloads import labels

Rename = Callable[[str, bool], str]
"""``rename(name, optional)`` returns where a reference to a ConfigMap shall lead."""

_LONGEST_NAME = 253
_DIGITS = 12
_DIGEST = "digest"
_KEPT = (
    *("name", "namespace", "uid", "resourceVersion"),
    *("annotations", "ownerReferences", "creationTimestamp", "deletionTimestamp"),
)


def references(template: ReadOnly) -> Mapping[str, bool]:
    """Return the ConfigMaps that a pod template names, each with whether the pods start without it."""
    found: dict[str, bool] = {}

    def note(name: str, optional: bool) -> str:
        found[name] = found.get(name, True) and optional
        return name

    _rewritten(template, note)
    return found


def with_copies(template: ReadOnly, copies: Mapping[str, str]) -> ReadOnly:
    """Return a pod template whose references lead to copies, by name of the source."""
    return _rewritten(template, lambda name, _: copies.get(name, name)) if copies else template


def digest_of(config_map: ReadOnly) -> str:
    """Return the digest of a ConfigMap's content, projected or whole."""
    known = config_map.get(_DIGEST)
    if known:
        return str(known)
    content = {part: config_map.get(part) or {} for part in ("data", "binaryData")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def project(config_map: Manifest) -> Manifest:
    """Return what is kept of a ConfigMap in memory: whose it is, and a digest instead of the content."""
    meta = objects.metadata(config_map)
    kept = {name: meta[name] for name in _KEPT if name in meta}
    notes = {k: v for k, v in objects.annotations_of(config_map).items() if k in _MARKS}
    return {
        "apiVersion": objects.CONFIGMAPS.api_version,
        "kind": objects.CONFIGMAPS.kind,
        "metadata": {**kept, "annotations": notes},
        _DIGEST: digest_of(config_map),
    }


_MARKS = frozenset({labels.CONFIG_SOURCE})


def copy_name(source: str, digest: str) -> str:
    """Return the name of the copy with this content."""
    short = digest[:_DIGITS]
    return f"{source[: _LONGEST_NAME - len(short) - 1].rstrip('.-')}-{short}"


def source_of(config_map: ReadOnly) -> str:
    """Return which ConfigMap an object is a copy of, "" when it is none."""
    return objects.annotations_of(config_map).get(labels.CONFIG_SOURCE, "")


def is_copy(config_map: ReadOnly, source: str, digest: str) -> bool:
    """Tell whether an object is the copy of this content: the name alone may be somebody else's."""
    return source_of(config_map) == source and digest_of(config_map) == digest


def build_copy(source: ReadOnly, name: str, owner: ReadOnly) -> Manifest:
    """Return the manifest of an immutable copy."""
    content = {part: source[part] for part in ("data", "binaryData") if source.get(part)}
    return {
        "apiVersion": objects.CONFIGMAPS.api_version,
        "kind": objects.CONFIGMAPS.kind,
        "metadata": {
            "name": name,
            "namespace": objects.namespace_of(source),
            "annotations": {labels.CONFIG_SOURCE: objects.name_of(source)},
            "ownerReferences": [dict(owner)],
        },
        "immutable": True,
        **content,
    }


def owner_of_copy(replica_set: ReadOnly) -> Manifest:
    """Return the owner reference of a ReplicaSet: one of several owners, so none that controls or blocks."""
    return {
        "apiVersion": objects.REPLICASETS.api_version,
        "kind": objects.REPLICASETS.kind,
        "name": objects.name_of(replica_set),
        "uid": objects.uid_of(replica_set),
    }


# -- where a pod template names ConfigMaps --


def _rewritten(template: ReadOnly, rename: Rename) -> ReadOnly:
    spec = template.get("spec")
    if not isinstance(spec, Mapping):
        return template
    pod = dict(spec)
    _each(pod, "volumes", lambda volume: _volume(volume, rename))
    for part in ("containers", "initContainers"):
        _each(pod, part, lambda container: _container(container, rename))
    return {**template, "spec": pod}


def _volume(volume: dict[str, Any], rename: Rename) -> None:
    _reference(volume, "configMap", rename)
    projected = volume.get("projected")
    if isinstance(projected, Mapping):
        volume["projected"] = parts = dict(projected)
        _each(parts, "sources", lambda source: _reference(source, "configMap", rename))


def _container(container: dict[str, Any], rename: Rename) -> None:
    _each(container, "envFrom", lambda source: _reference(source, "configMapRef", rename))
    _each(container, "env", lambda variable: _variable(variable, rename))


def _variable(variable: dict[str, Any], rename: Rename) -> None:
    source = variable.get("valueFrom")
    if isinstance(source, Mapping):
        variable["valueFrom"] = parts = dict(source)
        _reference(parts, "configMapKeyRef", rename)


def _each(holder: dict[str, Any], field: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Replace the items of a list by changed copies; what is no object stays."""
    items = holder.get(field)
    if not isinstance(items, Sequence) or isinstance(items, str) or not items:
        return
    holder[field] = changed = [dict(item) if isinstance(item, Mapping) else item for item in items]
    for item in changed:
        if isinstance(item, dict):
            change(item)


def _reference(holder: dict[str, Any], field: str, rename: Rename) -> None:
    ref = holder.get(field)
    if isinstance(ref, Mapping) and isinstance(ref.get("name"), str) and ref["name"]:
        holder[field] = {**ref, "name": rename(ref["name"], bool(ref.get("optional")))}
