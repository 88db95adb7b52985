"""The rules that a template or run must keep before anything is measured (upstream's, reference in docs).

Fields that still hold ``{{args.x}}`` are left to the run, where the value is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.spec.arguments import has_tag, integer
from analysis.spec.base import IntOrString
from analysis.spec.duration import parse_duration
from analysis.spec.errors import SpecError
from analysis.spec.objects import (
    DEFAULT_FAILURE_LIMIT,
    DEFAULT_INCONCLUSIVE_LIMIT,
    AnalysisRunSpec,
    AnalysisTemplateSpec,
    DryRun,
    MeasurementRetention,
    Metric,
)
from analysis.spec.patterns import PatternError, compile_pattern
from analysis.spec.providers import PROVIDER_NAMES

OFF = -1
"""``failureLimit: -1`` switches the limit off."""


def problems(spec: AnalysisTemplateSpec | AnalysisRunSpec, path: str = "spec") -> tuple[SpecError, ...]:
    """Return everything that is wrong with a template or run spec, in the order of its fields."""
    return tuple(_problems(spec, path))


def validate(spec: AnalysisTemplateSpec | AnalysisRunSpec, path: str = "spec") -> None:
    """Raise the first of ``problems``."""
    for problem in _problems(spec, path):
        raise problem


def _problems(spec: AnalysisTemplateSpec | AnalysisRunSpec, path: str) -> Iterator[SpecError]:
    nested = isinstance(spec, AnalysisTemplateSpec) and bool(spec.templates)
    if not spec.metrics and not nested:
        yield SpecError(f"{path}.metrics", "no metrics specified: an analysis needs at least one")
    seen: set[str] = set()
    for index, metric in enumerate(spec.metrics):
        where = f"{path}.metrics[{index}]"
        if metric.name in seen:
            yield SpecError(f"{where}.name", f"duplicate metric name '{metric.name}'; names must differ")
        seen.add(metric.name)
        yield from _metric_problems(metric, where)
    names = [metric.name for metric in spec.metrics]
    if not nested:
        yield from _rule_problems(spec.dry_run, names, f"{path}.dryRun")
        yield from _rule_problems(spec.measurement_retention, names, f"{path}.measurementRetention")


def _metric_problems(metric: Metric, path: str) -> Iterator[SpecError]:
    if not metric.name:
        yield SpecError(f"{path}.name", "a metric needs a name")
    yield from _duration_problems(metric.interval, f"{path}.interval")
    yield from _duration_problems(metric.initial_delay, f"{path}.initialDelay")
    try:
        yield from _limit_problems(metric, path)
    except SpecError as error:
        yield error
    yield from _provider_problems(metric, f"{path}.provider")


def _duration_problems(text: str, path: str) -> Iterator[SpecError]:
    if not text or has_tag(text):
        return
    try:
        parse_duration(text)
    except ValueError as error:
        yield SpecError(path, str(error))


def _known(value: IntOrString | None, default: int, path: str) -> int | None:
    return None if has_tag(value) else integer(value, default, path)


def _limit_problems(metric: Metric, path: str) -> Iterator[SpecError]:
    count = _known(metric.count, 0, f"{path}.count")
    failures = _known(metric.failure_limit, DEFAULT_FAILURE_LIMIT, f"{path}.failureLimit")
    inconclusive = _known(metric.inconclusive_limit, DEFAULT_INCONCLUSIVE_LIMIT, f"{path}.inconclusiveLimit")
    successes = _known(metric.consecutive_success_limit, 0, f"{path}.consecutiveSuccessLimit")
    errors = _known(metric.consecutive_error_limit, 0, f"{path}.consecutiveErrorLimit")
    if count is not None and count > 1 and not metric.interval:
        yield SpecError(f"{path}.interval", "interval must be specified when count > 1")
    if count is not None and count < 0:
        yield SpecError(f"{path}.count", f"count must be >= 0, not {count}")
    if failures is not None and failures < OFF:
        yield SpecError(
            f"{path}.failureLimit", f"failureLimit must be >= 0, or -1 to switch it off, not {failures}"
        )
    for name, value in (
        ("inconclusiveLimit", inconclusive),
        ("consecutiveErrorLimit", errors),
        ("consecutiveSuccessLimit", successes),
    ):
        if value is not None and value < 0:
            yield SpecError(f"{path}.{name}", f"{name} must be >= 0, not {value}")
    if failures == OFF and successes == 0:
        yield SpecError(
            f"{path}.failureLimit",
            "failureLimit -1 and consecutiveSuccessLimit 0 are both off; one of them must decide",
        )
    if count and failures is not None and successes is not None:
        needed = max(failures, 0) + max(successes, 0)
        if count < needed:
            yield SpecError(
                f"{path}.count", f"count {count} must be >= failureLimit + consecutiveSuccessLimit = {needed}"
            )
    if count and inconclusive is not None and count < inconclusive:
        yield SpecError(f"{path}.count", f"count {count} must be >= inconclusiveLimit {inconclusive}")


def _provider_problems(metric: Metric, path: str) -> Iterator[SpecError]:
    names = metric.provider.names()
    for name in names:
        if name not in PROVIDER_NAMES:
            yield SpecError(f"{path}.{name}", f"unknown provider; known are {', '.join(PROVIDER_NAMES)}")
    if not names:
        yield SpecError(path, "no provider specified")
    elif len(names) > 1:
        yield SpecError(path, f"multiple providers specified ({', '.join(names)}); keep one")
    if metric.provider.plugin is not None and len(metric.provider.plugin) != 1:
        yield SpecError(
            f"{path}.plugin", f"exactly one plugin must be named, not {len(metric.provider.plugin)}"
        )


def _rule_problems(
    rules: Sequence[DryRun | MeasurementRetention], names: Sequence[str], path: str
) -> Iterator[SpecError]:
    for index, rule in enumerate(rules):
        where = f"{path}[{index}].metricName"
        try:
            matched = matching(rule.metric_name, names)
        except SpecError as error:
            yield SpecError(where, error.message)
            continue
        if not matched:
            yield SpecError(where, f"rule '{rule.metric_name}' did not match any metric name")


def matching(pattern: str, names: Sequence[str]) -> frozenset[str]:
    """Return the names that a rule's pattern matches somewhere (``*`` matches all).

    Raises SpecError (without a path) for a pattern that is no regular expression.
    """
    if pattern == "*":
        return frozenset(names)
    try:
        compiled = compile_pattern(pattern)
        return frozenset(name for name in names if compiled.found_in(name))
    except PatternError as error:
        raise SpecError("", str(error)) from error
