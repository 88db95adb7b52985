"""The term by which a version's pods keep off the nodes of the stable version. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rollouts.kube import objects
from rollouts.kube.objects import Manifest, ReadOnly
from rollouts.workloads import labels

_ANTI_AFFINITY_LISTS = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def with_anti_affinity(manifest: Manifest, stable_hash: str, weight: int | None) -> Manifest:
    """Return a new ReplicaSet's manifest whose pods avoid the nodes of the stable version.

    ``weight`` is None where they must, else how much they would rather (1 to 100).
    """
    spec, template = manifest["spec"], manifest["spec"]["template"]
    affinity = affinity_apart_from(template["spec"], stable_hash, weight, objects.namespace_of(manifest))
    pod_spec = {**template["spec"], "affinity": affinity}
    return {**manifest, "spec": {**spec, "template": {**template, "spec": pod_spec}}}


def affinity_apart_from(pod_spec: ReadOnly, stable_hash: str, weight: int | None, namespace: str) -> Manifest:
    """Return the affinity of a pod spec with the term that keeps its pods off the stable version's nodes."""
    rule = {"key": labels.POD_TEMPLATE_HASH, "operator": "In", "values": [stable_hash]}
    term: dict[str, Any] = {
        "labelSelector": {"matchExpressions": [rule]},
        "namespaces": [namespace],
        "topologyKey": "kubernetes.io/hostname",
    }
    name = _ANTI_AFFINITY_LISTS[0 if weight is None else 1]
    entry = term if weight is None else {"weight": weight, "podAffinityTerm": term}
    affinity = dict(pod_spec.get("affinity") or {})
    own = dict(affinity.get("podAntiAffinity") or {})
    own[name] = [*(own.get(name) or ()), entry]
    return {**affinity, "podAntiAffinity": own}


def avoided_hashes(pod_spec: ReadOnly) -> frozenset[str]:
    """Return the versions whose nodes the pods avoid."""
    own = (pod_spec.get("affinity") or {}).get("podAntiAffinity") or {}
    entries = [entry for name in _ANTI_AFFINITY_LISTS for entry in own.get(name) or ()]
    rules = [rule for entry in entries for rule in _rules(entry)]
    ours = [rule for rule in rules if rule.get("key") == labels.POD_TEMPLATE_HASH]
    return frozenset(value for rule in ours for value in rule.get("values") or ())


def without_anti_affinity(pod_spec: ReadOnly) -> dict[str, Any]:
    """Return a pod spec without the terms that ``with_anti_affinity`` adds, and what they leave empty."""
    spec = dict(pod_spec)
    affinity = dict(spec.get("affinity") or {})
    own = dict(affinity.get("podAntiAffinity") or {})
    before = dict(own)
    for name in _ANTI_AFFINITY_LISTS:
        kept = [entry for entry in own.get(name) or () if not _avoids_a_version(entry)]
        own[name] = kept
    own = {name: entries for name, entries in own.items() if entries}
    if own == before:
        return spec
    affinity.pop("podAntiAffinity", None)
    affinity |= {"podAntiAffinity": own} if own else {}
    spec.pop("affinity", None)
    return {**spec, "affinity": affinity} if affinity else spec


def _avoids_a_version(entry: ReadOnly) -> bool:
    return any(rule.get("key") == labels.POD_TEMPLATE_HASH for rule in _rules(entry))


def _rules(entry: ReadOnly) -> Sequence[ReadOnly]:
    term = entry.get("podAffinityTerm") or entry
    return (term.get("labelSelector") or {}).get("matchExpressions") or ()
