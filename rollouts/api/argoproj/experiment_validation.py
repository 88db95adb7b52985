"""What must hold for an Experiment before anything is done for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from rollouts.api.argoproj.experiment import (
    DEFAULT_PROGRESS_DEADLINE_SECONDS,
    ExperimentSpec,
    ExperimentTemplate,
)
from rollouts.api.fielderrors import FieldError, duplicate, from_validation_error, invalid, required
from rollouts.api.podtemplates import validate_pod_template
from rollouts.api.scalars import ScalarError, parse_duration
from rollouts.api.selectors import SelectorError, is_empty, matches


def validate_experiment(experiment: Mapping[str, Any]) -> tuple[FieldError, ...]:
    """Return everything that is wrong with an Experiment, in the order of its fields."""
    manifest = experiment.get("spec")
    if not isinstance(manifest, Mapping):
        return (required("spec"),)
    try:
        spec = ExperimentSpec.model_validate(manifest)
    except ValidationError as error:
        return from_validation_error(error, "spec")
    return tuple(_spec_errors(spec))


def _spec_errors(spec: ExperimentSpec) -> Iterator[FieldError]:
    if not spec.templates:
        yield required("spec.templates", "an experiment needs at least one version")
    deadline = spec.progress_deadline_seconds
    deadline = DEFAULT_PROGRESS_DEADLINE_SECONDS if deadline is None else deadline
    seen: set[str] = set()
    for index, template in enumerate(spec.templates):
        path = f"spec.templates[{index}]"
        if template.name in seen:
            yield duplicate(f"{path}.name", template.name)
        seen.add(template.name)
        yield from _template_errors(template, deadline, path)
    if spec.duration is not None:
        yield from _duration_errors(spec.duration, "spec.duration")
    for field, value in (
        ("progressDeadlineSeconds", spec.progress_deadline_seconds),
        ("scaleDownDelaySeconds", spec.scale_down_delay_seconds),
    ):
        if value is not None and value < 0:
            yield invalid(f"spec.{field}", value, "must be greater than or equal to 0")
    names: set[str] = set()
    for index, analysis in enumerate(spec.analyses):
        path = f"spec.analyses[{index}]"
        if analysis.name in names:
            yield duplicate(f"{path}.name", analysis.name)
        names.add(analysis.name)
        if not analysis.template_name:
            yield required(f"{path}.templateName")


def _duration_errors(duration: str, path: str) -> Iterator[FieldError]:
    try:
        parse_duration(duration)
    except ScalarError as error:
        yield invalid(path, duration, str(error))


def _template_errors(template: ExperimentTemplate, deadline: int, path: str) -> Iterator[FieldError]:
    if template.replicas is not None and template.replicas < 0:
        yield invalid(f"{path}.replicas", template.replicas, "must be greater than or equal to 0")
    if template.min_ready_seconds >= deadline:
        message = "must be less than progressDeadlineSeconds"
        yield invalid(f"{path}.minReadySeconds", template.min_ready_seconds, message)
    if not template.selector or is_empty(template.selector):
        yield required(f"{path}.selector", "a version needs the labels of its pods")
    if not template.template:
        yield required(f"{path}.template", "a version needs a pod template")
        return
    labels = (template.template.get("metadata") or {}).get("labels") or {}
    try:
        if template.selector and not matches(template.selector, labels):
            message = "`selector` does not match template `labels`"
            yield invalid(f"{path}.template.metadata.labels", labels, message)
    except (SelectorError, AttributeError, TypeError) as error:
        yield invalid(f"{path}.selector", template.selector, f"invalid label selector: {error}")
    yield from validate_pod_template(template.template, f"{path}.template")
