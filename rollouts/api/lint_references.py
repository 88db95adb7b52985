"""References of the Rollouts of a file to objects that should be in the same file. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from rollouts.api.argoproj.kinds import API_VERSION
from rollouts.api.argoproj.references import Reference, role_labels, service_references, template_references
from rollouts.api.argoproj.rollout import RolloutSpec
from rollouts.api.fielderrors import FieldError, invalid, not_found
from rollouts.api.fields import without_nulls
from rollouts.api.yamlio import Document

HASH_LABEL = "rollouts-pod-template-hash"
_LOOKED_UP = {("v1", "Service"), (API_VERSION, "AnalysisTemplate"), (API_VERSION, "ClusterAnalysisTemplate")}


@dataclass(slots=True)
class _Objects:
    """The objects of a file by kind, namespace ("" when none is given) and name."""

    found: dict[tuple[str, str, str], Mapping[str, Any]] = field(default_factory=dict)

    def add(self, manifest: Mapping[str, Any]) -> None:
        kind = str(manifest.get("kind", ""))
        if (manifest.get("apiVersion"), kind) in _LOOKED_UP:
            self.found[(kind, *_place(manifest))] = manifest

    def has_any(self, kind: str) -> bool:
        return any(key[0] == kind for key in self.found)

    def get(self, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return an object; one that names no namespace is taken to be in the asked one."""
        places = [""] if kind == "ClusterAnalysisTemplate" else [namespace, ""]
        return next((self.found[key] for place in places if (key := (kind, place, name)) in self.found), None)


def _place(manifest: Mapping[str, Any]) -> tuple[str, str]:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        return "", ""
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def missing_references(documents: Sequence[Document]) -> Iterator[tuple[Document, FieldError]]:
    """Yield every reference of a Rollout to an object that is missing, or to a Service that cannot serve.

    A kind of which the file has no object at all is taken to live elsewhere. Rollouts that do not parse are
    passed over.
    """
    objects = _Objects()
    for document in documents:
        objects.add(document.manifest)
    for document in documents:
        if document.manifest.get("kind") != "Rollout" or document.manifest.get("apiVersion") != API_VERSION:
            continue
        try:
            spec = RolloutSpec.model_validate(without_nulls(document.manifest.get("spec") or {}))
        except ValidationError:
            continue
        namespace, _ = _place(document.manifest)
        for reference in (*service_references(spec), *template_references(spec)):
            for error in _reference_errors(reference, namespace, objects, spec):
                yield document, error


def _reference_errors(
    reference: Reference, namespace: str, objects: _Objects, spec: RolloutSpec
) -> Iterator[FieldError]:
    if not objects.has_any(reference.kind):
        return
    found = objects.get(reference.kind, namespace, reference.name)
    if found is None:
        message = f"the file has no {reference.kind} of this name"
        if namespace and reference.kind != "ClusterAnalysisTemplate":
            message += f" in namespace {namespace}"
        yield not_found(reference.path, reference.name, message)
    elif reference.kind == "Service":
        yield from _selector_errors(reference, found, spec)


def _selector_errors(
    reference: Reference, service: Mapping[str, Any], spec: RolloutSpec
) -> Iterator[FieldError]:
    if spec.workload_ref is not None or not spec.template:
        return
    own = (spec.template.get("metadata") or {}).get("labels") or {}
    labels = {**own, **role_labels(spec, reference.path)}
    selector = (service.get("spec") or {}).get("selector") or {}
    for key, value in selector.items():
        if key != HASH_LABEL and labels.get(key) != value:
            message = f'Service selects {key}="{value}", which the labels of the pod template do not have'
            yield invalid(reference.path, reference.name, message)
