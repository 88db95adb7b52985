"""Objects that a Rollout names: they must exist and fit. The first problem is what people are told. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.spec.arguments import merge_arguments
from analysis.spec.errors import SpecError
from analysis.spec.objects import Argument
from analysis.spec.templates import flatten, resolve_templates
from rollouts.api.argoproj import rollout as api
from rollouts.api.argoproj.references import role_labels
from rollouts.api.argoproj.validation import invalid_spec_message
from rollouts.api.fielderrors import FieldError, invalid
from rollouts.controllers.rollout.snapshot import RolloutSnapshot, TemplateKey
from rollouts.kube import objects
from rollouts.workloads import labels

STRATEGY = "spec.strategy"


def reference_problem(s: RolloutSnapshot) -> str:
    """Return the message of the first reference that does not hold, "" when all do."""
    first = next(_problems(s), None)
    return invalid_spec_message(s.name, first) if first else ""


def _problems(s: RolloutSnapshot) -> Iterator[FieldError]:
    for path, name in _services(s):
        yield from _service_problems(s, path, name)
    for path, wanted in _analyses(s):
        yield from _template_problems(s, path, wanted)
    for index, step in enumerate(s.steps):
        path = f"{STRATEGY}.canary.steps[{index}].experiment"
        yield from _experiment_problems(s, path, step.experiment or api.ExperimentStep())


def _services(s: RolloutSnapshot) -> Iterator[tuple[str, str]]:
    if s.blue_green is not None:
        yield f"{STRATEGY}.blueGreen.activeService", s.blue_green.active_service
        yield f"{STRATEGY}.blueGreen.previewService", s.blue_green.preview_service or ""
    if s.canary is not None:
        yield f"{STRATEGY}.canary.canaryService", s.canary.canary_service
        yield f"{STRATEGY}.canary.stableService", s.canary.stable_service
        if s.canary.ping_pong is not None:
            yield f"{STRATEGY}.canary.pingPong.pingService", s.canary.ping_pong.ping_service
            yield f"{STRATEGY}.canary.pingPong.pongService", s.canary.ping_pong.pong_service


def _service_problems(s: RolloutSnapshot, path: str, name: str) -> Iterator[FieldError]:
    if not name:
        return
    service = s.services.get(name)
    if service is None:
        yield invalid(path, name, f'service "{name}" not found; create it or correct the name')
        return
    pod_labels: Mapping[str, Any] = (s.template.get("metadata") or {}).get("labels") or {}
    role = role_labels(s.spec, path)
    selector: Mapping[str, Any] = (service.get("spec") or {}).get("selector") or {}
    for key, value in selector.items():
        if key != labels.POD_TEMPLATE_HASH and value not in (pod_labels.get(key), role.get(key)):
            yield invalid(path, name, f'Service "{name}" has unmatch label "{key}" in rollout')
    owner = objects.annotations_of(service).get(labels.MANAGED_BY)
    if owner and owner != s.name:
        yield invalid(path, name, f'Service "{name}" is managed by another Rollout')


def _analyses(s: RolloutSnapshot) -> Iterator[tuple[str, api.RolloutAnalysis]]:
    if s.blue_green is not None:
        pairs: Sequence[tuple[str, api.RolloutAnalysis | None]] = (
            ("blueGreen.prePromotionAnalysis", s.blue_green.pre_promotion_analysis),
            ("blueGreen.postPromotionAnalysis", s.blue_green.post_promotion_analysis),
        )
    elif s.canary is not None:
        steps = [(f"canary.steps[{i}].analysis", step.analysis) for i, step in enumerate(s.steps)]
        pairs = (("canary.analysis", s.canary.analysis), *steps)
    else:
        pairs = ()
    for path, wanted in pairs:
        if wanted is not None:
            yield f"{STRATEGY}.{path}", wanted


def _template_problems(s: RolloutSnapshot, path: str, wanted: api.RolloutAnalysis) -> Iterator[FieldError]:
    def find(name: str, cluster: bool) -> Mapping[str, Any] | None:
        return s.templates.get(TemplateKey(name, cluster))

    for index, ref in enumerate(wanted.templates):
        where = f"{path}.templates[{index}].templateName"
        try:
            specs = flatten((ref,), find)
        except SpecError as error:
            yield invalid(where, ref.template_name, str(error))
            return
        if not path.endswith("canary.analysis"):
            yield from _endless(where, ref.template_name, specs)
    yield from _argument_problems(path, wanted.args, flatten(wanted.templates, find))


def _argument_problems(
    path: str, given: Sequence[api.AnalysisRunArgument], specs: Sequence[Mapping[str, Any]]
) -> Iterator[FieldError]:
    """Refuse what could never become a run: better before the update than in its middle."""
    values = [Argument(name=arg.name, value="known later") for arg in given]
    try:
        merge_arguments(resolve_templates(specs).args, values, f"{path}.args")
    except SpecError as error:
        yield invalid(f"{path}.args", [arg.name for arg in given], error.message)


def _experiment_problems(s: RolloutSnapshot, path: str, step: api.ExperimentStep) -> Iterator[FieldError]:
    for index, wanted in enumerate(step.analyses):
        try:
            flatten((wanted,), lambda name, cluster: s.templates.get(TemplateKey(name, cluster)))
        except SpecError as error:
            yield invalid(f"{path}.analyses[{index}].templateName", wanted.template_name, str(error))


def _endless(path: str, name: str, specs: Sequence[Mapping[str, Any]]) -> Iterator[FieldError]:
    """Refuse metrics that never end where the update waits for the end."""
    for spec in specs:
        for metric in (spec.get("spec") or spec).get("metrics") or ():
            if metric.get("interval") and metric.get("count") in (None, "", 0, "0"):
                text = f"AnalysisTemplate {name} has metric {metric.get('name')} which runs indefinitely"
                yield invalid(path, name, f"{text}. Invalid value for count: <nil>")
