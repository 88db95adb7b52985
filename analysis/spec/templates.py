"""From template references to the spec of an AnalysisRun: look-up, nesting, merging.

Templates that name other templates are walked breadth first; a template is taken once however often it is
named, so a circle ends by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from analysis.spec.arguments import merge_arguments
from analysis.spec.base import SpecModel
from analysis.spec.errors import SpecError, from_validation_error
from analysis.spec.objects import (
    AnalysisRunSpec,
    AnalysisTemplateSpec,
    Argument,
    DryRun,
    MeasurementRetention,
    Metric,
    TemplateRef,
)

M = TypeVar("M", bound=SpecModel)


class Reference(Protocol):
    """Names a template; ``TemplateRef`` here and the Rollout's own both fit."""

    @property
    def template_name(self) -> str:
        """Return the template's name."""
        ...

    @property
    def cluster_scope(self) -> bool:
        """Tell whether it is a ClusterAnalysisTemplate."""
        ...


Find = Callable[[str, bool], Mapping[str, Any] | None]
"""``find(name, cluster_scope)`` returns a template object (or its spec alone), or None."""


def parse(model: type[M], manifest: Mapping[str, Any], path: str) -> M:
    """Return a model of a manifest. Raises SpecError at the first wrong field."""
    try:
        return model.model_validate(manifest)
    except ValidationError as error:
        raise from_validation_error(path, error) from error


def flatten(refs: Sequence[Reference], find: Find) -> Sequence[Mapping[str, Any]]:
    """Return the spec manifests of the referenced templates and of those that they name, in order.

    Raises SpecError when a template is not found.
    """
    waiting: deque[Reference] = deque(refs)
    seen: set[tuple[str, bool]] = set()
    specs: list[Mapping[str, Any]] = []
    while waiting:
        ref = waiting.popleft()
        name, cluster_scope = ref.template_name, bool(ref.cluster_scope)
        if (name, cluster_scope) in seen:
            continue
        seen.add((name, cluster_scope))
        found = find(name, cluster_scope)
        kind = "ClusterAnalysisTemplate" if cluster_scope else "AnalysisTemplate"
        if found is None:
            raise SpecError("", f"{kind} '{name}' not found")
        spec = found.get("spec", found) if "metadata" in found or "kind" in found else found
        parsed = parse(AnalysisTemplateSpec, spec or {}, f"{kind} '{name}': spec")
        waiting.extend(parsed.templates)
        specs.append(spec or {})
    return specs


def resolve_templates(
    templates: Sequence[Mapping[str, Any]], lookup: Find | None = None
) -> AnalysisTemplateSpec:
    """Return one spec that holds what all templates (and those nested in them) say.

    ``lookup`` finds nested templates; None when ``templates`` came from ``flatten`` already. Raises
    SpecError for metrics, dry-run or retention rules of the same name and for one argument with two values.
    """
    specs = [parse(AnalysisTemplateSpec, t, f"templates[{i}]") for i, t in enumerate(templates)]
    if lookup is not None:
        nested: list[TemplateRef] = [ref for spec in specs for ref in spec.templates]
        specs += [parse(AnalysisTemplateSpec, t, "") for t in flatten(nested, lookup)]
    return AnalysisTemplateSpec(
        metrics=_unique_metrics(specs),
        args=_merged_defaults(specs),
        dry_run=_unique_rules([rule for spec in specs for rule in spec.dry_run], "dryRun"),
        measurement_retention=_unique_rules(
            [rule for spec in specs for rule in spec.measurement_retention], "measurementRetention"
        ),
    )


def _unique_metrics(specs: Sequence[AnalysisTemplateSpec]) -> tuple[Metric, ...]:
    metrics = tuple(metric for spec in specs for metric in spec.metrics)
    seen: set[str] = set()
    for metric in metrics:
        if metric.name in seen:
            raise SpecError("spec.metrics", f"two metrics have the same name '{metric.name}'")
        seen.add(metric.name)
    return metrics


def _merged_defaults(specs: Sequence[AnalysisTemplateSpec]) -> tuple[Argument, ...]:
    """Return each argument once: a value goes before a source, a source before nothing, as upstream."""
    merged: dict[str, Argument] = {}
    for argument in (argument for spec in specs for argument in spec.args):
        known = merged.get(argument.name)
        if known is None or known.value is None:
            empty = argument.value is None and argument.value_from is None
            merged[argument.name] = known if known is not None and empty else argument
        elif argument.value not in (None, known.value):
            raise SpecError("spec.args", f"two templates give argument '{argument.name}' different values")
    return tuple(merged.values())


def _unique_rules(rules: Sequence[M], field: str) -> tuple[M, ...]:
    seen: set[str] = set()
    for rule in rules:
        name = str(getattr(rule, "metric_name", ""))
        if name in seen:
            raise SpecError(f"spec.{field}", f"two rules have the same metricName '{name}'")
        seen.add(name)
    return tuple(rules)


def build_run_spec(
    templates: Sequence[Mapping[str, Any]],
    args: Sequence[Mapping[str, Any]],
    *,
    dry_run: Sequence[Mapping[str, Any]] = (),
    measurement_retention: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the spec manifest of the AnalysisRun that these flattened templates ask for.

    ``args`` come from the Rollout (or the command line) and override the templates' defaults; the two rule
    lists are added to the templates' own. Raises SpecError, also when an argument has no value at all.
    """
    merged = resolve_templates(templates)
    given = [parse(Argument, a, f"args[{i}]") for i, a in enumerate(args)]
    own_dry_run = [parse(DryRun, rule, f"dryRun[{i}]") for i, rule in enumerate(dry_run)]
    own_retention = [
        parse(MeasurementRetention, rule, f"measurementRetention[{i}]")
        for i, rule in enumerate(measurement_retention)
    ]
    spec = AnalysisRunSpec(
        metrics=merged.metrics,
        args=merge_arguments(merged.args, given, "spec.args"),
        dry_run=_unique_rules([*own_dry_run, *merged.dry_run], "dryRun"),
        measurement_retention=_unique_rules(
            [*own_retention, *merged.measurement_retention], "measurementRetention"
        ),
    )
    return {key: value for key, value in spec.manifest().items() if value != []}
