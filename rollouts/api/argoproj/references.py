"""What a Rollout refers to by name, with the field that names it: Services and analysis templates. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollouts.api.argoproj.rollout import RolloutAnalysis, RolloutSpec


@dataclass(frozen=True, slots=True)
class Reference:
    """A name and the field that has it. ``kind`` is the kind of the object meant."""

    path: str
    kind: str
    name: str


def service_references(spec: RolloutSpec) -> tuple[Reference, ...]:
    """Return the Services that a Rollout switches or routes to."""
    named: list[tuple[str, str | None]] = []
    if spec.strategy.blue_green is not None:
        path, blue_green = "spec.strategy.blueGreen", spec.strategy.blue_green
        named += [
            (f"{path}.activeService", blue_green.active_service),
            (f"{path}.previewService", blue_green.preview_service),
        ]
    if spec.strategy.canary is not None:
        path, canary = "spec.strategy.canary", spec.strategy.canary
        named += [
            (f"{path}.stableService", canary.stable_service),
            (f"{path}.canaryService", canary.canary_service),
        ]
        if canary.ping_pong is not None:
            named += [
                (f"{path}.pingPong.pingService", canary.ping_pong.ping_service),
                (f"{path}.pingPong.pongService", canary.ping_pong.pong_service),
            ]
    return tuple(Reference(path, "Service", name) for path, name in named if name)


def role_labels(spec: RolloutSpec, path: str) -> Mapping[str, str]:
    """Return the labels that pods carry only while their version is the one behind the Service of a field."""
    canary, blue_green = spec.strategy.canary, spec.strategy.blue_green
    found = None
    if canary is not None:
        roles = {"stableService": canary.stable_metadata, "canaryService": canary.canary_metadata}
        found = roles.get(path.rpartition(".")[2])
    elif blue_green is not None:
        roles = {"activeService": blue_green.active_metadata, "previewService": blue_green.preview_metadata}
        found = roles.get(path.rpartition(".")[2])
    return found.labels if found is not None else {}


def template_references(spec: RolloutSpec) -> tuple[Reference, ...]:
    """Return the AnalysisTemplates and ClusterAnalysisTemplates that a Rollout runs, also in experiments."""
    found = [ref for path, analysis in _analyses(spec) for ref in _templates(analysis, f"{path}.templates")]
    return (*found, *_experiment_templates(spec))


def _analyses(spec: RolloutSpec) -> Iterator[tuple[str, RolloutAnalysis]]:
    blue_green, canary = spec.strategy.blue_green, spec.strategy.canary
    if blue_green is not None:
        if blue_green.pre_promotion_analysis is not None:
            yield "spec.strategy.blueGreen.prePromotionAnalysis", blue_green.pre_promotion_analysis
        if blue_green.post_promotion_analysis is not None:
            yield "spec.strategy.blueGreen.postPromotionAnalysis", blue_green.post_promotion_analysis
    if canary is not None:
        if canary.analysis is not None:
            yield "spec.strategy.canary.analysis", canary.analysis
        for index, step in enumerate(canary.steps):
            if step.analysis is not None:
                yield f"spec.strategy.canary.steps[{index}].analysis", step.analysis


def _templates(analysis: RolloutAnalysis, path: str) -> Iterator[Reference]:
    for index, ref in enumerate(analysis.templates):
        if ref.template_name:
            yield _template(f"{path}[{index}].templateName", ref.template_name, ref.cluster_scope)


def _experiment_templates(spec: RolloutSpec) -> Iterator[Reference]:
    steps = spec.strategy.canary.steps if spec.strategy.canary is not None else ()
    for index, step in enumerate(steps):
        for number, analysis in enumerate(step.experiment.analyses if step.experiment else ()):
            if analysis.template_name:
                path = f"spec.strategy.canary.steps[{index}].experiment.analyses[{number}].templateName"
                yield _template(path, analysis.template_name, analysis.cluster_scope)


def _template(path: str, name: str, cluster_scope: bool) -> Reference:
    return Reference(path, "ClusterAnalysisTemplate" if cluster_scope else "AnalysisTemplate", name)
