"""What must hold for a Rollout before anything is done for it. Pure.

Rules and texts are the peer's where tools look for them; the first error becomes condition ``InvalidSpec``.
Types are checked first, since the other rules rest on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from rollouts.api.argoproj.canary_validation import validate_canary
from rollouts.api.argoproj.rollout import (
    DEFAULT_PROGRESS_DEADLINE_SECONDS,
    DEFAULT_REVISION_HISTORY_LIMIT,
    AntiAffinity,
    BlueGreenStrategy,
    RolloutSpec,
)
from rollouts.api.argoproj.step_validation import validate_analysis
from rollouts.api.fielderrors import (
    FieldError,
    from_validation_error,
    internal,
    invalid,
    not_supported,
    required,
)
from rollouts.api.podtemplates import validate_pod_template
from rollouts.api.scalars import ScalarError, int_or_percent
from rollouts.api.selectors import SelectorError, is_empty, matches

__all__ = ["FieldError", "invalid_spec_message", "validate_rollout"]

_MISSING_STRATEGY = "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'"
_TWO_STRATEGIES = "Multiple Strategies can not be listed; keep either canary or blueGreen"
_SAME_SERVICES = (
    "This rollout uses the same service for the active and preview services, "
    "but two different services are required."
)
_SCALE_DOWN_MODES = ("never", "onsuccess", "progressively")


def invalid_spec_message(name: str, error: FieldError) -> str:
    """Return the message of condition ``InvalidSpec``."""
    return f'The Rollout "{name}" is invalid: {error}'


def validate_rollout(rollout: Mapping[str, Any]) -> tuple[FieldError, ...]:
    """Return everything that is wrong with a Rollout, in the order in which the peer looks at it.

    With ``workloadRef`` the template and the selector are looked at only when they are there: they belong to
    the workload.
    """
    manifest = rollout.get("spec")
    if not isinstance(manifest, Mapping):
        return (required("spec", "Rollout has missing field '.spec'"),)
    try:
        spec = RolloutSpec.model_validate(manifest)
    except ValidationError as error:
        return from_validation_error(error, "spec")
    return tuple(_spec_errors(spec))


def _spec_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    yield from _not_negative("spec.replicas", spec.replicas)
    yield from _workload_errors(spec)
    yield from _not_negative("spec.minReadySeconds", spec.min_ready_seconds)
    yield from _not_negative("spec.revisionHistoryLimit", spec.revision_history_limit)
    yield from _deadline_errors(spec)
    if spec.rollback_window is not None:
        yield from _not_negative("spec.rollbackWindow.revisions", spec.rollback_window.revisions)
    yield from _strategy_errors(spec)


def _not_negative(path: str, value: int | None) -> Iterator[FieldError]:
    if value is not None and value < 0:
        yield invalid(path, value, "must be greater than or equal to 0")


def _deadline_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    path, seconds = "spec.progressDeadlineSeconds", spec.progress_deadline_seconds
    yield from _not_negative(path, seconds)
    effective = DEFAULT_PROGRESS_DEADLINE_SECONDS if seconds is None else seconds
    if effective >= 0 and effective <= spec.min_ready_seconds:
        yield invalid(path, effective, "must be greater than minReadySeconds")


def _workload_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    if spec.workload_ref is None:
        yield from _selector_errors(spec)
        yield from _template_errors(spec)
        return
    if spec.template:
        yield internal("spec.template", "template must be empty for workload reference rollout")
    ref = spec.workload_ref
    for field, value in (("kind", ref.kind), ("name", ref.name)):
        if not value:
            yield required(f"spec.workloadRef.{field}")
    if ref.scale_down not in ("", *_SCALE_DOWN_MODES):
        yield not_supported("spec.workloadRef.scaleDown", ref.scale_down, _SCALE_DOWN_MODES)


def _selector_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    if spec.selector is None:
        yield required("spec.selector", "Rollout has missing field '.spec.selector'")
    elif is_empty(spec.selector):
        yield invalid("spec.selector", spec.selector, "empty selector is invalid for deployment")


def _template_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    if not spec.template:
        yield required("spec.template", "Rollout has missing field '.spec.template'")
        return
    labels = (spec.template.get("metadata") or {}).get("labels") or {}
    try:
        if spec.selector and not is_empty(spec.selector) and not matches(spec.selector, labels):
            message = "`selector` does not match template `labels`"
            yield invalid("spec.template.metadata.labels", labels, message)
    except (SelectorError, AttributeError, TypeError) as error:
        yield invalid("spec.selector", spec.selector, f"invalid label selector: {error}")
    yield from validate_pod_template(spec.template, "spec.template")


def _strategy_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    strategy = spec.strategy
    if strategy.canary is None and strategy.blue_green is None:
        yield required("spec.strategy.strategy", _MISSING_STRATEGY)
    elif strategy.canary is not None and strategy.blue_green is not None:
        yield invalid("spec.strategy.strategy", {"blueGreen": {}, "canary": {}}, _TWO_STRATEGIES)
    elif strategy.blue_green is not None:
        yield from _blue_green_errors(strategy.blue_green, spec)
    elif strategy.canary is not None:
        yield from validate_canary(strategy.canary, "spec.strategy.canary")
        yield from _revision_limit_errors(
            strategy.canary.scale_down_delay_revision_limit, spec, "spec.strategy.canary"
        )
        yield from _anti_affinity_errors(strategy.canary.anti_affinity, "spec.strategy.canary.antiAffinity")


def _blue_green_errors(strategy: BlueGreenStrategy, spec: RolloutSpec) -> Iterator[FieldError]:
    path = "spec.strategy.blueGreen"
    if not strategy.active_service:
        yield required(f"{path}.activeService", "a blue-green Rollout needs the Service that users reach")
    elif strategy.active_service == strategy.preview_service:
        yield invalid(f"{path}.previewService", strategy.preview_service, _SAME_SERVICES)
    yield from _revision_limit_errors(strategy.scale_down_delay_revision_limit, spec, path)
    for field, value in (
        ("previewReplicaCount", strategy.preview_replica_count),
        ("autoPromotionSeconds", strategy.auto_promotion_seconds),
        ("scaleDownDelaySeconds", strategy.scale_down_delay_seconds),
        ("scaleDownDelayRevisionLimit", strategy.scale_down_delay_revision_limit),
        ("abortScaleDownDelaySeconds", strategy.abort_scale_down_delay_seconds),
    ):
        yield from _not_negative(f"{path}.{field}", value)
    if strategy.max_unavailable is not None:
        try:
            int_or_percent(strategy.max_unavailable, 100, round_up=False)
        except ScalarError as error:
            yield invalid(f"{path}.maxUnavailable", strategy.max_unavailable, str(error))
    for name, analysis in (
        ("prePromotionAnalysis", strategy.pre_promotion_analysis),
        ("postPromotionAnalysis", strategy.post_promotion_analysis),
    ):
        if analysis is not None:
            yield from validate_analysis(analysis, f"{path}.{name}")
    yield from _anti_affinity_errors(strategy.anti_affinity, f"{path}.antiAffinity")


def _revision_limit_errors(limit: int | None, spec: RolloutSpec, path: str) -> Iterator[FieldError]:
    history = spec.revision_history_limit
    kept = DEFAULT_REVISION_HISTORY_LIMIT if history is None else history
    if limit is not None and limit > kept:
        yield invalid(
            f"{path}.scaleDownDelayRevisionLimit",
            limit,
            "This rollout's revision history limit can not be smaller than the rollout's scale down limit",
        )


def _anti_affinity_errors(affinity: AntiAffinity | None, path: str) -> Iterator[FieldError]:
    if affinity is None:
        return
    preferred = affinity.preferred_during_scheduling_ignored_during_execution
    needed = affinity.required_during_scheduling_ignored_during_execution
    if (preferred is None) == (needed is None):
        yield invalid(path, affinity.manifest(), "AntiAffinity must have exactly one strategy listed")
    if preferred is not None and not 1 <= preferred.weight <= 100:
        yield invalid(
            f"{path}.preferredDuringSchedulingIgnoredDuringExecution.weight",
            preferred.weight,
            "AntiAffinity weight must be between 1-100",
        )
