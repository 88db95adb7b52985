"""Checks manifest files without a cluster: whatever an apply or the controller would stumble over. Pure.

Every finding has the line, the object, the field's path, what was seen and what to do. Values of fields with
a wrong type are not shown, since they can be secrets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ValidationError

from analysis.providers.slo.config import objective_problem
from analysis.slo.model import ServiceLevelObjectiveSpec
from analysis.slo.validation import rule_problems
from analysis.spec.objects import AnalysisRunSpec, AnalysisTemplateSpec
from analysis.spec.validation import problems
from rollouts.api.argoproj.application_validation import validate_application, validate_application_set
from rollouts.api.argoproj.experiment_validation import validate_experiment
from rollouts.api.argoproj.kinds import API_VERSION, KINDS, kind_of
from rollouts.api.argoproj.validation import validate_rollout
from rollouts.api.fielderrors import FieldError, from_validation_error
from rollouts.api.fields import inactive_fields, unknown_fields_with_hints, without_nulls
from rollouts.api.lint_promql import query_problems
from rollouts.api.lint_references import missing_references
from rollouts.api.rolloutsdev.kinds import API_VERSION as OWN_API_VERSION
from rollouts.api.rolloutsdev.kinds import OWN_KINDS
from rollouts.api.yamlio import Document, YamlError, load_documents


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``line`` starts at 1, 0 means unknown; ``path`` is "" for the whole file."""

    line: int
    severity: Severity
    subject: str
    path: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        parts = [part for part in (self.subject, self.path, self.message) if part]
        return f"{where}{self.severity.value}: {': '.join(parts)}"


def lint_documents(text: str | bytes) -> tuple[Finding, ...]:
    """Return everything that is wrong with the objects of a YAML file, document by document.

    Objects of other groups are only looked up, so that a Rollout's Services can be found. Text that cannot
    be read is one finding.
    """
    try:
        documents = [item for document in load_documents(text) for item in _items(document)]
    except YamlError as error:
        column = f" (column {error.column})" if error.column else ""
        return (Finding(error.line, Severity.ERROR, "", "", f"{error.message}{column}"),)
    findings: list[Finding] = []
    for document in documents:
        findings += _document_findings(document)
    for document, missing in missing_references(documents):
        findings.append(_finding(document, missing))
    return tuple(dict.fromkeys(findings))


def _items(document: Document) -> list[Document]:
    """Return the objects of a List, each with its own lines; any other document is its only object."""
    items = document.manifest.get("items")
    if not str(document.manifest.get("kind", "")).endswith("List") or not isinstance(items, list):
        return [document]
    found: list[Document] = []
    for index, item in enumerate(items):
        place = ("items", index)
        if isinstance(item, dict):
            lines = {path[2:]: line for path, line in document.lines.items() if path[:2] == place}
            found.append(Document(item, document.line_of(place), lines))
    return found


def has_errors(findings: tuple[Finding, ...]) -> bool:
    """Tell whether there is more than warnings."""
    return any(finding.severity is Severity.ERROR for finding in findings)


def _document_findings(document: Document) -> Iterator[Finding]:
    manifest = without_nulls(document.manifest)
    api_version, name = str(manifest.get("apiVersion", "")), str(manifest.get("kind", ""))
    for field, value in (("apiVersion", api_version), ("kind", name)):
        if not value:
            yield _error(document, field, "Required value: every object says what it is")
    kind = OWN_KINDS.get(name) if api_version == OWN_API_VERSION else kind_of(api_version, name)
    if kind is None:
        yield from _misspelt_kind(document, api_version, name)
        return
    yield from _metadata_findings(document, manifest)
    try:
        model = kind.model.model_validate(manifest)
    except ValidationError as error:
        yield from (_finding(document, item) for item in from_validation_error(error))
        return
    yield from _unknown_findings(document, model)
    yield from (
        _error(document, path, message)
        for path, message in _coerced(manifest, model.model_dump(**_AS_JSON), "")
    )
    yield from (_error(document, path, message) for path, message in _RULES.get(name, _no_rules)(manifest))
    if name == "Rollout":
        yield from _inactive_findings(document, manifest.get("spec") or {})


_AS_JSON: dict[str, Any] = {"mode": "json", "by_alias": True, "exclude_unset": True}


def _misspelt_kind(document: Document, api_version: str, name: str) -> Iterator[Finding]:
    for kinds, wanted in ((KINDS, API_VERSION), (OWN_KINDS, OWN_API_VERSION)):
        if api_version.partition("/")[0] != wanted.partition("/")[0]:
            continue
        if name in kinds and api_version != wanted:
            yield _error(document, "apiVersion", f"Unsupported value: {api_version}: wanted {wanted}")
            return
        close = get_close_matches(name, kinds, n=1, cutoff=0.8) if api_version == wanted else []
        if close:
            yield _error(document, "kind", f"unknown kind {name}; did you mean {close[0]}?")


def _metadata_findings(document: Document, manifest: Mapping[str, Any]) -> Iterator[Finding]:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping) or not (metadata.get("name") or metadata.get("generateName")):
        yield _error(document, "metadata.name", "Required value: name or generateName is required")


def _unknown_findings(document: Document, model: BaseModel) -> Iterator[Finding]:
    for path, known in unknown_fields_with_hints(model):
        hint = f"; did you mean {known}?" if known else ""
        yield _error(document, path, f"unknown field: nothing reads it{hint}")


def _coerced(seen: Any, read: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield values that were read only by changing their type, such as ``"3"`` where 3 is wanted."""
    if isinstance(seen, dict) and isinstance(read, dict):
        for key, value in seen.items():
            if key in read:
                yield from _coerced(value, read[key], f"{path}.{key}" if path else key)
    elif isinstance(seen, list) and isinstance(read, list):
        for index, (one, other) in enumerate(zip(seen, read, strict=False)):
            yield from _coerced(one, other, f"{path}[{index}]")
    elif _type_name(seen) != _type_name(read):
        yield path, f"Invalid value: wanted {_type_name(read)}, but this is {_type_name(seen)}"


def _type_name(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string", dict: "an object"}
    return names.get(type(value), "a list")


Complaint = tuple[str, str]
"""The path of a field and what is wrong with it."""

Rules = Callable[[Mapping[str, Any]], Iterator[Complaint]]


def _no_rules(manifest: Mapping[str, Any]) -> Iterator[Complaint]:
    yield from ()


def _field_rules(validate: Callable[[Mapping[str, Any]], tuple[FieldError, ...]]) -> Rules:
    def rules(manifest: Mapping[str, Any]) -> Iterator[Complaint]:
        yield from ((error.path, _text(error)) for error in validate(manifest))

    return rules


def _analysis_rules(model: type[AnalysisTemplateSpec] | type[AnalysisRunSpec]) -> Rules:
    def rules(manifest: Mapping[str, Any]) -> Iterator[Complaint]:
        spec = model.model_validate(manifest.get("spec") or {})
        yield from ((problem.path, problem.message) for problem in problems(spec, "spec"))
        yield from query_problems(spec)
        for index, metric in enumerate(spec.metrics):
            problem = objective_problem(metric, f"spec.metrics[{index}]")
            if problem is not None:
                yield problem.path, problem.message

    return rules


def _objective_rules(manifest: Mapping[str, Any]) -> Iterator[Complaint]:
    spec = ServiceLevelObjectiveSpec.model_validate(manifest.get("spec"))
    yield from ((problem.path, problem.message) for problem in rule_problems(spec))


_RULES: dict[str, Rules] = {
    "Rollout": _field_rules(validate_rollout),
    "AnalysisTemplate": _analysis_rules(AnalysisTemplateSpec),
    "ClusterAnalysisTemplate": _analysis_rules(AnalysisTemplateSpec),
    "AnalysisRun": _analysis_rules(AnalysisRunSpec),
    "Experiment": _field_rules(validate_experiment),
    "Application": _field_rules(validate_application),
    "ApplicationSet": _field_rules(validate_application_set),
    "ServiceLevelObjective": _objective_rules,
}


def _inactive_findings(document: Document, spec: Mapping[str, Any]) -> Iterator[Finding]:
    for path in inactive_fields(spec):
        message = "this controller does not act on this field yet"
        yield Finding(document.line_of(_parts(path)), Severity.WARNING, _subject(document), path, message)


def _finding(document: Document, error: FieldError) -> Finding:
    return _error(document, error.path, _text(error))


def _text(error: FieldError) -> str:
    return str(error).removeprefix(f"{error.path}: ")


def _error(document: Document, path: str, message: str) -> Finding:
    return Finding(document.line_of(_parts(path)), Severity.ERROR, _subject(document), path, message)


def _parts(path: str) -> tuple[str | int, ...]:
    found = re.findall(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)', path)
    return tuple(int(index) if index else quoted or name for quoted, index, name in found)


def _subject(document: Document) -> str:
    kind = str(document.manifest.get("kind") or "object")
    metadata = document.manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else ""
    return f"{kind} {name}" if name else kind
